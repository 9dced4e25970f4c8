"""A customer's credit balance: below zero the customer has credit, above zero it is owed."""

from __future__ import annotations

from twintill.sandbox.stripe.world import Json, Moment, World


def add_to_balance(
    world: World,
    customer: Json,
    amount_minor: int,
    type: str,
    moment: Moment,
    *,
    invoice_id: str | None = None,
    credit_note_id: str | None = None,
) -> Json:
    """Changes the balance and writes the transaction down; the caller emits customer.updated."""
    customer["balance"] += amount_minor
    return world.add(
        {
            "id": world.ids.new("cbtxn"),
            "object": "customer_balance_transaction",
            "amount": amount_minor,
            "created": moment.at,
            "credit_note": credit_note_id,
            "currency": customer["currency"] or world.settings.default_currency,
            "customer": customer["id"],
            "customer_account": None,
            "description": None,
            "ending_balance": customer["balance"],
            "invoice": invoice_id,
            "livemode": False,
            "metadata": {},
            "type": type,
        }
    )
