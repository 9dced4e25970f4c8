"""The merchant's Stripe account before the story: a price, and two customers of other kinds."""

from typing import Any

from twintill.demo.calls import post_form
from twintill.demo.people import CURRENCY, SEAT_MINOR, Stranger
from twintill.demo.stage import Stage

DAYS_UNTIL_DUE = 30


async def create_price(stage: Stage) -> str:
    price = await post_form(
        stage.stripe,
        "/v1/prices",
        {
            "currency": CURRENCY.lower(),
            "unit_amount": SEAT_MINOR,
            "recurring": {"interval": "month"},
            "tax_behavior": "exclusive",
            "product_data": {"name": "Pro plan, per seat"},
        },
    )
    return str(price["id"])


async def add_card_customer(stage: Stage, price_id: str) -> Stranger:
    """Fay pays Stripe itself, by card, as most customers of Stripe do."""
    customer = await _customer(stage, "Fay")
    method = await post_form(
        stage.stripe, "/v1/payment_methods/pm_card_visa/attach", {"customer": customer["id"]}
    )
    subscription = await subscribe(
        stage, customer["id"], price_id, default_payment_method=method["id"]
    )
    return Stranger("Fay", customer["id"], subscription["id"])


async def add_wire_customer(stage: Stage, price_id: str) -> Stranger:
    """Gus gets his invoices by mail and pays them by wire; Twintill has no method of his."""
    customer = await _customer(stage, "Gus")
    terms = {"collection_method": "send_invoice", "days_until_due": DAYS_UNTIL_DUE}
    subscription = await subscribe(stage, customer["id"], price_id, **terms)
    return Stranger("Gus", customer["id"], subscription["id"])


async def subscribe(stage: Stage, customer_id: str, price_id: str, **terms: Any) -> Any:
    """As the Dashboard does it."""
    items = [{"price": price_id}]
    body = {"customer": customer_id, "items": items, **terms}
    return await post_form(stage.stripe, "/v1/subscriptions", body)


async def bill(stage: Stage, customer_id: str, minor: int, what: str) -> str:
    """A one-off invoice, as somebody makes it in the Dashboard."""
    terms = {"collection_method": "send_invoice", "days_until_due": DAYS_UNTIL_DUE}
    draft = {"customer": customer_id, "currency": CURRENCY.lower(), **terms}
    invoice_id = str((await post_form(stage.stripe, "/v1/invoices", draft))["id"])
    line = {"customer": customer_id, "invoice": invoice_id, "description": what}
    amount = {"amount": minor, "currency": CURRENCY.lower()}
    await post_form(stage.stripe, "/v1/invoiceitems", {**line, **amount})
    await post_form(stage.stripe, f"/v1/invoices/{invoice_id}/finalize", {})
    return invoice_id


async def pay_by_wire(stage: Stage, invoice_id: str) -> Any:
    """Finance has seen the wire, and marks the invoice in the Dashboard."""
    body = {"paid_out_of_band": True}
    return await post_form(stage.stripe, f"/v1/invoices/{invoice_id}/pay", body)


async def create_customer(stage: Stage, name: str) -> str:
    """As the merchant's own app has made him, long before Twintill hears of him."""
    return str((await _customer(stage, name))["id"])


async def _customer(stage: Stage, name: str) -> Any:
    body = {"name": name, "email": f"{name.lower()}@example.com"}
    return await post_form(stage.stripe, "/v1/customers", body)
