"""What a subscription consists of: prices and quantities."""

from __future__ import annotations

from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.world import Json, World, list_object, merge_metadata, snapshot


def build_items(world: World, subscription_id: str, given: list[Json], at: int) -> list[Json]:
    """New items; all must be billed in one currency and at one interval."""
    items = [_new_item(world, subscription_id, params, at) for params in given]
    _require_uniform(items)
    return items


def change_items(world: World, subscription: Json, given: list[Json], at: int) -> list[Json]:
    """Adds, changes or removes items; returns them as they were before."""
    present = subscription["items"]["data"]
    old = [snapshot(item) for item in present]
    changed = changed_items(world, subscription, given, at)
    for item in present:
        world.all("subscription_item").pop(item["id"])
    for item in changed:
        world.add(item)
    subscription["items"] = items_object(subscription["id"], changed)
    return old


def changed_items(world: World, subscription: Json, given: list[Json], at: int) -> list[Json]:
    """The items as they would be; nothing is changed."""
    present = subscription["items"]["data"]
    changed = [snapshot(item) for item in present]
    start, end = present[0]["current_period_start"], present[0]["current_period_end"]
    for params in given:
        if "id" not in params:
            item = _new_item(world, subscription["id"], params, at)
            item["current_period_start"], item["current_period_end"] = start, end
            changed.append(item)
            continue
        item = find_item(changed, params["id"])
        if params.get("deleted"):
            changed.remove(item)
        else:
            _change(world, item, params)
    if not changed:
        raise invalid("A subscription must have at least one item.", param="items")
    _require_uniform(changed)
    if changed[0]["price"]["currency"] != subscription["currency"]:
        raise invalid(
            f"The subscription is in {subscription['currency']}; all its prices must be.",
            param="items",
        )
    return changed


def find_item(items: list[Json], item_id: str) -> Json:
    for item in items:
        if item["id"] == item_id:
            return item
    raise invalid(f"No such subscription_item: '{item_id}'", code="resource_missing")


def items_object(subscription_id: str, items: list[Json]) -> Json:
    return list_object(f"/v1/subscription_items?subscription={subscription_id}", items)


def price_params(world: World, price_id: str | None, param: str) -> Json:
    """The recurring price that was named."""
    if not price_id:
        raise invalid("Missing required param: items[0][price].", code="parameter_missing")
    price = world.find("price", price_id, param)
    if price["type"] != "recurring":
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            param=param,
        )
    if not price["active"]:
        raise invalid("The price specified is inactive.", param=param)
    return price


def _new_item(world: World, subscription_id: str, params: Json, at: int) -> Json:
    price = price_params(world, params.get("price"), "items[0][price]")
    return {
        "id": world.ids.new("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": at,
        "current_period_end": at,
        "current_period_start": at,
        "discounts": [],
        "metadata": merge_metadata({}, params.get("metadata")),
        "plan": _plan(price),
        "price": snapshot(price),
        "quantity": _quantity(params.get("quantity", 1)),
        "subscription": subscription_id,
        "tax_rates": [],
    }


def _change(world: World, item: Json, params: Json) -> None:
    if "price" in params:
        price = price_params(world, params["price"], "items[0][price]")
        item["price"], item["plan"] = snapshot(price), _plan(price)
    if "quantity" in params:
        item["quantity"] = _quantity(params["quantity"])
    item["metadata"] = merge_metadata(item["metadata"], params.get("metadata"))


def _quantity(given: int) -> int:
    if given < 0:
        raise invalid(
            "Invalid non-negative integer",
            code="parameter_invalid_integer",
            param="items[0][quantity]",
        )
    return given


def _require_uniform(items: list[Json]) -> None:
    prices = [item["price"] for item in items]
    if len({price["currency"] for price in prices}) > 1:
        raise invalid("All prices on a subscription must have the same currency.", param="items")
    intervals = {(p["recurring"]["interval"], p["recurring"]["interval_count"]) for p in prices}
    if len(intervals) > 1:
        raise invalid(
            "The sandbox bills all items of a subscription at the same interval.", param="items"
        )


def _plan(price: Json) -> Json:
    """The older shape of a price, which Stripe still sends beside it."""
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
        "livemode": False,
        "metadata": {},
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
