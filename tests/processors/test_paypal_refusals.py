"""What a refusal of PayPal's proves: only what its documents say, and nothing else."""

import json
from typing import Any

import httpx
import pytest

from twintill.domain.outcomes import Declined, DeclineKind, NoAnswer, NotSent, NotSentReason
from twintill.processors.paypal import declines
from twintill.processors.paypal.refusals import (
    is_missing,
    read_forbidden,
    read_refund_refusal,
    read_refusal,
)


def answer(status: int, *issues: str, name: str = "UNPROCESSABLE_ENTITY") -> httpx.Response:
    body = {
        "name": name,
        "message": "The requested action could not be performed, semantically incorrect, or ...",
        "debug_id": "90957fca61718",
        "details": [{"issue": issue, "description": f"About {issue}."} for issue in issues],
    }
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("issue", "kind"),
    [
        ("INSTRUMENT_DECLINED", DeclineKind.SOFT),
        ("TRANSACTION_REFUSED", DeclineKind.SOFT),
        ("PAYER_CANNOT_PAY", DeclineKind.HARD),
        ("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", DeclineKind.HARD),
        ("CARD_EXPIRED", DeclineKind.UPDATE_METHOD),
        ("PAYER_ACTION_REQUIRED", DeclineKind.AUTH_REQUIRED),
        ("TOKEN_ID_NOT_FOUND", DeclineKind.REVOKED),
        ("AGREEMENT_ALREADY_CANCELLED", DeclineKind.REVOKED),
        ("COMPLIANCE_VIOLATION", DeclineKind.FRAUD),
    ],
)
def test_a_decline_keeps_its_code(issue: str, kind: DeclineKind) -> None:
    assert read_refusal(answer(422, issue), "in_1") == Declined(kind, issue, f"About {issue}.")


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_a_decline_is_only_one_with_its_own_status(status: int) -> None:
    assert isinstance(read_refusal(answer(status, "INSTRUMENT_DECLINED"), "in_1"), NoAnswer)


@pytest.mark.parametrize(
    ("issue", "status", "reason"),
    [
        ("NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE", 422, NotSentReason.CONFIG),
        ("PAYEE_ACCOUNT_RESTRICTED", 422, NotSentReason.CONFIG),
        ("CURRENCY_NOT_SUPPORTED", 422, NotSentReason.CONFIG),
        ("INVALID_PARAMETER_SYNTAX", 400, NotSentReason.CONFIG),
        ("DECIMALS_NOT_SUPPORTED", 422, NotSentReason.INEXACT),
        ("DECIMAL_PRECISION", 422, NotSentReason.INEXACT),
    ],
)
def test_what_is_not_set_up_is_no_decline(issue: str, status: int, reason: NotSentReason) -> None:
    refused = read_refusal(answer(status, issue), "in_1")
    assert isinstance(refused, NotSent)
    assert refused.reason is reason
    assert issue in refused.detail
    assert "90957fca61718" in refused.detail, "PayPal's support asks for the debug id"


@pytest.mark.parametrize("issue", sorted(declines.CONFIG) + sorted(declines.INEXACT))
def test_each_says_what_it_is_in_a_sentence(issue: str) -> None:
    why = declines.not_sent_because(issue)
    assert why is not None
    assert len(why[1].split()) > 4


def test_a_second_payment_for_an_invoice_proves_that_there_is_one() -> None:
    for status in (400, 409, 422):
        for issues in (("DUPLICATE_INVOICE_ID",), ("INSTRUMENT_DECLINED", "DUPLICATE_INVOICE_ID")):
            doubt = read_refusal(answer(status, *issues), "in_4711")
            assert isinstance(doubt, NoAnswer)
            assert doubt.taken
            assert "in_4711" in doubt.detail


@pytest.mark.parametrize(
    "refused",
    [
        answer(422, "MOONLIT"),
        answer(422, "INSTRUMENT_DECLINED", "MOONLIT"),
        answer(422),
        answer(409, "PREVIOUS_REQUEST_IN_PROGRESS", name="RESOURCE_CONFLICT"),
        answer(422, "DUPLICATE_REQUEST_ID"),
        answer(404, "INVALID_RESOURCE_ID", name="RESOURCE_NOT_FOUND"),
        answer(400, "INVALID_PARAMETER_SYNTAX", name="a page of somebody else"),
        httpx.Response(400, text="<html>"),
        httpx.Response(422, json=[]),
        httpx.Response(422, json={"details": "none"}),
        httpx.Response(418),
    ],
)
def test_what_is_in_no_table_proves_nothing(refused: httpx.Response) -> None:
    assert isinstance(read_refusal(refused, "in_1"), NoAnswer)
    assert isinstance(read_refund_refusal(refused), NoAnswer)


