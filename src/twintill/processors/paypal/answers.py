"""Reads PayPal's orders, captures and refunds: an outcome, or unreadable. Pure.

Sources: the Orders v2 and Payments v2 references, `order`, `capture` and `refund`.
"""

from __future__ import annotations

import re
from typing import Any

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    NotFound,
)
from twintill.money import Money
from twintill.processors import SeenRefund
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    optional_text_of,
    read_json,
    text_of,
    words_of,
)
from twintill.processors.paypal import declines
from twintill.processors.paypal.currencies import from_value

_MONEY_HERE = frozenset(("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"))
_CAPTURE_LINK = re.compile(r"/v2/payments/captures/([A-Z0-9]{1,40})\Z")


def read_order_of(body: bytes, sent: bytes) -> ChargeOutcome:
    """The answer to an order; it must speak of what was asked for. Raises Unreadable."""
    order = read_json(body)
    unit = _only(list_of(order, "purchase_units"), "purchase unit")
    captures = _captures(unit)
    if not captures:
        return _without_capture(order)
    capture = _only(captures, "capture")
    asked: Json = read_json(sent)["purchase_units"][0]
    for name in ("custom_id", "invoice_id"):
        if capture.get(name, unit.get(name)) != asked[name]:
            raise Unreadable(f"{name} is not what was sent")
    return read_capture(capture, most=money_of(asked, "amount"))


def read_capture(capture: Json, most: Money | None = None) -> ChargeOutcome:
    """What became of a capture; `most`: what was asked for. Raises Unreadable."""
    capture_id, status = text_of(capture, "id"), text_of(capture, "status")
    amount = money_of(capture, "amount")
    if amount.minor <= 0:
        raise Unreadable("a capture of nothing")
    if most is not None and (amount.currency != most.currency or amount.minor > most.minor):
        raise Unreadable("amount is not what was sent")
    if status in _MONEY_HERE:
        partial = most is not None and amount.minor < most.minor
        return Approved(capture_id, amount, Finality.FINAL, partial)
    if most is not None and amount != most:
        raise Unreadable("amount is not what was sent")
    if status == "PENDING":
        return Accepted(capture_id)
    if status in ("DECLINED", "FAILED"):
        return read_declined(capture)
    raise Unreadable(f"unknown status {status[:40]!r}")


def read_declined(capture: Json) -> Declined:
    """A capture that moved nothing; why, as far as it says."""
    answer = _object(capture, "processor_response")
    response = _code(answer, "response_code")
    reason = why_of(capture)
    advice = _code(answer, "payment_advice_code")
    network = _code(_object(capture, "network_transaction_reference"), "network")
    kind, wait_s = declines.kind_of(response, advice, network, reason)
    status = text_of(capture, "status")
    codes = [one for one in (response, advice and f"advice {advice}", reason) if one]
    text = f"capture {status.lower()}" + (f": {', '.join(codes)}" if codes else "")
    return Declined(kind, response or reason or status, text, wait_s, text_of(capture, "id"))


def why_of(its_object: Json) -> str | None:
    """`status_details.reason`, for people and for the fraud filters."""
    return _code(_object(its_object, "status_details"), "reason")


def read_capture_with(body: bytes, capture_id: str, reference: str | None = None) -> ChargeOutcome:
    """That capture and no other, under our reference where one is given. Raises Unreadable."""
    capture = read_json(body)
    if capture.get("id") != capture_id:
        raise Unreadable("another capture than was asked for")
    if reference is not None and capture.get("custom_id") != reference:
        raise Unreadable("a capture under another reference")
    return read_capture(capture)


def choose(outcomes: list[ChargeOutcome]) -> ChargeOutcome | NotFound:
    """Of all captures under a reference, the one that may have moved money; else the last one."""
    if not outcomes:
        return NotFound()
    alive = [outcome for outcome in outcomes if not isinstance(outcome, Declined)]
    if len(alive) > 1:
        raise Unreadable("two captures under one reference")
    return alive[0] if alive else outcomes[-1]


def order_of(body: bytes, capture_id: str) -> str:
    """The order that a capture belongs to. Raises Unreadable."""
    capture = read_json(body)
    if capture.get("id") != capture_id:
        raise Unreadable("another capture than was asked for")
    related = object_of(object_of(capture, "supplementary_data"), "related_ids")
    return text_of(related, "order_id")


