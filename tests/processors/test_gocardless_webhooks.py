"""GoCardless's webhooks: bodies as its documentation shows them, signed as it signs."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import Approved, Declined, DeclineKind, Finality
from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.money import Money
from twintill.processors import EventKind, ProcessorEvent, WebhookRequest
from twintill.processors.gocardless import webhooks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRETS = ("new secret", "old secret")
OURS = {"reference": "tw-1", "amount": "4900 EUR", "invoice": "in_1"}


def event(resource: str, action: str, links: dict[str, str], **fields: Any) -> dict[str, Any]:
    return {
        "id": "EV123",
        "created_at": "2026-03-01T12:00:00.000Z",
        "resource_type": resource,
        "action": action,
        "links": links,
        "details": {"origin": "bank", "cause": "payment_confirmed", "description": "x"},
        "metadata": {},
        **fields,
    }


def of_payment(action: str, **fields: Any) -> dict[str, Any]:
    return event("payments", action, {"payment": "PM1"}, **{"resource_metadata": OURS, **fields})


def parsed(*events: dict[str, Any]) -> list[ProcessorEvent]:
    return webhooks.parse(json.dumps({"events": events, "meta": {"webhook_id": "WB1"}}).encode())


def details(cause: str, **fields: Any) -> dict[str, Any]:
    return {"origin": "bank", "cause": cause, "description": "words", **fields}


def test_confirmed_is_collected_and_paid_out_is_final() -> None:
    confirmed, paid_out = parsed(of_payment("confirmed"), of_payment("paid_out"))
    assert confirmed.kind is EventKind.CHARGE_APPROVED
    assert confirmed.outcome == Approved("PM1", Money(4900, "EUR"), Finality.PROVISIONAL)
    assert (confirmed.dedupe_key, confirmed.reference) == ("EV123", "tw-1")
    assert confirmed.occurred_at == NOW
    assert paid_out.kind is EventKind.CHARGE_FINAL
    assert paid_out.outcome == Approved("PM1", Money(4900, "EUR"), Finality.FINAL)


@pytest.mark.parametrize("metadata", [None, {}, {"amount": "49.00"}, {"amount": "4900 XXX"}])
def test_without_our_metadata_it_is_told_without_an_amount(metadata: object) -> None:
    [told] = parsed(of_payment("confirmed", resource_metadata=metadata))
    assert (told.kind, told.processor_payment_id) == (EventKind.CHARGE_APPROVED, "PM1")
    assert (told.outcome, told.finality) == (None, Finality.PROVISIONAL)


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [
        (details("insufficient_funds"), DeclineKind.SOFT, "insufficient_funds"),
        (details("refer_to_payer"), DeclineKind.SOFT, "refer_to_payer"),
        (details("bank_account_closed"), DeclineKind.UPDATE_METHOD, "bank_account_closed"),
        (details("mandate_cancelled"), DeclineKind.REVOKED, "mandate_cancelled"),
        (details("authorisation_disputed"), DeclineKind.REVOKED, "authorisation_disputed"),
        (details("payer_deceased"), DeclineKind.HARD, "payer_deceased"),
        (details("other", scheme="sepa_core", reason_code="MD01"), DeclineKind.REVOKED, "other"),
        (
            details("other", scheme="bacs", reason_code="ARUDD-B"),
            DeclineKind.UPDATE_METHOD,
            "other",
        ),
        (details("new to us"), DeclineKind.SOFT, "new to us"),
    ],
)
def test_a_failure_is_told_by_its_cause(told: dict[str, Any], kind: DeclineKind, code: str) -> None:
    [failed] = parsed(of_payment("failed", details=told))
    assert failed.kind is EventKind.CHARGE_DECLINED
    assert isinstance(failed.outcome, Declined)
    assert (failed.outcome.kind, failed.outcome.code) == (kind, code)
    assert failed.outcome.processor_payment_id == "PM1"


def test_what_gocardless_tries_again_has_not_failed() -> None:
    told = {**details("insufficient_funds"), "will_attempt_retry": True}
    [failed] = parsed(of_payment("failed", details=told))
    assert failed.kind is EventKind.IGNORED


def test_a_failure_that_was_taken_out_of_a_payout_is_a_late_one() -> None:
    [late] = parsed(of_payment("late_failure_settled", details=details("authorisation_disputed")))
    assert late.kind is EventKind.CHARGE_FAILED_LATE
    assert isinstance(late.outcome, Declined)
    assert late.outcome.kind is DeclineKind.REVOKED


def test_a_cancellation_is_a_decline_and_tells_of_a_mandate_that_is_gone() -> None:
    by_us, by_the_bank = parsed(
        of_payment("cancelled", details=details("payment_cancelled")),
        of_payment("cancelled", details=details("mandate_cancelled")),
    )
    assert isinstance(by_us.outcome, Declined)
    assert (by_us.outcome.kind, by_us.outcome.code) == (DeclineKind.SOFT, "canceled")
    assert isinstance(by_the_bank.outcome, Declined)
    assert by_the_bank.outcome.kind is DeclineKind.REVOKED


@pytest.mark.parametrize(
    ("action", "kind", "stage", "withheld"),
    [
        ("charged_back", EventKind.DISPUTE_OPENED, DisputeStage.OPENED, True),
        ("chargeback_settled", EventKind.DISPUTE_LOST, DisputeStage.LOST, True),
        ("chargeback_cancelled", EventKind.DISPUTE_WON, DisputeStage.WON, False),
    ],
)
def test_a_chargeback_takes_the_money_at_once(
    action: str, kind: EventKind, stage: DisputeStage, withheld: bool
) -> None:
    [told] = parsed(of_payment(action, details=details("authorisation_disputed")))
    assert told.kind is kind
    assert told.dispute is not None
    assert (told.dispute.stage, told.dispute.withheld) == (stage, withheld)
    assert told.dispute.amount == Money(4900, "EUR")
    assert told.dispute.dispute_id == told.dispute.processor_payment_id == "PM1"


def test_a_chargeback_without_an_amount_is_left_to_the_list() -> None:
    [told] = parsed(of_payment("charged_back", resource_metadata={}))
    assert told.kind is EventKind.IGNORED


@pytest.mark.parametrize("action", ["cancelled", "failed", "expired", "blocked", "consumed"])
def test_a_mandate_that_is_gone_is_a_method_that_was_revoked(action: str) -> None:
    [told] = parsed(event("mandates", action, {"mandate": "MD1"}))
    assert (told.kind, told.token) == (EventKind.METHOD_REVOKED, "MD1")


def test_refunds_of_ours_are_told_and_those_of_others_are_listed() -> None:
    ours = {"reference": "tw-r1", "amount": "900 EUR", "payment": "PM1"}
    links = {"refund": "RF1"}
    paid, returned, by_hand = parsed(
        event("refunds", "paid", links, resource_metadata=ours),
        event("refunds", "funds_returned", links, resource_metadata=ours),
        event("refunds", "paid", links, resource_metadata={}),
    )
    assert paid.kind is EventKind.REFUND_SUCCEEDED
    assert paid.outcome == Approved("RF1", Money(900, "EUR"))
    assert (paid.refund_id, paid.reference) == ("RF1", "tw-r1")
    assert paid.processor_payment_id == "PM1"
    assert returned.kind is EventKind.REFUND_FAILED
    assert isinstance(returned.outcome, Declined)
    assert by_hand.kind is EventKind.IGNORED


@pytest.mark.parametrize(
    ("resource", "action"),
    [
        ("payments", "created"),
        ("payments", "submitted"),
        ("payments", "resubmission_requested"),
        ("payments", "surcharge_fee_debited"),
        ("mandates", "active"),
        ("mandates", "transferred"),
        ("mandates", "replaced"),
        ("refunds", "created"),
        ("refunds", "refund_settled"),
        ("payouts", "paid"),
        ("billing_requests", "fulfilled"),
        ("of the future", "x"),
    ],
)
def test_what_means_nothing_to_us_is_ignored(resource: str, action: str) -> None:
    links = {"payment": "PM1", "mandate": "MD1", "refund": "RF1"}
    [told] = parsed(event(resource, action, links, resource_metadata=OURS))
    assert (told.kind, told.raw_type) == (EventKind.IGNORED, f"{resource}.{action}")


@pytest.mark.parametrize(
    "poison",
    [
        7,
        {},
        {**of_payment("confirmed"), "id": None},
        {**of_payment("confirmed"), "id": "\x00"},
        {**of_payment("confirmed"), "created_at": "yesterday"},
        {**of_payment("confirmed"), "links": {}},
        {**of_payment("confirmed"), "links": None},
        {**of_payment("confirmed"), "action": ["confirmed"]},
    ],
)
def test_a_poisonous_event_does_not_take_its_batch_with_it(poison: Any) -> None:
    batch = parsed(of_payment("confirmed"), poison, of_payment("paid_out"))
    kinds = [told.kind for told in batch]
    assert kinds == [EventKind.CHARGE_APPROVED, EventKind.UNREADABLE, EventKind.CHARGE_FINAL]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"events": 7}', b"\xff", b"not json"])
def test_what_is_no_batch_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableEvent):
        webhooks.parse(body)


def signed(body: bytes, secret: str) -> WebhookRequest:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return WebhookRequest({"webhook-signature": signature}, body, NOW)


@pytest.mark.parametrize("secret", SECRETS)
def test_each_of_our_secrets_may_have_signed(secret: str) -> None:
    webhooks.verify(signed(b'{"events":[]}', secret), SECRETS)


def test_the_documented_example_of_a_signature() -> None:
    """HMAC-SHA256 in hexadecimal, of the bytes as they came."""
    body, secret = b'{"events":[]}', "ED7D658C-D8EB-4941-948B-3973214F2D49"
    assert len(signed(body, secret).headers["webhook-signature"]) == 64
    webhooks.verify(signed(body, secret), (secret,))


@pytest.mark.parametrize(
    "request_",
    [
        WebhookRequest({}, b"{}", NOW),
        WebhookRequest({"webhook-signature": ""}, b"{}", NOW),
        WebhookRequest({"webhook-signature": "é"}, b"{}", NOW),
        signed(b"{}", "of somebody else"),
        WebhookRequest(signed(b"{}", SECRETS[0]).headers, b'{"events":[]}', NOW),
    ],
)
def test_what_is_not_signed_by_them_is_refused(request_: WebhookRequest) -> None:
    with pytest.raises(SignatureRefused):
        webhooks.verify(request_, SECRETS)
