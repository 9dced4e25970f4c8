"""Invoices: the calls of the API."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe import discounts, drafting, settling
from twintill.sandbox.stripe.calls import Call, Route
from twintill.sandbox.stripe.currencies import require_currency
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.invoice_shape import Terms, automatic_tax
from twintill.sandbox.stripe.payment_methods import remember_method
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.settings import DAY_S
from twintill.sandbox.stripe.world import (
    Json,
    Moment,
    World,
    merge_metadata,
    snapshot,
    text_or_none,
)

_METHODS = ("charge_automatically", "send_invoice")
_DRAFT_ONLY = frozenset(
    ("automatic_tax", "automatically_finalizes_at", "collection_method", "days_until_due",
     "description", "discounts", "due_date", "footer", "number", "statement_descriptor")
)  # fmt: skip


def create_invoice(world: World, call: Call) -> Json:
    """A one-off draft; items are added to it, or pending ones pulled in when asked."""
    params = call.params
    customer = world.find("customer", params["customer"], "customer")
    moment = world.moment_of(customer["id"], call.moment)
    method = params.get("collection_method", "charge_automatically")
    _check_due(method, params, required=True)
    currency = _currency(world, params, customer)
    includes = params.get("pending_invoice_items_behavior") == "include"
    if includes:
        _require_pending(world, params, customer, currency)
    terms = Terms(
        billing_reason="manual",
        currency=currency,
        collection_method=method,
        auto_advance=params.get("auto_advance", False),
        automatic_tax=(params.get("automatic_tax") or {}).get("enabled", False),
        period_start=moment.at,
        period_end=moment.at,
        subscription=_subscription(world, params, customer),
        days_until_due=params.get("days_until_due"),
        due_date=params.get("due_date"),
        default_payment_method=_method(world, params, customer),
        metadata=merge_metadata({}, params.get("metadata")),
        description=text_or_none(params.get("description")),
        footer=text_or_none(params.get("footer")),
        finalizes_at=params.get("automatically_finalizes_at"),
    )
    invoice = drafting.build_draft(world, customer, terms, moment, lambda _id: [])
    _discount(world, invoice, params, moment)
    if includes:
        drafting.add_pending(world, invoice, params.get("subscription"))
    invoice["number"] = text_or_none(params.get("number"))
    invoice["statement_descriptor"] = text_or_none(params.get("statement_descriptor"))
    drafting.publish_draft(world, invoice, moment)
    return invoice


def get_invoice(world: World, call: Call) -> Json:
    return world.find("invoice", call.id)


def update_invoice(world: World, call: Call) -> Json:
    invoice, params = world.find("invoice", call.id), call.params
    moment = world.moment_of(invoice["customer"], call.moment)
    refused = _DRAFT_ONLY & params.keys()
    if invoice["status"] != "draft" and refused:
        raise Refusal(
            "Finalized invoices can't be updated in this way.",
            code="invoice_not_editable",
            param=min(refused),
        )
    before = snapshot(invoice)
    if invoice["status"] == "draft":
        _change_draft(world, invoice, params)
        _discount(world, invoice, params, moment)
        if "discounts" in params:
            drafting.set_lines(world, invoice, world.lines[invoice["id"]])
    if "default_payment_method" in params:
        customer = world.get("customer", invoice["customer"])
        invoice["default_payment_method"] = _method(world, params, customer)
    invoice["metadata"] = merge_metadata(invoice["metadata"], params.get("metadata"))
    if "auto_advance" in params:
        _set_auto_advance(world, invoice, moment, wanted=params["auto_advance"])
    emit(world, "invoice.updated", invoice, moment, before)
    return invoice


def delete_invoice(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.id)
    if invoice["status"] != "draft":
        raise Refusal("You can only delete draft invoices.", code="invoice_not_editable")
    if invoice["parent"] is not None:
        raise Refusal("You can't delete invoices created by subscriptions.")
    moment = world.moment_of(invoice["customer"], call.moment)
    for item in world.all("invoiceitem").values():
        if item["invoice"] == invoice["id"]:
            item["invoice"] = None
    emit(world, "invoice.deleted", invoice, moment)
    return world.remove(invoice)


def finalize_invoice(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.id)
    if invoice["status"] != "draft":
        raise Refusal(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    moment = world.moment_of(invoice["customer"], call.moment)
    settling.finalize(world, invoice, moment, auto_advance=call.params.get("auto_advance"))
    return invoice


def pay_invoice(world: World, call: Call) -> Json:
    invoice, params = world.find("invoice", call.id), call.params
    moment = world.moment_of(invoice["customer"], call.moment)
    if params.get("paid_out_of_band"):
        settling.pay_out_of_band(world, invoice, moment)
        return invoice
    settling.require_payable(world, invoice)
    customer = world.get("customer", invoice["customer"])
    given = params.get("payment_method")
    method_id = remember_method(world, given, customer) if given else None
    method_id = method_id or settling.method_for(world, invoice)
    if method_id is None:
        raise Refusal(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set a "
            "`default_payment_method` prior to paying this Invoice."
        )
    settling.pay_with_method(world, invoice, method_id, moment)
    return invoice


def void_invoice(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.id)
    settling.void(world, invoice, world.moment_of(invoice["customer"], call.moment))
    return invoice


def mark_invoice_uncollectible(world: World, call: Call) -> Json:
    invoice = world.find("invoice", call.id)
    settling.mark_uncollectible(world, invoice, world.moment_of(invoice["customer"], call.moment))
    return invoice


def send_invoice(world: World, call: Call) -> Json:
    """No mail leaves the sandbox; the event says that it would have."""
    invoice = world.find("invoice", call.id)
    if invoice["collection_method"] != "send_invoice":
        raise Refusal("You can only manually send invoices with collection_method=send_invoice.")
    moment = world.moment_of(invoice["customer"], call.moment)
    if invoice["status"] == "draft":
        settling.finalize(world, invoice, moment)
    emit(world, "invoice.sent", invoice, moment)
    return invoice


def _check_due(method: str, params: Json, *, required: bool) -> None:
    given = [name for name in ("days_until_due", "due_date") if params.get(name) not in (None, "")]
    if method == "charge_automatically" and given:
        raise invalid(f"You can only pass `{given[0]}` with `send_invoice`.", param=given[0])
    if len(given) == 2:
        raise invalid("Pass `days_until_due` or `due_date`, not both.", param="due_date")
    if required and method == "send_invoice" and not given:
        raise invalid(
            "You must pass `days_until_due` or `due_date` with `send_invoice`.",
            param="days_until_due",
        )


def _discount(world: World, invoice: Json, params: Json, moment: Moment) -> None:
    """Those of its subscription, unless others (or none) are given."""
    if "discounts" in params:
        invoice["discounts"] = discounts.redeem(
            world,
            params["discounts"],
            invoice["currency"],
            moment.at,
            customer=invoice["customer"],
            invoice=invoice["id"],
        )


def _currency(world: World, params: Json, customer: Json) -> str:
    named = params.get("currency") or customer["currency"] or world.settings.default_currency
    currency = str(named).lower()
    require_currency(customer, currency)
    return currency


def _require_pending(world: World, params: Json, customer: Json, currency: str) -> None:
    """ "Invoice now" without anything that waits is refused."""
    subscription_id = params.get("subscription")
    if not drafting.pending_items(world, customer, currency, subscription_id):
        noun = "subscription" if subscription_id else "customer"
        raise Refusal(f"Nothing to invoice for {noun}", code=f"invoice_no_{noun}_line_items")


def _subscription(world: World, params: Json, customer: Json) -> Json | None:
    if not params.get("subscription"):
        return None
    subscription = world.find("subscription", params["subscription"], "subscription")
    if subscription["customer"] != customer["id"]:
        raise invalid("The subscription belongs to another customer.", param="subscription")
    return subscription


def _method(world: World, params: Json, customer: Json) -> str | None:
    given = params.get("default_payment_method")
    return None if given is None else remember_method(world, given, customer)


def _change_draft(world: World, invoice: Json, params: Json) -> None:
    method = str(params.get("collection_method") or invoice["collection_method"])
    _check_due(method, params, required=method != invoice["collection_method"])
    invoice["collection_method"] = method
    for name in ("description", "footer", "number", "statement_descriptor"):
        if name in params:
            invoice[name] = text_or_none(params[name])
    if method == "charge_automatically":
        invoice["due_date"] = None
    elif params.get("due_date"):
        invoice["due_date"] = params["due_date"]
    elif params.get("days_until_due") is not None:
        invoice["due_date"] = invoice["created"] + params["days_until_due"] * DAY_S
    if params.get("automatically_finalizes_at"):
        world.fixed_finalization.add(invoice["id"])
        invoice["automatically_finalizes_at"] = params["automatically_finalizes_at"]
        drafting.schedule_finalization(world, invoice)
    if "automatic_tax" in params:
        enabled = params["automatic_tax"]["enabled"]
        invoice["automatic_tax"] = automatic_tax(enabled=enabled)
        drafting.set_lines(world, invoice, world.lines[invoice["id"]])


def _set_auto_advance(world: World, invoice: Json, moment: Moment, *, wanted: bool) -> None:
    was = invoice["auto_advance"]
    if invoice["status"] not in ("draft", "open"):
        return
    invoice["auto_advance"] = wanted
    if invoice["status"] != "draft":
        return
    if not wanted:
        invoice["automatically_finalizes_at"] = None
    elif not was:
        invoice["automatically_finalizes_at"] = moment.at + world.settings.draft_period_s
        drafting.schedule_finalization(world, invoice)


_EXPAND: dict[str, Any] = {"expand": ["str"]}
_SPEC: dict[str, Any] = {
    **_EXPAND,
    "auto_advance": "bool",
    "automatic_tax": {"enabled!": "bool"},
    "automatically_finalizes_at": "int",
    "collection_method": _METHODS,
    "days_until_due": "int",
    "default_payment_method": "str",
    "description": "str",
    "discounts": discounts.DISCOUNTS,
    "due_date": "int",
    "footer": "str",
    "metadata": "metadata",
    "number": "str",
    "statement_descriptor": "str",
}
ROUTES = [
    Route(
        "POST",
        "/v1/invoices",
        create_invoice,
        {
            **_SPEC,
            "currency": "str",
            "customer!": "str",
            "pending_invoice_items_behavior": ("exclude", "include"),
            "subscription": "str",
        },
    ),
    Route("GET", "/v1/invoices/{}", get_invoice, _EXPAND),
    Route("POST", "/v1/invoices/{}", update_invoice, _SPEC),
    Route("DELETE", "/v1/invoices/{}", delete_invoice),
    Route(
        "POST",
        "/v1/invoices/{}/finalize",
        finalize_invoice,
        {**_EXPAND, "auto_advance": "bool"},
    ),
    Route(
        "POST",
        "/v1/invoices/{}/pay",
        pay_invoice,
        {
            **_EXPAND,
            "off_session": "bool",
            "paid_out_of_band": "bool",
            "payment_method": "str",
        },
    ),
    Route("POST", "/v1/invoices/{}/void", void_invoice, _EXPAND),
    Route("POST", "/v1/invoices/{}/mark_uncollectible", mark_invoice_uncollectible, _EXPAND),
    Route("POST", "/v1/invoices/{}/send", send_invoice, _EXPAND),
]