def test_a_refund_that_paypal_refuses_gives_nothing_back() -> None:
    for issue in sorted(declines.NOT_GIVEN_BACK):
        refused = read_refund_refusal(answer(422, issue))
        assert isinstance(refused, Declined)
        assert refused.code == issue
    assert isinstance(read_refund_refusal(answer(422, "DUPLICATE_INVOICE_ID")), NoAnswer)
    restricted = read_refund_refusal(answer(422, "PAYEE_ACCOUNT_RESTRICTED"))
    assert isinstance(restricted, NotSent)


def test_a_missing_right_is_told_from_a_wrong_key() -> None:
    right = read_forbidden(answer(403, "PERMISSION_DENIED", name="NOT_AUTHORIZED"))
    assert right is not None
    assert right.reason is NotSentReason.CONFIG
    assert "Developer Dashboard" in right.detail
    page = read_forbidden(httpx.Response(403, text="<html>"))
    assert page is not None
    assert page.reason is NotSentReason.CREDENTIALS


def test_a_payer_who_has_to_consent_is_no_missing_right() -> None:
    asks = answer(403, "CONSENT_NEEDED", name="NOT_AUTHORIZED")
    assert read_forbidden(asks) is None
    declined = read_refusal(asks, "in_1")
    assert isinstance(declined, Declined)
    assert declined.kind is DeclineKind.AUTH_REQUIRED


def test_only_paypal_itself_says_that_something_is_not_there() -> None:
    assert is_missing(answer(404, name="RESOURCE_NOT_FOUND"))
    for other in (
        httpx.Response(404, text="no such page"),
        httpx.Response(404, json={"name": "NOT_FOUND"}),
        answer(400, name="RESOURCE_NOT_FOUND"),
    ):
        assert not is_missing(other)


@pytest.mark.parametrize(
    ("said", "kind", "wait_s"),
    [
        ({}, DeclineKind.SOFT, None),
        ({"response": "5120"}, DeclineKind.SOFT, None),
        ({"response": "5400"}, DeclineKind.UPDATE_METHOD, None),
        ({"response": "9520"}, DeclineKind.FRAUD, None),
        ({"response": "PPRN"}, DeclineKind.HARD, None),
        ({"response": "5910"}, DeclineKind.HARD, None),
        ({"response": "5650"}, DeclineKind.AUTH_REQUIRED, None),
        ({"reason": "DECLINED_BY_RISK_FRAUD_FILTERS"}, DeclineKind.FRAUD, None),
        ({"response": "5120", "advice": "01"}, DeclineKind.UPDATE_METHOD, None),
        ({"response": "5120", "advice": "03"}, DeclineKind.HARD, None),
        ({"response": "5120", "advice": "21"}, DeclineKind.REVOKED, None),
        ({"response": "5120", "advice": "24"}, DeclineKind.SOFT, 3600),
        ({"response": "5120", "advice": "30"}, DeclineKind.SOFT, 10 * 86_400),
        ({"advice": "02", "network": "MASTERCARD"}, DeclineKind.SOFT, 72 * 3600),
        ({"advice": "02", "network": "VISA"}, DeclineKind.HARD, None),
        ({"advice": "02"}, DeclineKind.HARD, None),
        ({"response": "moonlit", "advice": "99"}, DeclineKind.SOFT, None),
    ],
)
def test_the_networks_word_on_the_next_try(
    said: dict[str, Any], kind: DeclineKind, wait_s: int | None
) -> None:
    told = [said.get(name) for name in ("response", "advice", "network", "reason")]
    assert declines.kind_of(*told) == (kind, wait_s)


def test_no_table_contradicts_another() -> None:
    tables = (declines.DECLINES, declines.CONFIG, declines.INEXACT)
    issues = [issue for table in tables for issue in table]
    assert len(set(issues)) == len(issues)
    assert declines.DUPLICATE_INVOICE_ID not in {*issues, *declines.NOT_GIVEN_BACK}
    assert json.dumps(issues).isupper()
