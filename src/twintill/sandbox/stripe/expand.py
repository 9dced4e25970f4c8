"""Expansion: `expand[]=latest_invoice.payments` puts whole objects where ids stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.tax import locate, state_of
from twintill.sandbox.stripe.world import Json, World, list_object

MAX_LEVELS = 4
_ABSENT: Any = object()
# Fields that hold an id (or nothing yet) for which Stripe gives the object.
_REFERENCES = frozenset(
    ("application", "charge", "coupon", "credit_note", "customer", "customer_balance_transaction",
     "default_payment_method", "default_price", "default_source", "discount", "invoice",
     "latest_invoice", "latest_revision", "on_behalf_of", "payment_intent", "payment_method",
     "payment_record", "pending_setup_intent", "price", "product", "schedule", "subscription",
     "tax_code", "test_clock")
)  # fmt: skip


def expanded(world: World, obj: Json, paths: list[str]) -> Json:
    """A copy of the object with the named fields expanded; the stored one stays as it is."""
    if not paths or obj.get("deleted"):
        return obj
    for path in paths:
        if path.count(".") >= MAX_LEVELS:
            raise invalid(
                f"You cannot expand more than 4 levels of a property: {path}", param="expand"
            )
    result = _expand_paths(world, obj, [path.split(".") for path in paths], "")
    assert isinstance(result, dict)
    return result


def _expand_paths(world: World, value: Any, paths: list[list[str]], where: str) -> Any:
    if isinstance(value, list):
        return [_expand_paths(world, inner, paths, where) for inner in value]
    if isinstance(value, str):
        found = world.lookup(value)
        if found is None:
            raise _cannot(where)
        value = found
    if value is None or not any(paths):
        return value
    result = dict(value)
    for head in dict.fromkeys(path[0] for path in paths if path):
        rest = [path[1:] for path in paths if path and path[0] == head]
        inner = _field(world, result, head, f"{where}.{head}".strip("."))
        result[head] = _expand_paths(world, inner, rest, f"{where}.{head}".strip("."))
    return result


def _field(world: World, obj: Json, name: str, where: str) -> Any:
    include = _INCLUDED.get((str(obj.get("object")), name))
    if include is not None:
        return include(world, obj)
    value = obj.get(name, _ABSENT)
    if not isinstance(value, dict | list) and (value is _ABSENT or name not in _REFERENCES):
        raise _cannot(where)
    return value


def _cannot(where: str) -> Exception:
    return invalid(
        f"This property cannot be expanded ({where}). You may want to try expanding a different "
        "property.",
        param="expand",
    )


def invoice_payments(world: World, invoice: Json) -> Json:
    rows = [world.get("invoice_payment", key) for key in world.payments_of.get(invoice["id"], ())]
    return list_object(f"/v1/invoice_payments?invoice={invoice['id']}", rows)


def _customer_subscriptions(world: World, customer: Json) -> Json:
    rows = (
        world.get("subscription", key) for key in world.subscriptions_of.get(customer["id"], ())
    )
    running = [row for row in rows if row["status"] not in ("canceled", "incomplete_expired")]
    return list_object(f"/v1/customers/{customer['id']}/subscriptions", running)


def _customer_tax(world: World, customer: Json) -> Json:
    ip_address = world.ip_addresses.get(customer["id"])
    location = locate(customer, ip_address)
    return {
        "automatic_tax": state_of(customer, ip_address),
        "ip_address": ip_address,
        "location": location
        and {"country": location.country, "source": location.source, "state": location.state},
        "provider": "stripe",
    }


# Fields that Stripe sends only when they are asked for.
_INCLUDED: dict[tuple[str, str], Callable[[World, Json], Any]] = {
    ("invoice", "payments"): invoice_payments,
    # The sandbox keeps no Payment Records, so nothing is ever paid through one.
    ("invoice", "amount_paid_off_stripe"): lambda _world, _invoice: 0,
    ("customer", "subscriptions"): _customer_subscriptions,
    ("customer", "tax"): _customer_tax,
    ("customer", "tax_ids"): lambda _world, customer: list_object(
        f"/v1/customers/{customer['id']}/tax_ids", []
    ),
    ("customer", "sources"): lambda _world, customer: list_object(
        f"/v1/customers/{customer['id']}/sources", []
    ),
}
