"""GoCardless's webhooks: who signed them, and what each of up to 250 events tells. Pure.

Source: its API reference, "Webhooks" and "Event types". The signature has no time in it: what is
sent again is dropped by the event's id. An event names no amount; what we wrote into the metadata
of the payment does, and a payment is collected whole or not at all. Where an endpoint sends no
metadata, a collected payment is told by `finality` alone, and a dispute is found by its list.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import Approved, Finality
from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.processors import EventKind, ProcessorEvent, SeenDispute, WebhookRequest
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    time_of,
    words_of,
)
from twintill.processors.gocardless.answers import refund_failed
from twintill.processors.gocardless.currencies import read_written
from twintill.processors.gocardless.declines import read_details

SIGNATURE_HEADER = "webhook-signature"
_WRONG = (
    "The webhook's signature is wrong: is this endpoint's secret in "
    "TWINTILL_GOCARDLESS_WEBHOOK_SECRETS?"
)


def verify(request: WebhookRequest, secrets: Sequence[str]) -> None:
    """Raises SignatureRefused unless one of the secrets signed these bytes."""
    signature = request.headers.get(SIGNATURE_HEADER, "").strip().encode()
    if not signature:
        raise SignatureRefused("The webhook carries no signature.")
    for secret in secrets:
        expected = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest().encode()
        if hmac.compare_digest(expected, signature):
            return
    raise SignatureRefused(_WRONG)


def parse(body: bytes) -> list[ProcessorEvent]:
    """Every event of the batch, unreadable ones too; raises UnreadableEvent for no batch at all."""
    try:
        events = list_of(read_json(body), "events")
    except Unreadable as error:
        raise UnreadableEvent(f"GoCardless's webhook cannot be read: {error}") from None
    return [_read(event) for event in events]


def _read(event: Any) -> ProcessorEvent:
    """A poisonous event must not take its batch with it."""
    try:
        return _read_event(event)
    except Unreadable as error:
        return ProcessorEvent(EventKind.UNREADABLE, None, "unreadable", note=str(error))


def _read_event(event: Any) -> ProcessorEvent:
    if not isinstance(event, dict):
        raise Unreadable("an event is not an object")
    resource, action = text_of(event, "resource_type"), text_of(event, "action")
    plain = ProcessorEvent(
        EventKind.IGNORED,
        text_of(event, "id"),
        f"{resource}.{action}",
        time_of(event, "created_at"),
    )
    read = _RESOURCES.get(resource)
    return plain if read is None else read(plain, action, event)


def _of_payment(plain: ProcessorEvent, action: str, event: Json) -> ProcessorEvent:
    details, kind = _details(event), _PAYMENTS.get(action)
    if kind is None or details.get("will_attempt_retry") is True:
        return plain
    payment_id, metadata = text_of(object_of(event, "links"), "payment"), _metadata(event)
    told = replace(
        plain,
        kind=kind,
        processor_payment_id=payment_id,
        reference=optional_text_of(metadata, "reference"),
    )
    if action in _COLLECTED:
        return _collected(told, payment_id, _COLLECTED[action], metadata)
    if action in _DISPUTES:
        return _disputed(plain, told, payment_id, action, event)
    status = "failed" if action == "late_failure_settled" else action
    return replace(told, outcome=read_details(details, status, payment_id))


def _collected(
    told: ProcessorEvent, payment_id: str, finality: Finality, metadata: Json
) -> ProcessorEvent:
    amount = read_written(metadata.get("amount"))
    outcome = None if amount is None else Approved(payment_id, amount, finality)
    return replace(told, outcome=outcome, finality=finality)


def _disputed(
    plain: ProcessorEvent, told: ProcessorEvent, payment_id: str, action: str, event: Json
) -> ProcessorEvent:
    amount = read_written(_metadata(event).get("amount"))
    if amount is None:
        return plain
    stage, withheld = _DISPUTES[action]
    reason = words_of(_details(event), "cause") or None
    return replace(
        told, dispute=SeenDispute(payment_id, payment_id, amount, stage, withheld, reason=reason)
    )


def _of_mandate(plain: ProcessorEvent, action: str, event: Json) -> ProcessorEvent:
    if action not in _MANDATES_GONE:
        return plain
    token = text_of(object_of(event, "links"), "mandate")
    return replace(plain, kind=EventKind.METHOD_REVOKED, token=token)


def _of_refund(plain: ProcessorEvent, action: str, event: Json) -> ProcessorEvent:
    """One that somebody made by hand carries nothing of ours: it is found by its list."""
    kind, metadata = _REFUNDS.get(action), _metadata(event)
    links = object_of(event, "links")
    refund_id, amount = text_of(links, "refund"), read_written(metadata.get("amount"))
    if kind is None or amount is None:
        return plain
    succeeded = kind is EventKind.REFUND_SUCCEEDED
    return replace(
        plain,
        kind=kind,
        processor_payment_id=optional_text_of(metadata, "payment"),
        reference=optional_text_of(metadata, "reference"),
        refund_id=refund_id,
        outcome=Approved(refund_id, amount) if succeeded else refund_failed(refund_id),
    )


def _details(event: Json) -> Json:
    details = event.get("details")
    return details if isinstance(details, dict) else {}


def _metadata(event: Json) -> Json:
    """Of the payment or refund, not of the event."""
    metadata = event.get("resource_metadata")
    return metadata if isinstance(metadata, dict) else {}


_PAYMENTS = {
    "confirmed": EventKind.CHARGE_APPROVED,
    "paid_out": EventKind.CHARGE_FINAL,
    "failed": EventKind.CHARGE_DECLINED,
    "cancelled": EventKind.CHARGE_DECLINED,
    "customer_approval_denied": EventKind.CHARGE_DECLINED,
    # It had been paid out, and was taken out of a later payout.
    "late_failure_settled": EventKind.CHARGE_FAILED_LATE,
    "charged_back": EventKind.DISPUTE_OPENED,
    "chargeback_settled": EventKind.DISPUTE_LOST,
    "chargeback_cancelled": EventKind.DISPUTE_WON,
}
_COLLECTED = {"confirmed": Finality.PROVISIONAL, "paid_out": Finality.FINAL}
_DISPUTES = {
    "charged_back": (DisputeStage.OPENED, True),
    "chargeback_settled": (DisputeStage.LOST, True),
    "chargeback_cancelled": (DisputeStage.WON, False),
}
# Transferred is not among them: the mandate goes on with another account. Nor is replaced: when a
# creditor moves to another scheme identifier all its mandates are, and no customer has withdrawn
# anything; the next charge is told `mandate_replaced`, and asks this customer alone.
_MANDATES_GONE = frozenset(
    ("cancelled", "failed", "expired", "blocked", "consumed", "suspended_by_payer")
)
_REFUNDS = {
    "paid": EventKind.REFUND_SUCCEEDED,
    "failed": EventKind.REFUND_FAILED,
    "funds_returned": EventKind.REFUND_FAILED,
}
_RESOURCES: dict[str, Callable[[ProcessorEvent, str, Json], ProcessorEvent]] = {
    "payments": _of_payment,
    "mandates": _of_mandate,
    "refunds": _of_refund,
}
