"""Invoice previews: what the next invoice would be, with nothing created."""

from __future__ import annotations

from twintill.sandbox.stripe import cycle, drafting, prorations
from twintill.sandbox.stripe.calls import Call
from twintill.sandbox.stripe.invoice_shape import Terms, blank_invoice
from twintill.sandbox.stripe.lines import item_line, subscription_line
from twintill.sandbox.stripe.periods import next_boundary
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.subscription_items import build_items, find_item, price_params
from twintill.sandbox.stripe.subscription_state import ENDED
from twintill.sandbox.stripe.world import Json, World, snapshot


def create_preview(world: World, call: Call) -> Json:
    """Of a subscription's next renewal (with changed items if given), or of a new subscription."""
    params = call.params
    subscription = None
    if params.get("subscription"):
        subscription = world.find("subscription", params["subscription"], "subscription")
        if subscription["status"] in ENDED or subscription["cancel_at_period_end"]:
            raise Refusal(
                "No upcoming invoices for this subscription.", code="invoice_upcoming_none"
            )
    customer_id = subscription["customer"] if subscription else params.get("customer")
    if not customer_id:
        raise invalid("Pass customer or subscription.", param="customer")
    customer = world.find("customer", customer_id, "customer")
    at = world.moment_of(customer_id, call.moment).at
    changes = (params.get("subscription_details") or {}).get("items") or []
    invoice_id = "upcoming_" + world.ids.new("in")
    if subscription:
        lines, terms = _of_subscription(world, subscription, params, changes, at, invoice_id)
    elif changes:
        lines, terms = _of_new(world, params, changes, at, invoice_id)
    else:
        raise invalid("Pass subscription_details[items].", param="subscription_details")
    invoice = blank_invoice(world, invoice_id, customer, terms, at)
    drafting.set_lines(world, invoice, lines, customer)
    del world.lines[invoice_id]
    return invoice


def _of_subscription(
    world: World, subscription: Json, params: Json, changes: list[Json], at: int, invoice_id: str
) -> tuple[list[Json], Terms]:
    details = params.get("subscription_details") or {}
    if details.get("cancel_now"):
        raise invalid("The sandbox does not preview cancellations.", param="subscription_details")
    customer = world.get("customer", subscription["customer"])
    period = cycle.upcoming_period(subscription)
    changed = _changed_items(world, subscription, changes)
    waiting = drafting.pending_items(world, customer, subscription["currency"], subscription["id"])
    lines = [subscription_line(world, invoice_id, item, period) for item in changed]
    lines += [item_line(world, invoice_id, item) for item in waiting]
    if changes and details.get("proration_behavior") != "none":
        moment_at = details.get("proration_date") or at
        lines += _proration_lines(world, subscription, changed, moment_at, invoice_id)
    start, end = cycle.current_period(subscription)
    terms = Terms(
        billing_reason="upcoming",
        currency=subscription["currency"],
        collection_method=subscription["collection_method"],
        auto_advance=True,
        automatic_tax=subscription["automatic_tax"]["enabled"],
        period_start=start,
        period_end=end,
        subscription=subscription,
        days_until_due=subscription["days_until_due"],
    )
    return lines, terms


def _of_new(
    world: World, params: Json, changes: list[Json], at: int, invoice_id: str
) -> tuple[list[Json], Terms]:
    items = build_items(world, "sub_preview", changes, at)
    recurring = items[0]["price"]["recurring"]
    end = next_boundary(at, recurring["interval"], recurring["interval_count"], at)
    lines = [subscription_line(world, invoice_id, item, (at, end)) for item in items]
    terms = Terms(
        billing_reason="upcoming",
        currency=items[0]["price"]["currency"],
        collection_method="charge_automatically",
        auto_advance=True,
        automatic_tax=(params.get("automatic_tax") or {}).get("enabled", False),
        period_start=at,
        period_end=at,
    )
    return lines, terms


def _changed_items(world: World, subscription: Json, changes: list[Json]) -> list[Json]:
    items = [snapshot(item) for item in subscription["items"]["data"]]
    for params in changes:
        if "id" not in params:
            items += build_items(world, subscription["id"], [params], subscription["created"])
            continue
        item = find_item(items, params["id"])
        if params.get("deleted"):
            items.remove(item)
            continue
        if "price" in params:
            item["price"] = snapshot(price_params(world, params["price"], "subscription_details"))
        item["quantity"] = params.get("quantity", item["quantity"])
    return items


def _proration_lines(
    world: World, subscription: Json, changed: list[Json], at: int, invoice_id: str
) -> list[Json]:
    start, end = cycle.current_period(subscription)
    present = subscription["items"]["data"]
    lines = []
    for sign, items, others in ((-1, present, changed), (1, changed, present)):
        kept = [(i["id"], i["price"]["id"], i["quantity"]) for i in others]
        for item in items:
            if (item["id"], item["price"]["id"], item["quantity"]) in kept:
                continue
            full = item["price"]["unit_amount"] * item["quantity"]
            amount = sign * prorations.share(full, end - at, end - start)
            line = subscription_line(world, invoice_id, item, (at, end), amount)
            line["parent"]["subscription_item_details"]["proration"] = True
            lines.append(line)
    return lines
