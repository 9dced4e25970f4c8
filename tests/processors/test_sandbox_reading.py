"""The sandbox adapter's pure parts: what it refuses to be, to send, and to read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.domain.outcomes import Approved, Declined, DeclineKind, Finality, NotSent
from twintill.errors import SettingsError, SignatureRefused, UnreadableEvent
from twintill.money import Money, stripe_exponent
from twintill.processors import ChargeRequest, PreparedCharge, Processor, StoredMethod
from twintill.processors.fields import Unreadable
from twintill.processors.sandbox import SandboxProcessor, webhooks
from twintill.processors.sandbox.answers import read_charge, read_disputes
from twintill.processors.sandbox.currencies import EXPONENTS, MAX_AMOUNT, from_sandbox
from twintill.processors.sandbox.requests import prepare

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
STATUSES = ("succeeded", "pending", "requires_action", "declined", "failed", "canceled")
CHARGE_FIELDS = {
    "id": st.just("chg_1") | JSON,
    "status": st.sampled_from(STATUSES) | JSON,
    "reference": st.just("tw-1") | JSON,
    "amount": st.integers(-5, 500) | JSON,
    "currency": st.sampled_from(sorted(EXPONENTS)) | JSON,
    "finality": st.sampled_from(["final", "provisional"]) | JSON,
    "expected_at": st.just("2026-01-01T00:00:00Z") | JSON,
    "action_url": st.just("https://example.test/a") | JSON,
    "action_expires_at": JSON,
    "decline": st.fixed_dictionaries({"code": st.just("x") | JSON, "category": JSON}) | JSON,
}


async def test_it_is_a_processor() -> None:
    processor = SandboxProcessor("http://127.0.0.1:9", "key", ("secret",), "acct_1")
    assert isinstance(processor, Processor)
    await processor.aclose()


@pytest.mark.parametrize(
    ("base_url", "api_key", "secrets", "account_id"),
    [
        ("", "key", ("secret",), "acct"),
        ("ftp://somewhere", "key", ("secret",), "acct"),
        ("http://somewhere", "", ("secret",), "acct"),
        ("http://somewhere", "clé", ("secret",), "acct"),
        ("http://somewhere", "key", (), "acct"),
        ("http://somewhere", "key", ("secret", ""), "acct"),
        ("http://somewhere", "key", ("secret",), ""),
    ],
)
def test_it_refuses_to_exist_half_configured(
    base_url: str, api_key: str, secrets: tuple[str, ...], account_id: str
) -> None:
    with pytest.raises(SettingsError):
        SandboxProcessor(base_url, api_key, secrets, account_id)


def request(amount: Money, reference: str = "tw-1") -> ChargeRequest:
    return ChargeRequest(
        reference, "in_1", amount, StoredMethod("pcus_1", "tok_1", "card"), "Invoice", {}
    )


@given(st.integers(1, 10**8), st.sampled_from(sorted(EXPONENTS)))
def test_what_is_sent_is_exactly_what_was_asked_or_nothing(minor: int, currency: str) -> None:
    amount = Money(minor, currency)
    charge = prepare(request(amount), "key")
    if isinstance(charge, NotSent):
        assert minor % 10 ** (stripe_exponent(currency) - EXPONENTS[currency])
    else:
        assert from_sandbox(json.loads(charge.body)["amount"], currency) == amount


@pytest.mark.parametrize("minor", [0, -1, MAX_AMOUNT + 1])
def test_an_amount_out_of_range_is_not_sent(minor: int) -> None:
    assert isinstance(prepare(request(Money(minor, "EUR")), "key"), NotSent)


@pytest.mark.parametrize("reference", ["", "x" * 36, "in 1", "in\n1", "naïve"])
def test_an_unsafe_reference_is_not_sent(reference: str) -> None:
    assert isinstance(prepare(request(Money(1, "EUR"), reference), "key"), NotSent)


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_description_becomes_bytes(description: str, metadata: dict[str, str]) -> None:
    method = StoredMethod("pcus_1", "tok_1", "card")
    order = ChargeRequest("tw-1", "in_1", Money(1, "EUR"), method, description, metadata)
    assert isinstance(prepare(order, "key"), PreparedCharge)


@given(st.binary())
def test_no_bytes_break_the_parser(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        webhooks.parse(body)


@given(st.fixed_dictionaries({}, optional=CHARGE_FIELDS))
def test_no_charge_breaks_the_reader(charge: dict[str, Any]) -> None:
    try:
        outcome = read_charge(charge)
    except Unreadable:
        return
    if isinstance(outcome, Approved):
        assert charge["status"] == "succeeded"
        assert outcome.amount.minor > 0


@given(st.lists(st.fixed_dictionaries({"id": JSON, "type": JSON, "data": JSON}) | JSON))
def test_no_events_break_the_parser(events: list[Any]) -> None:
    body = json.dumps({"events": events}).encode()
    try:
        parsed = webhooks.parse(body)
    except UnreadableEvent:
        return
    assert len(parsed) == len(events)


@given(st.text(st.characters(max_codepoint=255)))
def test_no_header_breaks_the_verification(header: str) -> None:
    with pytest.raises(SignatureRefused):
        webhooks._read_header(f"v1={header}")


def charge(**fields: Any) -> dict[str, Any]:
    decline = {"code": "x", "text": "x", "category": "retry_later", "retry_after_s": None}
    return {"id": "chg_1", "status": "declined", "decline": decline} | fields


@pytest.mark.parametrize("wait", [-1, 10**12, "soon", True, 1.5])
def test_a_wait_that_makes_no_sense_is_no_wait(wait: Any) -> None:
    told = read_charge(charge(decline={"code": "x", "category": "y", "retry_after_s": wait}))
    assert told == Declined(DeclineKind.SOFT, "x", processor_payment_id="chg_1")


def test_the_words_of_a_decline_are_for_people_and_may_be_anything() -> None:
    told = read_charge(charge(decline={"code": "x", "text": "no\nfunds\x00", "category": "y"}))
    assert isinstance(told, Declined)
    assert told.text == "no funds "


def dispute_list(more: bool) -> bytes:
    its = {"id": "dp_1", "charge": "chg_1", "amount": 100, "currency": "EUR", "status": "open"}
    listed = {"data": [its | {"withheld": True}], "has_more": more, "next": "dp_1"}
    return json.dumps(listed).encode()


def test_a_page_of_disputes_says_where_the_next_begins() -> None:
    assert read_disputes(dispute_list(more=True)).following == "dp_1"
    assert read_disputes(dispute_list(more=False)).following is None


def test_finality_is_read_not_assumed() -> None:
    fields = {"status": "succeeded", "amount": 100, "currency": "EUR"}
    told = read_charge(charge(**fields, finality="provisional"))
    assert told == Approved("chg_1", Money(100, "EUR"), Finality.PROVISIONAL)
    with pytest.raises(Unreadable):
        read_charge(charge(**fields))
