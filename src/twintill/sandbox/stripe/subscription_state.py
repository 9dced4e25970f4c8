"""What happens to a subscription when its invoices are paid, overdue or failed, and its end."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.world import Json, Moment, World, snapshot

ENDED = ("canceled", "incomplete_expired")


def subscription_of(world: World, invoice: Json) -> Json | None:
    parent = invoice["parent"]
    if parent is None:
        return None
    return world.get("subscription", parent["subscription_details"]["subscription"])


def invoice_settled(world: World, invoice: Json, moment: Moment) -> None:
    """Paid, void or uncollectible: the subscription may run normally again."""
    subscription = subscription_of(world, invoice)
    if subscription and subscription["status"] in ("past_due", "unpaid", "incomplete"):
        latest = _latest_finalized(world, subscription)
        if latest is None or latest["status"] in ("paid", "uncollectible"):
            change(world, subscription, moment, status="active")
    _refresh_delinquent(world, invoice["customer"], moment)


def payment_failed(world: World, invoice: Json, moment: Moment) -> None:
    """Stripe's own charge failed."""
    subscription = subscription_of(world, invoice)
    if subscription and subscription["status"] == "active":
        change(world, subscription, moment, status="past_due")
    set_delinquent(world, invoice["customer"], moment, delinquent=True)


def fell_due(world: World, invoice: Json, moment: Moment) -> None:
    """The due date of an open invoice has come."""
    if invoice["status"] != "open":
        return
    subscription = subscription_of(world, invoice)
    if subscription and subscription["status"] == "active":
        change(world, subscription, moment, status="past_due")
    set_delinquent(world, invoice["customer"], moment, delinquent=True)
    if subscription and world.settings.later_action != "none":
        later = moment.at + world.settings.later_action_after_s
        world.schedule(later, "later_action", invoice)


def gave_up(world: World, invoice: Json, moment: Moment) -> None:
    """The further deadline has passed, or all retries failed: the account's setting decides."""
    subscription = subscription_of(world, invoice)
    if invoice["status"] != "open" or subscription is None:
        return
    if subscription["status"] not in ("past_due", "active", "unpaid"):
        return
    action = world.settings.later_action
    if action == "cancel":
        cancel_now(world, subscription, moment, reason="payment_failed")
    elif action == "unpaid":
        change(world, subscription, moment, status="unpaid")


def cancel_now(
    world: World,
    subscription: Json,
    moment: Moment,
    *,
    reason: str = "cancellation_requested",
    details: dict[str, Any] | None = None,
) -> None:
    """Ends the subscription; its unpaid invoices stay, but Stripe does nothing more with them."""
    ending = moment.at
    subscription["canceled_at"] = subscription["canceled_at"] or ending
    subscription["ended_at"] = ending
    subscription["status"] = "canceled"
    subscription["cancellation_details"] = {
        **subscription["cancellation_details"],
        **(details or {}),
        "reason": reason,
    }
    for invoice_id in world.invoices_of[subscription["id"]]:
        invoice = world.all("invoice").get(invoice_id)
        if invoice and invoice["status"] in ("draft", "open") and invoice["auto_advance"]:
            before = snapshot(invoice)
            invoice["auto_advance"] = False
            invoice["automatically_finalizes_at"] = None
            emit(world, "invoice.updated", invoice, moment, before)
    emit(world, "customer.subscription.deleted", subscription, moment)


def change(world: World, subscription: Json, moment: Moment, **fields: Any) -> None:
    """Sets fields and announces them."""
    before = snapshot(subscription)
    subscription.update(fields)
    emit(world, "customer.subscription.updated", subscription, moment, before)


def set_delinquent(world: World, customer_id: str, moment: Moment, *, delinquent: bool) -> None:
    customer = world.all("customer").get(customer_id)
    if customer and customer["delinquent"] != delinquent:
        before = snapshot(customer)
        customer["delinquent"] = delinquent
        emit(world, "customer.updated", customer, moment, before)


def _latest_finalized(world: World, subscription: Json) -> Json | None:
    for invoice_id in reversed(world.invoices_of[subscription["id"]]):
        invoice = world.all("invoice").get(invoice_id)
        if invoice and invoice["status"] in ("open", "paid", "uncollectible"):
            return invoice
    return None


def _refresh_delinquent(world: World, customer_id: str, moment: Moment) -> None:
    customer = world.all("customer").get(customer_id)
    if customer is None or not customer["delinquent"]:
        return
    table = world.all("invoice")
    invoices = (table.get(invoice_id) for invoice_id in world.invoices_of[customer_id])
    if not any(_is_overdue(invoice, moment.at) for invoice in invoices if invoice):
        set_delinquent(world, customer_id, moment, delinquent=False)


def _is_overdue(invoice: Json, at: int) -> bool:
    if invoice["status"] != "open":
        return False
    due_date = invoice["due_date"]
    return invoice["attempt_count"] > 0 if due_date is None else bool(due_date <= at)
