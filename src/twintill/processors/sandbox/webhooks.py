"""The sandbox processor's webhooks: who signed them, and what they tell. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.processors import EventKind, ProcessorEvent, WebhookRequest
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    time_of,
)
from twintill.processors.sandbox.answers import read_charge, read_dispute, read_refund

SIGNATURE_HEADER = "sandbox-signature"
TOLERANCE_S = 300

_KINDS = {
    "charge.succeeded": EventKind.CHARGE_APPROVED,
    "charge.final": EventKind.CHARGE_FINAL,
    "charge.declined": EventKind.CHARGE_DECLINED,
    "charge.canceled": EventKind.CHARGE_DECLINED,
    "charge.failed_late": EventKind.CHARGE_FAILED_LATE,
    "method.revoked": EventKind.METHOD_REVOKED,
    "method.expired": EventKind.METHOD_REVOKED,
    "method.blocked": EventKind.METHOD_REVOKED,
    "refund.succeeded": EventKind.REFUND_SUCCEEDED,
    "refund.failed": EventKind.REFUND_FAILED,
    "dispute.opened": EventKind.DISPUTE_OPENED,
    "dispute.under_review": EventKind.DISPUTE_UNDER_REVIEW,
    "dispute.withheld": EventKind.DISPUTE_WITHHELD,
    "dispute.accepted": EventKind.DISPUTE_ACCEPTED,
    "dispute.won": EventKind.DISPUTE_WON,
    "dispute.lost": EventKind.DISPUTE_LOST,
}


def verify(request: WebhookRequest, secrets: Sequence[str]) -> None:
    """Raises SignatureRefused unless one of the secrets signed these bytes within five minutes."""
    timestamp, signatures = _read_header(request.headers.get(SIGNATURE_HEADER))
    if abs(request.received_at.timestamp() - int(timestamp)) > TOLERANCE_S:
        raise SignatureRefused("The webhook's signature is too old, or from the future.")
    signed = timestamp.encode() + b"." + request.body
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        if any(hmac.compare_digest(expected, signature) for signature in signatures):
            return
    raise SignatureRefused("The webhook's signature is wrong.")


def parse(body: bytes) -> list[ProcessorEvent]:
    """Every event of the batch, unreadable ones too; raises UnreadableEvent for no batch at all."""
    try:
        events = list_of(read_json(body), "events")
    except Unreadable as error:
        raise UnreadableEvent(f"The sandbox processor's webhook cannot be read: {error}") from None
    return [_read(event) for event in events]


def _read_header(header: str | None) -> tuple[str, list[bytes]]:
    if not header:
        raise SignatureRefused("The webhook carries no signature.")
    fields = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in fields if name == "t"]
    signatures = [value.encode() for name, _, value in fields if name == "v1"]
    if len(times) != 1 or not signatures:
        raise SignatureRefused("The webhook's signature header cannot be read.")
    timestamp = times[0]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureRefused("The webhook's signature has no readable time.")
    return timestamp, signatures


def _read(event: Any) -> ProcessorEvent:
    """A poisonous event must not take its batch with it."""
    try:
        return _read_event(event)
    except Unreadable as error:
        return ProcessorEvent(EventKind.UNREADABLE, None, "unreadable", note=str(error))


def _read_event(event: Any) -> ProcessorEvent:
    if not isinstance(event, dict):
        raise Unreadable("an event is not an object")
    event_id, raw_type = text_of(event, "id"), text_of(event, "type")
    kind = _KINDS.get(raw_type, EventKind.IGNORED)
    told: dict[str, Any] = {}
    if kind is not EventKind.IGNORED:
        told = _read_object(raw_type, object_of(object_of(event, "data"), "object"))
    return ProcessorEvent(kind, event_id, raw_type, time_of(event, "created"), **told)


def _read_object(raw_type: str, its_object: Json) -> dict[str, Any]:
    subject = raw_type.partition(".")[0]
    if subject == "charge":
        return {
            "processor_payment_id": text_of(its_object, "id"),
            "reference": text_of(its_object, "reference"),
            "token": optional_text_of(its_object, "token"),
            "outcome": read_charge(its_object),
        }
    if subject == "method":
        return {"token": text_of(its_object, "token")}
    charge_id = text_of(its_object, "charge")
    told: dict[str, Any] = {
        "processor_payment_id": charge_id,
        "reference": optional_text_of(its_object, "reference"),
    }
    if subject == "refund":
        refund = read_refund(its_object, charge_id)
        told |= {"outcome": refund.outcome, "refund_id": refund.processor_refund_id}
    if subject == "dispute":
        told["dispute"] = read_dispute(its_object)
    return told
