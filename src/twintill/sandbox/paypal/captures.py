"""What the engine knows of a charge, as PayPal shows it: a capture, its refunds, its reversal."""

from __future__ import annotations

from datetime import datetime

from twintill.sandbox.paypal.words import at, at_home, money
from twintill.sandbox.processor.objects import Charge, Json, Refund
from twintill.sandbox.processor.world import World

# Declines that PayPal answers as a capture; all others are an error, and no capture.
CAPTURED_DECLINES = ("stolen_card",)


def is_capture(charge: Charge) -> bool:
    """Whether PayPal has a capture for it: a charge that was refused at once is an error only."""
    if charge.status != "declined" or charge.expected_at is not None:
        return True
    return charge.decline is not None and charge.decline.code in CAPTURED_DECLINES


def capture_json(charge: Charge, base_url: str) -> Json:
    shown: Json = {
        "id": charge.id,
        "status": _status(charge),
        "amount": money(charge.amount, charge.currency),
        "final_capture": True,
        "seller_protection": {"status": "NOT_ELIGIBLE"},
        "create_time": at(charge.created),
        "update_time": at(updated(charge)),
        "supplementary_data": {"related_ids": {"order_id": charge.details["order_id"]}},
        "links": _links(base_url, charge),
    }
    reason = _reason(charge)
    if reason:
        shown["status_details"] = {"reason": reason}
    if charge.status == "succeeded":
        shown["seller_receivable_breakdown"] = _breakdown(charge)
    return shown | {name: charge.details[name] for name in _OURS if charge.details.get(name)}


def refund_json(world: World, refund: Refund, base_url: str) -> Json:
    charge = world.charge(refund.charge)
    amount = money(refund.amount, refund.currency)
    shown: Json = {
        "id": refund.id,
        "status": {"succeeded": "COMPLETED", "pending": "PENDING"}.get(refund.status, "FAILED"),
        "amount": amount,
        "seller_payable_breakdown": {
            "gross_amount": amount,
            "paypal_fee": money(0, refund.currency),
            "net_amount": amount,
            "total_refunded_amount": money(charge.refunded, charge.currency),
        },
        "create_time": at_home(refund.created),
        "update_time": at_home(refund.details.get("updated", refund.created)),
        "links": _refund_links(base_url, refund.id, charge.id),
    }
    if refund.status == "pending":
        shown["status_details"] = {"reason": "ECHECK"}
    return shown | {name: refund.details[name] for name in _OURS if refund.details.get(name)}


def reversal_json(charge: Charge, base_url: str, now: datetime) -> Json:
    """PayPal tells of a capture that was reversed in the shape of a refund."""
    amount = money(charge.taken, charge.currency)
    shown: Json = {
        "id": charge.details["reversal_id"],
        "status": "COMPLETED",
        "amount": amount,
        "seller_payable_breakdown": {
            "gross_amount": amount,
            "paypal_fee": money(0, charge.currency),
            "net_amount": amount,
            "total_refunded_amount": amount,
        },
        "create_time": at_home(now),
        "update_time": at_home(now),
        "links": _refund_links(base_url, charge.details["reversal_id"], charge.id),
    }
    return shown | {name: charge.details[name] for name in _OURS if charge.details.get(name)}


def fee_in_the_book(world: World, charge: Charge) -> int:
    """What PayPal kept of a charge that just succeeded, in minor units."""
    for line in reversed(world.book):
        if line.source != charge.id:
            break
        if line.type == "fee":
            return -line.amount
    return 0


def updated(charge: Charge) -> datetime:
    moment: datetime = charge.details.get("updated", charge.created)
    return moment


_OURS = ("custom_id", "invoice_id", "note_to_payer")


def _status(charge: Charge) -> str:
    if charge.status == "pending":
        return "PENDING"
    if charge.status != "succeeded":
        return "DECLINED"
    if charge.refunded:
        return "REFUNDED" if charge.refunded >= charge.taken else "PARTIALLY_REFUNDED"
    return "COMPLETED"


def _reason(charge: Charge) -> str | None:
    """Why it is PENDING or DECLINED; of a reversed one PayPal only documents that it says so."""
    if charge.status == "pending":
        return "ECHECK"
    if charge.status == "failed":
        return "OTHER"
    if charge.status == "declined" and charge.decline is not None:
        fraud = charge.decline.code in CAPTURED_DECLINES
        return "DECLINED_BY_RISK_FRAUD_FILTERS" if fraud else "OTHER"
    return None


def _breakdown(charge: Charge) -> Json:
    fee = charge.details["fee"]
    return {
        "gross_amount": money(charge.taken, charge.currency),
        "paypal_fee": money(fee, charge.currency),
        "net_amount": money(charge.taken - fee, charge.currency),
    }


def _links(base_url: str, charge: Charge) -> list[Json]:
    here = f"{base_url}/v2/payments/captures/{charge.id}"
    order = f"{base_url}/v2/checkout/orders/{charge.details['order_id']}"
    return [
        {"href": here, "rel": "self", "method": "GET"},
        {"href": f"{here}/refund", "rel": "refund", "method": "POST"},
        {"href": order, "rel": "up", "method": "GET"},
    ]


def _refund_links(base_url: str, refund_id: str, capture_id: str) -> list[Json]:
    return [
        {"href": f"{base_url}/v2/payments/refunds/{refund_id}", "rel": "self", "method": "GET"},
        {"href": f"{base_url}/v2/payments/captures/{capture_id}", "rel": "up", "method": "GET"},
    ]
