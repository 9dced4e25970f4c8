"""In which currency a customer is billed: one, that of the first thing he is billed for."""

from __future__ import annotations

from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.world import Json


def require_currency(customer: Json, currency: str) -> None:
    """Refuses another currency than the customer's."""
    if customer["currency"] not in (None, currency):
        raise invalid(
            "You cannot combine currencies on a single customer. This customer has had a "
            f"subscription, coupon, or invoice item with currency {customer['currency']}",
            param="currency",
        )


def bind_currency(customer: Json, currency: str) -> None:
    """From now on this is the customer's currency."""
    require_currency(customer, currency)
    customer["currency"] = currency
