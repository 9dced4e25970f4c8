"""Invoice items: single amounts that wait for the customer's next invoice, or stand on a draft."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe import discounts
from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.currencies import bind_currency
from twintill.sandbox.stripe.drafting import add_items, require_room, set_lines
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.lines import item_line, pricing
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.world import (
    Json,
    Moment,
    World,
    merge_metadata,
    snapshot,
    text_or_none,
)


def new_item(world: World, customer_id: str, currency: str, at: int) -> Json:
    """An item of nothing yet."""
    customer = world.get("customer", customer_id)
    return world.add(
        {
            "id": world.ids.new("ii"),
            "object": "invoiceitem",
            "amount": 0,
            "currency": currency,
            "customer": customer_id,
            "customer_account": None,
            "date": at,
            "description": None,
            "discountable": True,
            "discounts": [],
            "invoice": None,
            "livemode": False,
            "metadata": {},
            "net_amount": 0,
            "parent": None,
            "period": {"start": at, "end": at},
            "pricing": None,
            "proration": False,
            "quantity": 1,
            "quantity_decimal": "1",
            "tax_rates": [],
            "test_clock": customer["test_clock"],
        }
    )


def create_item(world: World, call: Call) -> Json:
    params = call.params
    customer = world.find("customer", params["customer"], "customer")
    moment = world.moment_of(customer["id"], call.moment)
    price = _price(world, params)
    invoice = _draft(world, params, customer)
    subscription_id = params.get("subscription")
    if subscription_id:
        world.find("subscription", subscription_id, "subscription")
    currency = _currency(world, params, price, customer)
    if invoice and invoice["currency"] != currency:
        raise invalid(f"The invoice is in {invoice['currency']}.", param="currency")
    if invoice:
        require_room(world, invoice, 1)
    bind_currency(customer, currency)
    item = new_item(world, customer["id"], currency, moment.at)
    _apply(item, params, price)
    item["discountable"] = params.get("discountable", item["amount"] >= 0)
    _discount(world, item, params, moment)
    world.tax_behaviors[item["id"]] = params.get("tax_behavior", "exclusive")
    if subscription_id:
        details = {"subscription": subscription_id}
        item["parent"] = {"subscription_details": details, "type": "subscription_details"}
    if invoice:
        before = snapshot(invoice)
        add_items(world, invoice, [item])
        emit(world, "invoiceitem.created", item, moment)
        emit(world, "invoice.updated", invoice, moment, before)
    else:
        emit(world, "invoiceitem.created", item, moment)
    return item


def add_lines(world: World, call: Call) -> Json:
    """Several items onto one draft, in one call: all of them or none."""
    invoice = world.find("invoice", call.id)
    _require_draft(invoice)
    customer = world.get("customer", invoice["customer"])
    moment = world.moment_of(customer["id"], call.moment)
    given = [(line, _price(world, line)) for line in call.params["lines"]]
    require_room(world, invoice, len(given))
    for _, price in given:
        _require_same_currency(price, invoice["currency"])
    bind_currency(customer, invoice["currency"])
    before, items = snapshot(invoice), []
    for line, price in given:
        item = new_item(world, customer["id"], invoice["currency"], moment.at)
        _apply(item, line, price)
        item["discountable"] = line.get("discountable", item["amount"] >= 0)
        items.append(item)
    add_items(world, invoice, items)
    for item in items:
        emit(world, "invoiceitem.created", item, moment)
    emit(world, "invoice.updated", invoice, moment, before)
    return invoice


def update_item(world: World, call: Call) -> Json:
    item = world.find("invoiceitem", call.id)
    invoice = _require_editable(world, item)
    moment = world.moment_of(item["customer"], call.moment)
    price = _price(world, call.params, required=False)
    _require_same_currency(price, item["currency"])
    _apply(item, call.params, price)
    _discount(world, item, call.params, moment)
    if invoice:
        _rebuild(world, invoice, item, moment, keep=True)
    return item


def delete_item(world: World, call: Call) -> Json:
    item = world.find("invoiceitem", call.id)
    invoice = _require_editable(world, item)
    moment = world.moment_of(item["customer"], call.moment)
    if invoice:
        _rebuild(world, invoice, item, moment, keep=False)
    emit(world, "invoiceitem.deleted", item, moment)
    return world.remove(item)


def list_items(world: World, call: Call) -> Json:
    params = call.params

    def matches(row: Json) -> bool:
        pending = params.get("pending")
        return (
            params.get("customer") in (None, row["customer"])
            and params.get("invoice") in (None, row["invoice"])
            and (pending is None or (row["invoice"] is None) == pending)
            and in_range(row["date"], params.get("created"))
        )

    return page(call, filter(matches, reversed(world.all("invoiceitem").values())), "invoiceitem")


def _price(world: World, params: Json, *, required: bool = True) -> Json | None:
    price_id = (params.get("pricing") or {}).get("price")
    ways = sum(bool(way) for way in (price_id, "amount" in params, "unit_amount_decimal" in params))
    if ways > 1 or (required and ways == 0):
        raise invalid("Pass one of amount, pricing, or unit_amount_decimal.", param="amount")
    if not price_id:
        return None
    price = world.find("price", price_id, "pricing[price]")
    if price["type"] == "recurring":
        raise invalid(
            "The price specified is set to `type=recurring` but this field only accepts prices "
            "with `type=one_time`.",
            param="pricing[price]",
        )
    return price


def _require_same_currency(price: Json | None, currency: str) -> None:
    if price and price["currency"] != currency:
        raise invalid(f"The price is in {price['currency']}, not {currency}.", param="pricing")


def _draft(world: World, params: Json, customer: Json) -> Json | None:
    if not params.get("invoice"):
        return None
    invoice = world.find("invoice", params["invoice"], "invoice")
    if invoice["customer"] != customer["id"]:
        raise invalid("The invoice belongs to another customer.", param="invoice")
    _require_draft(invoice)
    return invoice


def _currency(world: World, params: Json, price: Json | None, customer: Json) -> str:
    if price:
        return str(price["currency"])
    named = params.get("currency") or customer["currency"] or world.settings.default_currency
    return str(named).lower()


def _apply(item: Json, params: Json, price: Json | None) -> None:
    quantity: int = params["quantity"] if "quantity" in params else item["quantity"]
    if quantity < 0:
        raise invalid("Invalid non-negative integer", param="quantity")
    if price:
        item["amount"] = price["unit_amount"] * quantity
        item["pricing"] = pricing(price)
    elif "unit_amount_decimal" in params:
        if "." in params["unit_amount_decimal"]:
            raise invalid(
                "The sandbox does not implement fractions of a minor unit.",
                param="unit_amount_decimal",
            )
        item["amount"] = int(params["unit_amount_decimal"]) * quantity
    elif "amount" in params:
        item["amount"] = params["amount"]
    item["net_amount"] = item["amount"]
    item["quantity"], item["quantity_decimal"] = quantity, str(quantity)
    if "description" in params:
        item["description"] = text_or_none(params["description"])
    item["discountable"] = params.get("discountable", item["discountable"])
    item["period"] = params.get("period") or item["period"]
    item["metadata"] = merge_metadata(item["metadata"], params.get("metadata"))


def _discount(world: World, item: Json, params: Json, moment: Moment) -> None:
    if "discounts" in params:
        customer_id, item_id = item["customer"], item["id"]
        item["discounts"] = discounts.redeem(
            world,
            params["discounts"],
            item["currency"],
            moment.at,
            customer=customer_id,
            invoice_item=item_id,
        )
    item["net_amount"] = item["amount"]
    if item["discountable"]:
        [item["net_amount"]] = discounts.net_amounts(world, item["discounts"], [item["amount"]])


def _require_editable(world: World, item: Json) -> Json | None:
    if item["invoice"] is None:
        return None
    invoice = world.get("invoice", item["invoice"])
    _require_draft(invoice)
    return invoice


def _require_draft(invoice: Json) -> None:
    if invoice["status"] != "draft":
        raise Refusal(
            "The invoice is finalized; its items can no longer be changed.",
            code="invoice_not_editable",
        )


def _rebuild(world: World, invoice: Json, item: Json, moment: Moment, *, keep: bool) -> None:
    """Puts the changed item in the place of its old line, or takes the line away."""
    before, lines = snapshot(invoice), []
    for line in world.lines[invoice["id"]]:
        details = line["parent"]["invoice_item_details"] or {}
        if details.get("invoice_item") != item["id"]:
            lines.append(line)
        elif keep:
            lines.append({**item_line(world, invoice["id"], item), "id": line["id"]})
    set_lines(world, invoice, lines)
    emit(world, "invoice.updated", invoice, moment, before)


_SPEC: dict[str, Any] = {
    "amount": "int",
    "description": "str",
    "discountable": "bool",
    "discounts": discounts.DISCOUNTS,
    "expand": ["str"],
    "metadata": "metadata",
    "period": {"start!": "int", "end!": "int"},
    "pricing": {"price": "str"},
    "quantity": "int",
    "unit_amount_decimal": "decimal",
}
_LINE = {
    name: spec
    for name, spec in _SPEC.items()
    if name not in ("discounts", "expand", "unit_amount_decimal")
}
ROUTES = [
    Route(
        "POST",
        "/v1/invoices/{}/add_lines",
        add_lines,
        {"expand": ["str"], "lines!": [_LINE]},
    ),
    Route(
        "POST",
        "/v1/invoiceitems",
        create_item,
        {
            **_SPEC,
            "currency": "str",
            "customer!": "str",
            "invoice": "str",
            "subscription": "str",
            "tax_behavior": ("exclusive", "inclusive", "unspecified"),
        },
    ),
    Route(
        "GET",
        "/v1/invoiceitems",
        list_items,
        {**PAGING, "created": "range", "customer": "str", "invoice": "str", "pending": "bool"},
    ),
    Route(
        "GET",
        "/v1/invoiceitems/{}",
        lambda world, call: world.find("invoiceitem", call.id),
        {"expand": ["str"]},
    ),
    Route("POST", "/v1/invoiceitems/{}", update_item, _SPEC),
    Route("DELETE", "/v1/invoiceitems/{}", delete_item),
]