def read_refunds(body: bytes, order_id: str, capture_id: str) -> tuple[SeenRefund, ...]:
    """All refunds of a capture, as its order lists them. Raises Unreadable."""
    order = read_json(body)
    if order.get("id") != order_id:
        raise Unreadable("another order than was asked for")
    unit = _only(list_of(order, "purchase_units"), "purchase unit")
    if not any(one.get("id") == capture_id for one in _captures(unit)):
        raise Unreadable("an order without the capture")
    refunds = _object(unit, "payments").get("refunds") or []
    if not isinstance(refunds, list) or not all(isinstance(one, dict) for one in refunds):
        raise Unreadable("refunds are not a list of objects")
    return tuple(read_refund(one) for one in refunds if capture_of(one) == capture_id)


def read_refund(refund: Json) -> SeenRefund:
    """One refund, and what became of it. Raises Unreadable."""
    refund_id, amount = text_of(refund, "id"), money_of(refund, "amount")
    if amount.minor <= 0:
        raise Unreadable("a refund of nothing")
    outcome = _refund_outcome(refund_id, text_of(refund, "status"), amount)
    return SeenRefund(refund_id, optional_text_of(refund, "custom_id"), amount, outcome)


def read_refund_of(body: bytes, capture_id: str, sent: bytes) -> ChargeOutcome:
    """The answer to a refund request; it must speak of what was asked for. Raises Unreadable."""
    refund, order = read_json(body), read_json(sent)
    seen = read_refund(refund)
    if refund.get("custom_id") != order["custom_id"]:
        raise Unreadable("custom_id is not what was sent")
    if seen.amount != money_of(order, "amount"):
        raise Unreadable("amount is not what was sent")
    if capture_of(refund) != capture_id:
        raise Unreadable("a refund of another capture")
    return seen.outcome


def capture_of(refund: Json) -> str:
    """A refund names its capture by the link `up` alone. Raises Unreadable."""
    for link in list_of(refund, "links"):
        if isinstance(link, dict) and link.get("rel") == "up":
            named = _CAPTURE_LINK.search(text_of(link, "href"))
            if named is not None:
                return named.group(1)
    raise Unreadable("a refund that does not say of which capture")


def money_of(fields: Json, name: str) -> Money:
    """Raises Unreadable for what is no exact amount of money."""
    amount = object_of(fields, name)
    try:
        return from_value(text_of(amount, "value"), text_of(amount, "currency_code"))
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from None


def _refund_outcome(refund_id: str, status: str, amount: Money) -> ChargeOutcome:
    if status == "COMPLETED":
        return Approved(refund_id, amount)
    if status == "PENDING":
        return Accepted(refund_id)
    if status in ("FAILED", "CANCELLED"):
        text = "The refund came back."
        return Declined(DeclineKind.HARD, f"refund_{status.lower()}", text, None, refund_id)
    raise Unreadable(f"unknown status {status[:40]!r}")


def _without_capture(order: Json) -> Declined:
    """Nothing moves without a capture, and only we could ask for one: a customer's approval of
    such an order takes no money."""
    if text_of(order, "status") != "PAYER_ACTION_REQUIRED":
        raise Unreadable("an order without a capture")
    code = "PAYER_ACTION_REQUIRED"
    return Declined(declines.DECLINES[code], code, "PayPal wants to ask the customer.")


def _captures(unit: Json) -> list[Json]:
    captures = _object(unit, "payments").get("captures") or []
    if not isinstance(captures, list) or not all(isinstance(one, dict) for one in captures):
        raise Unreadable("captures are not a list of objects")
    return captures


def _only(rows: list[Any], what: str) -> Json:
    if len(rows) != 1 or not isinstance(rows[0], dict):
        raise Unreadable(f"not one {what}, but {len(rows)}")
    its_object: Json = rows[0]
    return its_object


def _object(fields: Json, name: str) -> Json:
    """What may be missing; anything but an object counts as that."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _code(fields: Json, name: str) -> str | None:
    return words_of(fields, name)[:64] or None
