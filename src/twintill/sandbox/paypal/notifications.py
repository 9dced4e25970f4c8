"""Webhook events: what each says, how it is signed, and the list of those that were sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from twintill.sandbox.paypal import captures, disputes, vault
from twintill.sandbox.paypal.certificates import ALGORITHM, Signer, signed_text
from twintill.sandbox.paypal.refusal import missing, not_found
from twintill.sandbox.paypal.words import at, read_time
from twintill.sandbox.processor.deliveries import Letter
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Event, Json
from twintill.sandbox.processor.world import World

_LISTED = timedelta(days=30)  # further back, nothing is kept
_RESOURCES = {
    "PAYMENT.CAPTURE.REFUNDED": "refund",
    "PAYMENT.CAPTURE.REVERSED": "refund",
    "PAYMENT.CAPTURE": "capture",
    "PAYMENT.REFUND": "refund",
    "CUSTOMER.DISPUTE": "dispute",
    "VAULT.PAYMENT-TOKEN": "payment_token",
}
_CHARGES = {
    "charge.pending": "PAYMENT.CAPTURE.PENDING",
    "charge.succeeded": "PAYMENT.CAPTURE.COMPLETED",
    "charge.declined": "PAYMENT.CAPTURE.DECLINED",
}
_REFUNDS = {
    "refund.pending": "PAYMENT.REFUND.PENDING",
    "refund.succeeded": "PAYMENT.CAPTURE.REFUNDED",
    "refund.failed": "PAYMENT.REFUND.FAILED",
}
_DISPUTES = {
    "dispute.opened": "CUSTOMER.DISPUTE.CREATED",
    "dispute.under_review": "CUSTOMER.DISPUTE.UPDATED",
    "dispute.withheld": "CUSTOMER.DISPUTE.UPDATED",
    "dispute.won": "CUSTOMER.DISPUTE.RESOLVED",
    "dispute.lost": "CUSTOMER.DISPUTE.RESOLVED",
    "dispute.accepted": "CUSTOMER.DISPUTE.RESOLVED",
}


def tell(
    world: World, event_type: str, its_object: Json, base_url: str, now: datetime
) -> Sequence[tuple[str, Json]]:
    """What PayPal makes of what happened in the engine; of much of it, nothing."""
    if event_type in _CHARGES or event_type == "charge.failed_late":
        return _of_charge(world, event_type, its_object["id"], base_url, now)
    if event_type in _REFUNDS:
        refund = world.refund(its_object["id"])
        refund.details["updated"] = now
        return [(_REFUNDS[event_type], captures.refund_json(world, refund, base_url))]
    if event_type in _DISPUTES:
        dispute = world.dispute(its_object["id"])
        return [(_DISPUTES[event_type], disputes.dispute_json(world, dispute, base_url))]
    if event_type == "method.revoked":
        token = vault.token_json(world.methods[its_object["token"]], base_url)
        by_merchant = its_object["revoked_by"] == "merchant"
        begun = [("VAULT.PAYMENT-TOKEN.DELETION-INITIATED", token)] if by_merchant else []
        return [*begun, ("VAULT.PAYMENT-TOKEN.DELETED", token)]
    if event_type == "token.created":  # the face's own: a setup token was exchanged
        return [("VAULT.PAYMENT-TOKEN.CREATED", its_object)]
    return []


def event_json(event: Event, base_url: str) -> Json:
    here = f"{base_url}/v1/notifications/webhooks-events/{event.id}"
    return {
        "id": event.id,
        "event_version": "1.0",
        "create_time": event.created.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "resource_type": _resource_type(event.type),
        "resource_version": "2.0",
        "event_type": event.type,
        "summary": _summary(event),
        "resource": event.object,
        "links": [
            {"href": here, "rel": "self", "method": "GET"},
            {"href": f"{here}/resend", "rel": "resend", "method": "POST"},
        ],
    }


def write(
    signer: Signer,
    event: Event,
    transmission_id: str,
    webhook_id: str,
    base_url: str,
    now: datetime,
) -> Letter:
    body = json.dumps(event_json(event, base_url), separators=(",", ":"), ensure_ascii=False)
    raw, time = body.encode(), at(now)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "PayPal/AUHD-214.0-sandbox",
        "PAYPAL-TRANSMISSION-ID": transmission_id,
        "PAYPAL-TRANSMISSION-TIME": time,
        "PAYPAL-TRANSMISSION-SIG": signer.sign(transmission_id, time, webhook_id, raw),
        "PAYPAL-CERT-URL": f"{base_url}/v1/notifications/certs/{signer.certificate_id}",
        "PAYPAL-AUTH-ALGO": ALGORITHM,
        "PAYPAL-AUTH-VERSION": "v2",
    }
    return Letter(raw, headers)


def list_events(world: World, call: Call, now: datetime) -> Json:
    """The latest first; the link `next` leads on."""
    params = call.params()
    size = min(int(params.get("page_size") or 10), world.settings.most_per_page)
    start, end = _time(params, "start_time", now - _LISTED), _time(params, "end_time", now)
    wanted, about = params.get("event_type"), params.get("transaction_id")
    rows = [
        event
        for event in reversed(world.events)
        if max(start, now - _LISTED) <= event.created <= end
        and wanted in (None, event.type)
        and about in (None, event.object.get("id"))
    ]
    first = int(params.get("index_id") or 0)
    page = rows[first : first + size]
    here = (
        f"{call.base_url}/v1/notifications/webhooks-events/"  # PayPal's links end so
        f"?start_time={at(start)}&end_time={at(end)}&page_size={size}"
        + (f"&event_type={wanted}" if wanted else "")
    )
    links: list[Json] = [{"href": here, "rel": "self", "method": "GET"}]
    if first + size < len(rows):
        behind = f"move_to=next&index_time={at(page[-1].created)}&index_id={first + size}"
        href = f"{here}&{behind}"
        links.append({"href": href, "rel": "next", "method": "GET"})
    events = [event_json(event, call.base_url) for event in page]
    return {"events": events, "count": len(page), "links": links}


def find_event(world: World, event_id: str) -> Event:
    for event in world.events:
        if event.id == event_id:
            return event
    raise not_found("event_id")


def verify(signer: Signer, call: Call) -> Json:
    """POST /v1/notifications/verify-webhook-signature, over the event's bytes as they came."""
    order: Json = json.loads(call.body)
    for name in ("transmission_id", "transmission_time", "webhook_id", "transmission_sig"):
        if not order.get(name):
            raise missing(f"/{name}")
    raw = _raw_value(call.body, b'"webhook_event"')
    signed = signed_text(
        order["transmission_id"], order["transmission_time"], order["webhook_id"], raw
    )
    try:
        signature = base64.b64decode(order["transmission_sig"], validate=True)
        signer.key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return {"verification_status": "FAILURE"}
    return {"verification_status": "SUCCESS"}


