"""Invoice lines: one per subscription item and period, one per invoice item."""

from __future__ import annotations

from twintill.money import Money
from twintill.sandbox.stripe.world import Json, World


def subscription_line(
    world: World,
    invoice_id: str,
    item: Json,
    period: tuple[int, int],
    amount_minor: int | None = None,
) -> Json:
    """A period of a subscription item; an amount of its own for a trial or a shortened period."""
    price, quantity = item["price"], item["quantity"]
    full = price["unit_amount"] * quantity
    amount = full if amount_minor is None else amount_minor
    product = world.get("product", price["product"])
    money = Money(price["unit_amount"], price["currency"].upper())
    text = f"{quantity} × {product['name']} (at {money} / {_each(price)})"
    if amount == 0 and full:
        text = f"Trial period for {product['name']}"
    parent = {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": amount_minor is not None and amount != 0,
            "proration_details": {"credited_items": None},
            "subscription": item["subscription"],
            "subscription_item": item["id"],
        },
        "type": "subscription_item_details",
    }
    line = _line(world, invoice_id, amount, price["currency"], text, period)
    line["parent"] = parent
    line["pricing"] = pricing(price)
    line["quantity"], line["quantity_decimal"] = quantity, str(quantity)
    line["subscription"] = item["subscription"]
    return line


def item_line(world: World, invoice_id: str, item: Json) -> Json:
    """An invoice item (one-off, or a proration) as it stands on its invoice."""
    period = (item["period"]["start"], item["period"]["end"])
    subscription = ((item["parent"] or {}).get("subscription_details") or {}).get("subscription")
    line = _line(world, invoice_id, item["amount"], item["currency"], item["description"], period)
    line["parent"] = {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": item["proration"],
            "proration_details": {"credited_items": None},
            "subscription": subscription,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }
    line["pricing"] = item["pricing"]
    line["quantity"], line["quantity_decimal"] = item["quantity"], item["quantity_decimal"]
    line["subscription"] = subscription
    line["metadata"] = dict(item["metadata"])
    line["discountable"] = item["discountable"]
    line["discounts"] = list(item["discounts"])
    return line


def pricing(price: Json) -> Json:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def _each(price: Json) -> str:
    recurring = price["recurring"]
    count: int = recurring["interval_count"]
    return recurring["interval"] if count == 1 else f"{count} {recurring['interval']}s"


def _line(
    world: World,
    invoice_id: str,
    amount_minor: int,
    currency: str,
    description: str | None,
    period: tuple[int, int],
) -> Json:
    return {
        "id": world.ids.new("il"),
        "object": "line_item",
        "amount": amount_minor,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": False,
        "metadata": {},
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "quantity_decimal": "1",
        "subtotal": amount_minor,
        "taxes": [],
    }
