"""Prorations: what a change in the middle of a period costs or gives back, by the second."""

from __future__ import annotations

from twintill.sandbox.stripe import cycle, drafting, settling
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.invoice_items import new_item
from twintill.sandbox.stripe.invoice_shape import Terms
from twintill.sandbox.stripe.lines import pricing
from twintill.sandbox.stripe.world import Json, Moment, World


def add_prorations(
    world: World, subscription: Json, old_items: list[Json], at: int, moment: Moment
) -> None:
    """Credits the unused time of what was changed, and charges the rest of the new."""
    start, end = cycle.current_period(subscription)
    new_items = subscription["items"]["data"]
    for verb, sign, items, others in (
        ("Unused time on", -1, old_items, new_items),
        ("Remaining time on", 1, new_items, old_items),
    ):
        kept = {_terms_of(item) for item in others}
        for item in items:
            if _terms_of(item) not in kept:
                amount = sign * share(_full_amount(item), end - at, end - start)
                _add(world, subscription, item, f"{verb} {_name(world, item)}", amount, (at, end),
                     moment)  # fmt: skip


def invoice_now(world: World, subscription: Json, moment: Moment) -> None:
    """`proration_behavior=always_invoice`: an invoice of what is pending, at once."""
    customer = world.get("customer", subscription["customer"])
    waiting = drafting.pending_items(world, customer, subscription["currency"], subscription["id"])
    if not waiting:
        return
    terms = Terms(
        billing_reason="subscription_update",
        currency=subscription["currency"],
        collection_method=subscription["collection_method"],
        auto_advance=True,
        automatic_tax=subscription["automatic_tax"]["enabled"],
        period_start=cycle.current_period(subscription)[0],
        period_end=moment.at,
        subscription=subscription,
        days_until_due=subscription["days_until_due"],
    )
    invoice = drafting.build_draft(world, customer, terms, moment, lambda _id: [])
    drafting.add_items(world, invoice, waiting)
    subscription["latest_invoice"] = invoice["id"]
    drafting.publish_draft(world, invoice, moment)
    if invoice["collection_method"] == "charge_automatically":
        settling.finalize(world, invoice, moment)


def share(amount_minor: int, part_s: int, whole_s: int) -> int:
    """That part of a period's price, rounded half up."""
    part_s = max(0, min(part_s, whole_s))
    return (amount_minor * part_s * 2 + whole_s) // (2 * whole_s)


def _add(
    world: World,
    subscription: Json,
    item: Json,
    description: str,
    amount_minor: int,
    period: tuple[int, int],
    moment: Moment,
) -> None:
    row = new_item(world, subscription["customer"], subscription["currency"], moment.at)
    row["amount"] = row["net_amount"] = amount_minor
    row["description"] = description
    row["discountable"] = False
    row["period"] = {"start": period[0], "end": period[1]}
    row["parent"] = {
        "subscription_details": {
            "subscription": subscription["id"],
            "subscription_item": item["id"],
        },
        "type": "subscription_details",
    }
    row["pricing"] = pricing(item["price"])
    row["proration"] = True
    row["quantity"], row["quantity_decimal"] = item["quantity"], str(item["quantity"])
    emit(world, "invoiceitem.created", row, moment)


def _terms_of(item: Json) -> tuple[str, str, int]:
    return item["id"], item["price"]["id"], item["quantity"]


def _full_amount(item: Json) -> int:
    return int(item["price"]["unit_amount"] * item["quantity"])


def _name(world: World, item: Json) -> str:
    return f"{item['quantity']} × {world.get('product', item['price']['product'])['name']}"