def _of_charge(
    world: World, event_type: str, charge_id: str, base_url: str, now: datetime
) -> Sequence[tuple[str, Json]]:
    charge = world.charge(charge_id)
    charge.details["updated"] = now
    if event_type == "charge.failed_late":
        charge.details["reversal_id"] = world.new_id("rvs")
        return [("PAYMENT.CAPTURE.REVERSED", captures.reversal_json(charge, base_url, now))]
    if not captures.is_capture(charge):
        return []
    if charge.status == "succeeded":
        charge.details["completed"] = now
        charge.details["fee"] = captures.fee_in_the_book(world, charge)
    return [(_CHARGES[event_type], captures.capture_json(charge, base_url))]


def _resource_type(event_type: str) -> str:
    return _RESOURCES.get(event_type) or _RESOURCES[event_type.rpartition(".")[0]]


def _summary(event: Event) -> str:
    subject, _, verb = event.type.rpartition(".")
    money = event.object.get("amount") or event.object.get("dispute_amount") or {}
    amount = f" for {money['value']} {money['currency_code']}" if money else ""
    return f"{subject.rpartition('.')[2].replace('-', ' ').capitalize()} {verb.lower()}{amount}"


def _time(params: dict[str, str], name: str, default: datetime) -> datetime:
    text = params.get(name)
    return read_time(text, name) if text else default


def _raw_value(body: bytes, name: bytes) -> bytes:
    """The bytes of one member's value."""
    text = body.decode()
    start = text.find(name.decode())
    if start < 0:
        raise missing("/webhook_event")
    start = text.index(":", start) + 1
    while text[start].isspace():
        start += 1
    decoder: Any = json.JSONDecoder()
    _, end = decoder.raw_decode(text, start)
    return text[start:end].encode()
