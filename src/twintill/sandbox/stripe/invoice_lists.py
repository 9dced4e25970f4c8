"""Invoices, their lines and their payments: the calls that list them."""

from __future__ import annotations

from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.world import Json, World


def list_invoices(world: World, call: Call) -> Json:
    params = call.params
    rows = reversed(world.all("invoice").values())
    owner = params.get("subscription") or params.get("customer")
    if owner:
        table = world.all("invoice")
        ids = reversed(world.invoices_of.get(owner, []))
        rows = (table[key] for key in ids if key in table)

    def matches(row: Json) -> bool:
        return (
            params.get("customer") in (None, row["customer"])
            and params.get("status") in (None, row["status"])
            and params.get("collection_method") in (None, row["collection_method"])
            and in_range(row["created"], params.get("created"))
            and _due_in_range(row, params.get("due_date"))
        )

    return page(call, filter(matches, rows), "invoice")


def list_lines(world: World, call: Call) -> Json:
    world.find("invoice", call.id)
    return page(call, world.lines[call.id], "line_item")


def list_payments(world: World, call: Call) -> Json:
    params = call.params
    payment = params.get("payment") or {}
    table = world.all("invoice_payment")
    if params.get("invoice"):
        rows = [table[key] for key in reversed(world.payments_of.get(params["invoice"], []))]
    else:
        rows = list(reversed(table.values()))

    def matches(row: Json) -> bool:
        return params.get("status") in (None, row["status"]) and all(
            row["payment"].get(name) == value for name, value in payment.items()
        )

    return page(call, filter(matches, rows), "invoice_payment")


def _due_in_range(invoice: Json, bounds: dict[str, int] | None) -> bool:
    if not bounds:
        return True
    return invoice["due_date"] is not None and in_range(invoice["due_date"], bounds)


_METHODS = ("charge_automatically", "send_invoice")
ROUTES = [
    Route(
        "GET",
        "/v1/invoices",
        list_invoices,
        {
            **PAGING,
            "collection_method": _METHODS,
            "created": "range",
            "customer": "str",
            "due_date": "range",
            "status": ("draft", "open", "paid", "uncollectible", "void"),
            "subscription": "str",
        },
    ),
    Route("GET", "/v1/invoices/{}/lines", list_lines, PAGING),
    Route(
        "GET",
        "/v1/invoice_payments",
        list_payments,
        {
            **PAGING,
            "invoice": "str",
            "payment": {"payment_intent": "str", "payment_record": "str", "type": "str"},
            "status": ("canceled", "open", "paid"),
        },
    ),
    Route(
        "GET",
        "/v1/invoice_payments/{}",
        lambda world, call: world.find("invoice_payment", call.id),
        {"expand": ["str"]},
    ),
]
