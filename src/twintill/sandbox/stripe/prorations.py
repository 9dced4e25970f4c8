"""Prorations: what a change in the middle of a period costs or gives back, by the second."""

from __future__ import annotations

from dataclasses import dataclass

from twintill.sandbox.stripe import cycle, discounts, drafting, settling
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.invoice_items import new_item
from twintill.sandbox.stripe.invoice_shape import Terms
from twintill.sandbox.stripe.lines import pricing
from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.world import Json, Moment, World


@dataclass(frozen=True, slots=True)
class Proration:
    """Unused time that is given back (below zero), or time that is still to come."""

    item: Json
    description: str
    amount_minor: int
    period: tuple[int, int]


def require_within_period(subscription: Json, at: int | None, param: str) -> None:
    """Refuses a proration date that is not in the current period."""
    start, end = cycle.current_period(subscription)
    if at is not None and not start <= at <= end:
        raise invalid(
            "The proration date must be within the current period of the subscription.",
            param=param,
        )


def of_change(
    world: World, subscription: Json, old_items: list[Json], new_items: list[Json], at: int
) -> list[Proration]:
    """Credits the unused time of what was changed, and charges the rest of the new.

    Both are net of discounts: the credit of those that the period was billed with, the rest of
    those that last (Stripe's `proration_discounts=included`).
    """
    start, end = cycle.current_period(subscription)
    rows = []
    for verb, sign, items, others in (
        ("Unused time on", -1, old_items, new_items),
        ("Remaining time on", 1, new_items, old_items),
    ):
        kept = {_terms_of(item) for item in others}
        for item, net in zip(
            items, _nets(world, subscription, items, billed=sign < 0), strict=True
        ):
            if _terms_of(item) not in kept:
                amount = sign * share(net, end - at, end - start)
                rows.append(Proration(item, f"{verb} {_name(world, item)}", amount, (at, end)))
    return rows


def add_prorations(
    world: World, subscription: Json, old_items: list[Json], at: int, moment: Moment
) -> None:
    """They wait as invoice items for the next invoice."""
    new_items = subscription["items"]["data"]
    add(world, subscription, of_change(world, subscription, old_items, new_items, at), moment)
    nets = _nets(world, subscription, new_items, billed=False)
    for item, net in zip(new_items, nets, strict=True):
        if _terms_of(item) not in {_terms_of(old) for old in old_items}:
            world.billed[item["id"]] = net


def add(world: World, subscription: Json, rows: list[Proration], moment: Moment) -> None:
    for row in rows:
        _add(world, subscription, row, moment)


def invoice_now(world: World, subscription: Json, moment: Moment) -> None:
    """`proration_behavior=always_invoice`: an invoice of what is pending, at once."""
    customer = world.get("customer", subscription["customer"])
    currency, subscription_id = subscription["currency"], subscription["id"]
    if not drafting.pending_items(world, customer, currency, subscription_id):
        return
    terms = terms_of_update(subscription, moment.at)
    invoice = drafting.build_draft(world, customer, terms, moment, lambda _id: [])
    drafting.add_pending(world, invoice, subscription_id)
    subscription["latest_invoice"] = invoice["id"]
    drafting.publish_draft(world, invoice, moment)
    if invoice["collection_method"] == "charge_automatically":
        settling.finalize(world, invoice, moment)


def terms_of_update(subscription: Json, at: int) -> Terms:
    """An invoice in the middle of a period, because the subscription was changed."""
    return Terms(
        billing_reason="subscription_update",
        currency=subscription["currency"],
        collection_method=subscription["collection_method"],
        auto_advance=True,
        automatic_tax=subscription["automatic_tax"]["enabled"],
        period_start=cycle.current_period(subscription)[0],
        period_end=at,
        subscription=subscription,
        days_until_due=subscription["days_until_due"],
    )


def share(amount_minor: int, part_s: int, whole_s: int) -> int:
    """That part of a period's price, rounded half up."""
    part_s = max(0, min(part_s, whole_s))
    return (amount_minor * part_s * 2 + whole_s) // (2 * whole_s)


def _add(world: World, subscription: Json, proration: Proration, moment: Moment) -> None:
    item = proration.item
    row = new_item(world, subscription["customer"], subscription["currency"], moment.at)
    row["amount"] = row["net_amount"] = proration.amount_minor
    row["description"] = proration.description
    row["discountable"] = False
    row["period"] = {"start": proration.period[0], "end": proration.period[1]}
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


def _nets(world: World, subscription: Json, items: list[Json], *, billed: bool) -> list[int]:
    """What a whole period of each item costs after discounts; `billed`: as it was billed."""
    ids = discounts.lasting(world, subscription["discounts"])
    nets = discounts.net_amounts(world, ids, [_full_amount(item) for item in items])
    if not billed:
        return nets
    return [world.billed.get(item["id"], net) for item, net in zip(items, nets, strict=True)]


def _terms_of(item: Json) -> tuple[str, str, int]:
    return item["id"], item["price"]["id"], item["quantity"]


def _full_amount(item: Json) -> int:
    return int(item["price"]["unit_amount"] * item["quantity"])


def _name(world: World, item: Json) -> str:
    return f"{item['quantity']} × {world.get('product', item['price']['product'])['name']}"
