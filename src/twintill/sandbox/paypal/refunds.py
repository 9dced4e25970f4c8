"""POST /v2/payments/captures/{id}/refund."""

from __future__ import annotations

from datetime import datetime, timedelta

from twintill.sandbox.paypal.captures import is_capture
from twintill.sandbox.paypal.refusal import PayPalRefusal, invalid, not_found, unprocessable
from twintill.sandbox.paypal.words import read_money
from twintill.sandbox.processor import giving_back
from twintill.sandbox.processor.objects import Charge, Json, Refund
from twintill.sandbox.processor.world import World

_LENGTHS = {"custom_id": 127, "invoice_id": 127, "note_to_payer": 255}


def find_capture(world: World, capture_id: str) -> Charge:
    charge = world.charges.get(capture_id)
    if charge is None or not is_capture(charge):
        raise not_found("capture_id")
    return charge


def find_refund(world: World, refund_id: str) -> Refund:
    if refund_id not in world.refunds:
        raise not_found("refund_id")
    return world.refunds[refund_id]


def refund_capture(
    world: World, capture_id: str, body: Json, limit_days: int, now: datetime
) -> Refund:
    charge = find_capture(world, capture_id)
    amount = None
    if body.get("amount") is not None:
        amount, currency = read_money(body["amount"], "/amount")
        if currency != charge.currency:
            text = "Refund must be in the same currency as the capture."
            raise unprocessable("REFUND_CAPTURE_CURRENCY_MISMATCH", text, "/amount/currency_code")
    for name, longest in _LENGTHS.items():
        value = body.get(name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= longest):
            text = "The value of a field is either too short or too long."
            raise invalid("INVALID_STRING_LENGTH", f"/{name}", text, value)
    refusal = _why_not(world, charge, amount, limit_days, now)
    if refusal is not None:
        raise refusal
    details = {name: body[name] for name in _LENGTHS if body.get(name)}
    if charge.details.get("invoice_id"):
        details.setdefault("invoice_id", charge.details["invoice_id"])
    reference = body.get("custom_id") or body.get("invoice_id")
    return giving_back.refund_charge(world, capture_id, amount, reference, now, details)


def _why_not(
    world: World, charge: Charge, amount: int | None, limit_days: int, now: datetime
) -> PayPalRefusal | None:
    left = charge.taken - charge.refunded
    if charge.status == "pending":
        return unprocessable(
            "PENDING_CAPTURE",
            "Cannot initiate a refund as the capture is pending. Capture is typically pending "
            "when the payer has funded the transaction by using an e-check or bank account.",
        )
    if charge.status != "succeeded":
        text = "Refund of this capture is not allowed: it was declined or reversed."
        return unprocessable("REFUND_NOT_ALLOWED", text)
    if charge.disputed:
        return _disputed(world, charge)
    if now - charge.created > timedelta(days=limit_days):
        text = "You are over the time limit to perform a refund on this capture."
        return unprocessable("REFUND_TIME_LIMIT_EXCEEDED", text)
    if left <= 0:
        text = "The capture has already been fully refunded."
        return unprocessable("CAPTURE_FULLY_REFUNDED", text)
    if amount is not None and amount > left:
        text = (
            "The refund amount must be less than or equal to the capture amount "
            "that has not yet been refunded."
        )
        return unprocessable("REFUND_AMOUNT_EXCEEDED", text, "/amount/value")
    return None


def _disputed(world: World, charge: Charge) -> PayPalRefusal:
    disputes = [one for one in world.disputes.values() if one.charge == charge.id]
    if all(one.status in ("lost", "accepted") for one in disputes):
        text = "Refunds not allowed on this transaction because it has been charged back."
        return unprocessable("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK", text)
    text = (
        "Partial refunds cannot be offered at this time because there is an open case on this "
        "transaction. Visit the Resolution Center to review this case."
    )
    return unprocessable("TRANSACTION_DISPUTED", text)
