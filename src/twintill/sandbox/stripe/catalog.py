"""Products and prices: what is sold, and for how much."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.world import (
    Json,
    World,
    merge_metadata,
    snapshot,
    text_or_none,
)

_PRODUCT_SPEC: dict[str, Any] = {
    "active": "bool",
    "description": "str",
    "expand": ["str"],
    "images": ["str"],
    "metadata": "metadata",
    "name": "str",
    "shippable": "bool",
    "statement_descriptor": "str",
    "tax_code": "str",
    "unit_label": "str",
    "url": "str",
}
_INTERVALS = ("day", "week", "month", "year")


def create_product(world: World, call: Call) -> Json:
    return _add_product(world, call, call.params)


def update_product(world: World, call: Call) -> Json:
    product = world.find("product", call.id)
    before = snapshot(product)
    for name in ("active", "images", "name", "shippable"):
        if name in call.params:
            product[name] = call.params[name]
    for name in ("description", "statement_descriptor", "tax_code", "unit_label", "url"):
        if name in call.params:
            product[name] = text_or_none(call.params[name])
    product["default_price"] = call.params.get("default_price") or product["default_price"]
    product["metadata"] = merge_metadata(product["metadata"], call.params.get("metadata"))
    product["updated"] = call.at
    emit(world, "product.updated", product, call.moment, before)
    return product


def delete_product(world: World, call: Call) -> Json:
    product = world.find("product", call.id)
    if any(price["product"] == call.id for price in world.all("price").values()):
        raise Refusal(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    emit(world, "product.deleted", product, call.moment)
    return world.remove(product)


def create_price(world: World, call: Call) -> Json:
    params = call.params
    if bool(params.get("product")) == bool(params.get("product_data")):
        raise invalid("Pass either product or product_data.", param="product")
    unit_amount, unit_amount_decimal = _unit_amount(params)
    if params.get("product_data"):
        product = _add_product(world, call, params["product_data"])
    else:
        product = world.find("product", params["product"], "product")
    price = world.add(
        {
            "id": world.ids.new("price"),
            "object": "price",
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": call.at,
            "currency": params["currency"].lower(),
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": text_or_none(params.get("lookup_key")),
            "metadata": merge_metadata({}, params.get("metadata")),
            "nickname": text_or_none(params.get("nickname")),
            "product": product["id"],
            "recurring": _recurring(params.get("recurring")),
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring" if params.get("recurring") else "one_time",
            "unit_amount": unit_amount,
            "unit_amount_decimal": unit_amount_decimal,
        }
    )
    emit(world, "price.created", price, call.moment)
    return price


def update_price(world: World, call: Call) -> Json:
    price = world.find("price", call.id)
    before = snapshot(price)
    for name in ("active", "tax_behavior"):
        if name in call.params:
            price[name] = call.params[name]
    for name in ("lookup_key", "nickname"):
        if name in call.params:
            price[name] = text_or_none(call.params[name])
    price["metadata"] = merge_metadata(price["metadata"], call.params.get("metadata"))
    emit(world, "price.updated", price, call.moment, before)
    return price


def list_products(world: World, call: Call) -> Json:
    active, ids = call.params.get("active"), call.params.get("ids")
    rows = (
        row
        for row in reversed(world.all("product").values())
        if (active is None or row["active"] == active)
        and (not ids or row["id"] in ids)
        and in_range(row["created"], call.params.get("created"))
    )
    return page(call, rows, "product")


def list_prices(world: World, call: Call) -> Json:
    wanted = {name: call.params[name] for name in ("active", "product", "type", "currency")
              if name in call.params}  # fmt: skip
    keys = call.params.get("lookup_keys")
    rows = (
        row
        for row in reversed(world.all("price").values())
        if all(row[name] == value for name, value in wanted.items())
        and (not keys or row["lookup_key"] in keys)
        and in_range(row["created"], call.params.get("created"))
    )
    return page(call, rows, "price")


def _add_product(world: World, call: Call, params: Json) -> Json:
    product_id = params.get("id") or world.ids.new("prod")
    if product_id in world.all("product"):
        raise Refusal(f"Product already exists: {product_id}", code="resource_already_exists")
    product = world.add(
        {
            "id": product_id,
            "object": "product",
            "active": params.get("active", True),
            "created": call.at,
            "default_price": None,
            "description": text_or_none(params.get("description")),
            "images": params.get("images") or [],
            "livemode": False,
            "marketing_features": [],
            "metadata": merge_metadata({}, params.get("metadata")),
            "name": params["name"],
            "package_dimensions": None,
            "shippable": params.get("shippable"),
            "statement_descriptor": text_or_none(params.get("statement_descriptor")),
            "tax_code": text_or_none(params.get("tax_code")),
            "type": "service",
            "unit_label": text_or_none(params.get("unit_label")),
            "updated": call.at,
            "url": text_or_none(params.get("url")),
        }
    )
    emit(world, "product.created", product, call.moment)
    return product


def _unit_amount(params: Json) -> tuple[int | None, str]:
    """The sandbox bills whole minor units; a fraction of a cent is refused, not rounded."""
    if ("unit_amount" in params) == ("unit_amount_decimal" in params):
        raise invalid("Pass either unit_amount or unit_amount_decimal.", param="unit_amount")
    if "unit_amount" in params:
        return params["unit_amount"], str(params["unit_amount"])
    exact = Decimal(params["unit_amount_decimal"])
    if exact != exact.to_integral_value():
        raise invalid(
            "The sandbox does not implement fractions of a minor unit.",
            param="unit_amount_decimal",
        )
    return int(exact), str(int(exact))


def _recurring(params: Json | None) -> Json | None:
    if not params:
        return None
    return {
        "interval": params["interval"],
        "interval_count": params.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


ROUTES = [
    Route(
        "POST",
        "/v1/products",
        create_product,
        {**{k: v for k, v in _PRODUCT_SPEC.items() if k != "name"}, "name!": "str", "id": "str"},
    ),
    Route(
        "GET",
        "/v1/products",
        list_products,
        {**PAGING, "active": "bool", "created": "range", "ids": ["str"]},
    ),
    Route(
        "GET",
        "/v1/products/{}",
        lambda world, call: world.find("product", call.id),
        {"expand": ["str"]},
    ),
    Route("POST", "/v1/products/{}", update_product, {**_PRODUCT_SPEC, "default_price": "str"}),
    Route("DELETE", "/v1/products/{}", delete_product),
    Route(
        "POST",
        "/v1/prices",
        create_price,
        {
            "active": "bool",
            "billing_scheme": ("per_unit",),
            "currency!": "str",
            "expand": ["str"],
            "lookup_key": "str",
            "metadata": "metadata",
            "nickname": "str",
            "product": "str",
            "product_data": {
                "active": "bool",
                "id": "str",
                "metadata": "metadata",
                "name!": "str",
                "statement_descriptor": "str",
                "tax_code": "str",
                "unit_label": "str",
            },
            "recurring": {
                "interval!": _INTERVALS,
                "interval_count": "int",
                "usage_type": ("licensed",),
            },
            "tax_behavior": ("exclusive", "unspecified"),
            "unit_amount": "int",
            "unit_amount_decimal": "decimal",
        },
    ),
    Route(
        "GET",
        "/v1/prices",
        list_prices,
        {
            **PAGING,
            "active": "bool",
            "created": "range",
            "currency": "str",
            "lookup_keys": ["str"],
            "product": "str",
            "type": ("one_time", "recurring"),
        },
    ),
    Route(
        "GET",
        "/v1/prices/{}",
        lambda world, call: world.find("price", call.id),
        {"expand": ["str"]},
    ),
    Route(
        "POST",
        "/v1/prices/{}",
        update_price,
        {
            "active": "bool",
            "expand": ["str"],
            "lookup_key": "str",
            "metadata": "metadata",
            "nickname": "str",
            "tax_behavior": ("exclusive", "unspecified"),
        },
    ),
]
