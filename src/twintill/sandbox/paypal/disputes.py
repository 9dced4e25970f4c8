"""GET /v1/customer/disputes: the engine's disputes in PayPal's words.

One that took the money is a CHARGEBACK, one that did not is an INQUIRY. Where the money is, PayPal
says by its movements; that it is back, by a CREDIT to the seller.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from twintill.sandbox.paypal.orders import payer_id
from twintill.sandbox.paypal.refusal import invalid, not_found
from twintill.sandbox.paypal.words import at, money, read_time
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Dispute, Json
from twintill.sandbox.processor.world import World

_REASONS = {
    "fraudulent": "UNAUTHORISED",
    "not_received": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
    "not_as_described": "MERCHANDISE_OR_SERVICE_NOT_AS_DESCRIBED",
    "duplicate": "DUPLICATE_TRANSACTION",
    "canceled": "CANCELED_RECURRING_BILLING",
}
_STATUS = {"open": "WAITING_FOR_SELLER_RESPONSE", "under_review": "UNDER_REVIEW"}
_STATE = {"open": "REQUIRED_ACTION", "under_review": "UNDER_PAYPAL_REVIEW"}
_OUTCOMES = {
    "won": "RESOLVED_SELLER_FAVOUR",
    "lost": "RESOLVED_BUYER_FAVOUR",
    "accepted": "ACCEPTED",
}
_MOST = 50
_LISTED = timedelta(days=180)


def find_dispute(world: World, dispute_id: str) -> Dispute:
    if dispute_id not in world.disputes:
        raise not_found("dispute_id")
    return world.disputes[dispute_id]


def summary_json(world: World, dispute: Dispute, base_url: str) -> Json:
    """As a list shows it: without its transactions and movements."""
    here = f"{base_url}/v1/customer/disputes/{dispute.id}"
    return {
        "dispute_id": dispute.id,
        "create_time": at(dispute.created),
        "update_time": at(_updated(world, dispute)),
        "reason": _REASONS.get(dispute.reason, "OTHER"),
        "status": _STATUS.get(dispute.status, "RESOLVED"),
        "dispute_state": _STATE.get(dispute.status, "RESOLVED"),
        "dispute_amount": money(dispute.amount, dispute.currency),
        "dispute_life_cycle_stage": "CHARGEBACK" if _took(world, dispute) else "INQUIRY",
        "dispute_channel": "INTERNAL",
        "links": [{"href": here, "rel": "self", "method": "GET"}],
    }


def dispute_json(world: World, dispute: Dispute, base_url: str) -> Json:
    charge = world.charge(dispute.charge)
    transaction: Json = {
        "seller_transaction_id": charge.id,
        "create_time": at(charge.created),
        "transaction_status": "COMPLETED",
        "gross_amount": money(charge.taken, charge.currency),
        "buyer": {"name": "Sandbox Buyer", "payer_id": payer_id(charge.customer)},
        "seller": {"merchant_id": world.settings.account_id},
    }
    if charge.details.get("invoice_id"):
        transaction["invoice_number"] = charge.details["invoice_id"]
    if charge.details.get("custom_id"):
        transaction["custom"] = charge.details["custom_id"]
    shown = summary_json(world, dispute, base_url) | {
        "disputed_transactions": [transaction],
        "money_movements": _movements(world, dispute),
        "messages": [],
    }
    if dispute.status in _STATUS:
        shown["seller_response_due_date"] = at(dispute.created + timedelta(days=10))
    else:
        refunded = 0 if dispute.status == "won" else dispute.amount
        shown["dispute_outcome"] = {
            "outcome_code": _OUTCOMES[dispute.status],
            "amount_refunded": money(refunded, dispute.currency),
        }
    return shown


def list_disputes(world: World, call: Call, now: datetime) -> Json:
    """The latest first; `next_page_token` leads on."""
    params = call.params()
    size = min(_size(params.get("page_size")), world.settings.most_per_page)
    after = params.get("start_time") or params.get("create_time_after")
    charge = params.get("disputed_transaction_id")
    since = None if after is None else read_time(after, "start_time")
    if since is not None and since < now - _LISTED:
        raise invalid("INVALID_PARAMETER_VALUE", "start_time", "Within the last 180 days.", after)
    rows = [
        one
        for one in reversed(world.disputes.values())
        if charge in (None, one.charge) and (since is None or one.created >= since)
    ]
    start = int(params.get("next_page_token") or 0)
    page = rows[start : start + size]
    query = f"page_size={size}" + (f"&start_time={after}" if after else "")
    here = f"{call.base_url}/v1/customer/disputes?{query}"
    links: list[Json] = [{"href": here, "rel": "self", "method": "GET"}]
    if start + size < len(rows):
        href = f"{here}&next_page_token={start + size}"
        links.append({"href": href, "rel": "next", "method": "GET"})
    return {"items": [summary_json(world, one, call.base_url) for one in page], "links": links}


def _movements(world: World, dispute: Dispute) -> list[Json]:
    """What went from and to the seller, oldest first, as the book has it."""
    reasons = {"dispute": "DISPUTE_SETTLEMENT", "dispute_reversal": "DISPUTE_SETTLEMENT"}
    return [
        {
            "affected_party": "SELLER",
            "amount": money(abs(line.amount), line.currency),
            "initiated_time": at(line.created),
            "type": "DEBIT" if line.amount < 0 else "CREDIT",
            "reason": reasons.get(line.type, "DISPUTE_FEE"),
        }
        for line in world.book
        if line.source == dispute.id
    ]


def _took(world: World, dispute: Dispute) -> bool:
    return dispute.withheld or any(
        line.type == "dispute" and line.source == dispute.id for line in world.book
    )


def _updated(world: World, dispute: Dispute) -> datetime:
    return max(
        [dispute.created, *(line.created for line in world.book if line.source == dispute.id)]
    )


def _size(text: str | None) -> int:
    if text is None:
        return 10
    if not text.isdigit() or not 0 < int(text) <= _MOST:
        raise invalid("INVALID_PARAMETER_VALUE", "page_size", f"1 to {_MOST}.", text)
    return int(text)
