"""PayPal's webhooks: who signed them, and what they tell.

Sources: the Webhooks v1 reference and its guide "Verify the webhook's signature": RSA-SHA256 over
`transmission id|transmission time|webhook id|CRC32 of the raw body`; "Webhook event names". One
request carries one event.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import Accepted, ChargeOutcome, Declined, DeclineKind
from twintill.errors import SignatureRefused, UnreadableEvent
from twintill.processors import EventKind, ProcessorEvent, WebhookRequest
from twintill.processors.fields import (
    Json,
    Unreadable,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    time_of,
    words_of,
)
from twintill.processors.paypal import answers, disputes
from twintill.processors.paypal.certificates import Certificates

ALGORITHM = "SHA256withRSA"
# PayPal sends an event again for three days; whether each time under a new transmission time, it
# does not say. So an old one is believed for longer than that: what comes twice is dropped by its
# event id anyway. A clock that is ahead needs no more than minutes.
PAST, FUTURE = timedelta(days=4), timedelta(minutes=5)
_TRANSMISSION = re.compile(r"[A-Za-z0-9_-]{1,50}\Z")
_MAX_SIGNATURE = 1024
_WRONG = (
    "The webhook's signature is wrong: is the id of this webhook in TWINTILL_PAYPAL_WEBHOOK_IDS?"
)

_KINDS = {
    "PAYMENT.CAPTURE.COMPLETED": EventKind.CHARGE_APPROVED,
    "PAYMENT.CAPTURE.DECLINED": EventKind.CHARGE_DECLINED,
    "PAYMENT.CAPTURE.DENIED": EventKind.CHARGE_DECLINED,
    "PAYMENT.CAPTURE.REVERSED": EventKind.CHARGE_FAILED_LATE,
    "PAYMENT.CAPTURE.REFUNDED": EventKind.REFUND_SUCCEEDED,
    "PAYMENT.REFUND.FAILED": EventKind.REFUND_FAILED,
    "VAULT.PAYMENT-TOKEN.DELETED": EventKind.METHOD_REVOKED,
    "CUSTOMER.DISPUTE.CREATED": EventKind.DISPUTE_OPENED,
    "CUSTOMER.DISPUTE.UPDATED": EventKind.DISPUTE_UNDER_REVIEW,
    "CUSTOMER.DISPUTE.RESOLVED": EventKind.DISPUTE_LOST,
}
_STAGES = {
    DisputeStage.OPENED: EventKind.DISPUTE_OPENED,
    DisputeStage.UNDER_REVIEW: EventKind.DISPUTE_UNDER_REVIEW,
    DisputeStage.WON: EventKind.DISPUTE_WON,
    DisputeStage.LOST: EventKind.DISPUTE_LOST,
    DisputeStage.ACCEPTED: EventKind.DISPUTE_ACCEPTED,
}
_OF_A_REFUND = frozenset((EventKind.REFUND_SUCCEEDED, EventKind.REFUND_FAILED))


def verify(request: WebhookRequest, webhook_ids: Sequence[str], certificates: Certificates) -> None:
    """Raises SignatureRefused unless PayPal signed these bytes for one of our webhooks.

    Raises SignatureUnchecked while the certificate is on its way.
    """
    headers = request.headers
    if headers.get("paypal-auth-algo") != ALGORITHM:
        raise SignatureRefused(f"The webhook is not signed with {ALGORITHM}.")
    transmission_id = headers.get("paypal-transmission-id", "")
    sent_at = headers.get("paypal-transmission-time", "")
    if not _TRANSMISSION.match(transmission_id):
        raise SignatureRefused("The webhook's transmission id is missing or cannot be read.")
    _require_recent(sent_at, request.received_at)
    signature = _signature(headers.get("paypal-transmission-sig", ""))
    key = certificates.key(headers.get("paypal-cert-url", ""), request.received_at)
    checksum = zlib.crc32(request.body)
    for webhook_id in webhook_ids:
        signed = f"{transmission_id}|{sent_at}|{webhook_id}|{checksum}".encode()
        try:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            continue
        return
    raise SignatureRefused(_WRONG)


def parse(body: bytes) -> list[ProcessorEvent]:
    """The event, unreadable or not; raises UnreadableEvent for what is no event at all."""
    try:
        event = read_json(body)
        event_id, raw_type = text_of(event, "id"), text_of(event, "event_type")
    except Unreadable as error:
        raise UnreadableEvent(f"PayPal's webhook cannot be read: {error}") from None
    try:
        return [_read(event, event_id, raw_type)]
    except Unreadable as error:
        return [ProcessorEvent(EventKind.UNREADABLE, event_id, raw_type, note=str(error))]


def _require_recent(sent_at: str, received_at: datetime) -> None:
    try:
        moment = datetime.fromisoformat(sent_at)
        if not sent_at.isascii() or moment.tzinfo is None:
            raise ValueError(sent_at)
        age = received_at - moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SignatureRefused("The webhook's transmission has no readable time.") from None
    if not -FUTURE <= age <= PAST:
        raise SignatureRefused("The webhook's signature is too old, or from the future.")


def _signature(text: str) -> bytes:
    if not 0 < len(text) <= _MAX_SIGNATURE:
        raise SignatureRefused("The webhook carries no signature.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureRefused("The webhook's signature cannot be read.") from None


def _read(event: Json, event_id: str, raw_type: str) -> ProcessorEvent:
    kind = _KINDS.get(raw_type, EventKind.IGNORED)
    told: dict[str, Any] = {}
    if kind is not EventKind.IGNORED:
        resource = object_of(event, "resource")
        if raw_type.startswith("CUSTOMER.DISPUTE."):
            kind, told = _of_a_dispute(resource)
        elif kind is EventKind.METHOD_REVOKED:
            told = {"token": text_of(resource, "id")}
        elif kind in _OF_A_REFUND:
            told = _of_a_refund(kind, resource)
        elif kind is EventKind.CHARGE_FAILED_LATE:
            told = _of_a_reversal(resource)
        else:
            kind, told = _of_a_capture(kind, resource)
    return ProcessorEvent(kind, event_id, raw_type, time_of(event, "create_time"), **told)


def _of_a_capture(kind: EventKind, capture: Json) -> tuple[EventKind, dict[str, Any]]:
    """What the event calls it, the capture itself has to be."""
    outcome = answers.read_capture(capture)
    if isinstance(outcome, Accepted) or isinstance(outcome, Declined) != (
        kind is EventKind.CHARGE_DECLINED
    ):
        raise Unreadable("a capture that contradicts its event")
    return kind, {
        "processor_payment_id": text_of(capture, "id"),
        "reference": optional_text_of(capture, "custom_id"),
        "outcome": outcome,
    }


def _of_a_reversal(resource: Json) -> dict[str, Any]:
    """PayPal took a completed capture back; told in the shape of a refund, or of the capture."""
    try:
        capture_id = answers.capture_of(resource)
    except Unreadable:
        capture_id = text_of(resource, "id")
    why = answers.why_of(resource)
    text = "PayPal reversed the capture." + (f" Reason: {why}." if why else "")
    outcome: ChargeOutcome = Declined(DeclineKind.SOFT, "CAPTURE_REVERSED", text, None, capture_id)
    return {
        "processor_payment_id": capture_id,
        "reference": words_of(resource, "custom_id") or None,
        "outcome": outcome,
        # A claim may be settled with a part: then it is not the capture that failed.
        "amount": answers.money_of(resource, "amount"),
    }


def _of_a_refund(kind: EventKind, refund: Json) -> dict[str, Any]:
    seen = answers.read_refund(refund)
    if isinstance(seen.outcome, Declined) != (kind is EventKind.REFUND_FAILED):
        raise Unreadable("a refund that contradicts its event")
    return {
        "processor_payment_id": answers.capture_of(refund),
        "reference": seen.reference,
        "outcome": seen.outcome,
        "refund_id": seen.processor_refund_id,
    }


def _of_a_dispute(dispute: Json) -> tuple[EventKind, dict[str, Any]]:
    seen = disputes.read_dispute(dispute)
    kind = _STAGES[seen.stage]
    if seen.withheld and kind in (EventKind.DISPUTE_OPENED, EventKind.DISPUTE_UNDER_REVIEW):
        kind = kind if kind is EventKind.DISPUTE_OPENED else EventKind.DISPUTE_WITHHELD
    return kind, {
        "processor_payment_id": seen.processor_payment_id,
        "reference": disputes.reference_of(dispute),
        "dispute": seen,
    }
