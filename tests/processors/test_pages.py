"""docs/processors says what the code does: its tables are the code's, and its names exist."""

import re

import httpx
import pytest

from tests.processors.pages import FOLDER, PAGES, TABLES, filled, used
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.money import Money
from twintill.processors import ChargeRequest, StoredMethod
from twintill.processors.gocardless import refusals as gocardless
from twintill.processors.gocardless import requests as gocardless_requests
from twintill.processors.paypal import access as paypal_access
from twintill.processors.paypal import refusals as paypal
from twintill.processors.paypal import requests as paypal_requests
from twintill.settings.plugs import all_plugs

_VARIABLE = re.compile(r"TWINTILL_(?:PAYPAL|GOCARDLESS|SANDBOX_PROCESSOR)_[A-Z_]*[A-Z]")


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_those_of_the_code(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert filled(text) == text, "python -m tests.processors.pages writes them"


def test_every_table_is_shown_somewhere() -> None:
    assert used() == set(TABLES)


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_page_names_exists(page: str) -> None:
    known = {
        plug.settings.prefix + field.upper()
        for plug in all_plugs()
        for field in plug.settings.model_fields
    }
    named = set(_VARIABLE.findall((FOLDER / f"{page}.md").read_text()))
    assert named <= known, named - known


IN_DINARS = ChargeRequest(
    reference="tw-1",
    invoice_id="in_1",
    amount=Money(4900, "KWD"),
    method=StoredMethod("cus", "tok", "wallet"),
    description="",
    metadata={},
)


def test_the_sentences_of_the_troubleshooting_are_said() -> None:
    on_paypal, on_gocardless = (
        (FOLDER / page).read_text().replace("XYZ", "KWD") for page in ("paypal.md", "gocardless.md")
    )
    refused = paypal_access._read(httpx.Response(401, json={"error": "invalid_client"}), 1)
    duplicate = httpx.Response(
        422,
        json={"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "DUPLICATE_INVOICE_ID"}]},
    )
    no_dinars = _detail(gocardless_requests.prepare(IN_DINARS, "key"))
    for page, said in (
        (on_paypal, _detail(refused).partition(" (HTTP")[0]),
        (on_paypal, _detail(paypal_requests.prepare(IN_DINARS, "key"))),
        (on_paypal, _detail(paypal.read_refusal(duplicate, "in_…")).partition(":")[0]),
        (on_gocardless, no_dinars.partition(" CAD")[0]),
        (on_gocardless, gocardless._CREDENTIALS["access_token_not_found"]),
        (on_gocardless, gocardless._CONFIG["feature_disabled"]),
    ):
        assert said in page, said


def _detail(told: object) -> str:
    assert isinstance(told, NotSent | NoAnswer)
    return told.detail
