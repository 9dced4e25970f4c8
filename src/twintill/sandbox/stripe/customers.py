"""Customers: who is billed, where they are, and their credit balance."""

from __future__ import annotations

import re
from typing import Any

from twintill.sandbox.stripe import drafting, subscription_state
from twintill.sandbox.stripe.balance import add_to_balance
from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.payment_methods import remember_method
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.tax import locate
from twintill.sandbox.stripe.world import (
    Json,
    World,
    list_object,
    merge_metadata,
    snapshot,
    text_or_none,
)

ADDRESS = {
    "city": "str",
    "country": "str",
    "line1": "str",
    "line2": "str",
    "postal_code": "str",
    "state": "str",
}
_TEXTS = ("description", "email", "name", "phone")
_PREFIX = re.compile(r"[A-Z0-9]{3,12}\Z")
_SPEC: dict[str, Any] = {
    "address": ADDRESS,
    "description": "str",
    "email": "str",
    "expand": ["str"],
    "invoice_prefix": "str",
    "invoice_settings": {"default_payment_method": "str", "footer": "str"},
    "metadata": "metadata",
    "name": "str",
    "phone": "str",
    "preferred_locales": ["str"],
    "shipping": {"address": ADDRESS, "name": "str", "phone": "str"},
    "tax": {"ip_address": "str", "validate_location": ("auto", "deferred", "immediately")},
    "tax_exempt": ("none", "exempt", "reverse"),
    "next_invoice_sequence": "int",
}


def create_customer(world: World, call: Call) -> Json:
    params = call.params
    clock_id = text_or_none(params.get("test_clock"))
    moment = call.moment
    if clock_id:
        clock = world.find("test_helpers.test_clock", clock_id, "test_clock")
        moment = type(moment)(clock["frozen_time"], moment.request_id, moment.idempotency_key)
    customer = _blank_customer(world, moment.at, clock_id)
    _check_location(world, customer, params)
    _check_prefix(world, customer, params)
    world.add(customer)
    _apply(world, customer, params)
    if params.get("balance"):
        customer["currency"] = world.settings.default_currency
        add_to_balance(world, customer, params["balance"], "initial", moment)
    emit(world, "customer.created", customer, moment)
    return customer


def get_customer(world: World, call: Call) -> Json:
    if world.deleted.get(call.id) == "customer":
        return {"id": call.id, "object": "customer", "deleted": True}
    return world.find("customer", call.id)


def update_customer(world: World, call: Call) -> Json:
    customer = world.find("customer", call.id)
    _check_location(world, customer, call.params)
    _check_prefix(world, customer, call.params)
    moment = world.moment_of(call.id, call.moment)
    before = snapshot(customer)
    had_ip = world.ip_addresses.get(call.id)
    _apply(world, customer, call.params)
    if "balance" in call.params:
        difference = call.params["balance"] - customer["balance"]
        customer["currency"] = customer["currency"] or world.settings.default_currency
        add_to_balance(world, customer, difference, "adjustment", moment)
    emit(world, "customer.updated", customer, moment, before)
    moved = any(customer[name] != before[name] for name in ("address", "shipping", "tax_exempt"))
    if moved or world.ip_addresses.get(call.id) != had_ip:
        drafting.refresh_drafts(world, customer, moment)
    return customer


def delete_customer(world: World, call: Call) -> Json:
    """Also cancels the customer's subscriptions at once."""
    customer = world.find("customer", call.id)
    moment = world.moment_of(call.id, call.moment)
    for subscription_id in list(world.subscriptions_of[call.id]):
        subscription = world.get("subscription", subscription_id)
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            subscription_state.cancel_now(world, subscription, moment)
    emit(world, "customer.deleted", customer, moment)
    return world.remove(customer)


def list_customers(world: World, call: Call) -> Json:
    email, clock_id = call.params.get("email"), call.params.get("test_clock")
    rows = (
        row
        for row in reversed(world.all("customer").values())
        if row["test_clock"] == clock_id
        and (email is None or row["email"] == email)
        and in_range(row["created"], call.params.get("created"))
    )
    return page(call, rows, "customer")


def create_balance_transaction(world: World, call: Call) -> Json:
    customer = world.find("customer", call.id)
    currency = call.params["currency"].lower()
    if customer["currency"] not in (None, currency):
        raise invalid("The customer's balance is in another currency.", param="currency")
    moment = world.moment_of(call.id, call.moment)
    before = snapshot(customer)
    customer["currency"] = currency
    transaction = add_to_balance(world, customer, call.params["amount"], "adjustment", moment)
    transaction["description"] = call.params.get("description")
    transaction["metadata"] = merge_metadata({}, call.params.get("metadata"))
    emit(world, "customer.updated", customer, moment, before)
    drafting.refresh_drafts(world, customer, moment)
    return transaction


def list_balance_transactions(world: World, call: Call) -> Json:
    world.find("customer", call.id)
    rows = reversed(world.all("customer_balance_transaction").values())
    return page(call, (row for row in rows if row["customer"] == call.id))


def list_customer_subscriptions(world: World, call: Call) -> Json:
    customer = world.find("customer", call.id)
    rows = [world.get("subscription", key) for key in reversed(world.subscriptions_of[call.id])]
    listing = page(call, (row for row in rows if row["status"] != "canceled"), "subscription")
    return {**list_object(f"/v1/customers/{customer['id']}/subscriptions", []), **listing}


def _blank_customer(world: World, at: int, clock_id: str | None) -> Json:
    return {
        "id": world.ids.new("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": at,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": None,
        "invoice_prefix": world.ids.invoice_prefix(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock_id,
    }


def _apply(world: World, customer: Json, params: Json) -> None:
    for name in _TEXTS:
        if name in params:
            customer[name] = text_or_none(params[name])
    if "address" in params:
        customer["address"] = _address(customer["address"], params["address"])
    if "shipping" in params:
        customer["shipping"] = _shipping(params["shipping"])
    for name in ("preferred_locales", "tax_exempt", "invoice_prefix", "next_invoice_sequence"):
        if params.get(name):
            customer[name] = params[name]
    customer["metadata"] = merge_metadata(customer["metadata"], params.get("metadata"))
    _apply_method(world, customer, params)
    if "ip_address" in (params.get("tax") or {}):
        world.ip_addresses[customer["id"]] = params["tax"]["ip_address"]


def _apply_method(world: World, customer: Json, params: Json) -> None:
    settings = params.get("invoice_settings") or {}
    if "default_payment_method" in settings:
        method = settings["default_payment_method"]
        customer["invoice_settings"]["default_payment_method"] = remember_method(
            world, method, customer
        )
    if "footer" in settings:
        customer["invoice_settings"]["footer"] = text_or_none(settings["footer"])
    if params.get("payment_method"):
        remember_method(world, params["payment_method"], customer)


def _address(present: Json | None, given: Json | str) -> Json | None:
    """Given parts replace present ones; an empty string for the whole clears it."""
    if isinstance(given, str):
        return None
    merged = {**(present or dict.fromkeys(ADDRESS)), **given}
    return {part: text_or_none(value) for part, value in merged.items()}


def _shipping(given: Json | str) -> Json | None:
    if isinstance(given, str):
        return None
    return {
        "address": _address(None, given.get("address") or {}),
        "name": given.get("name", ""),
        "phone": text_or_none(given.get("phone")),
    }


def _check_prefix(world: World, customer: Json, params: Json) -> None:
    """Numbers begin with it, so nobody else may have it, and no number may come twice."""
    prefix, sequence = params.get("invoice_prefix"), params.get("next_invoice_sequence")
    if prefix and not _PREFIX.match(prefix):
        raise invalid(
            "Invalid invoice_prefix: it must be 3 to 12 uppercase letters or numbers.",
            param="invoice_prefix",
        )
    others = (row for row in world.all("customer").values() if row["id"] != customer["id"])
    if prefix and any(row["invoice_prefix"] == prefix for row in others):
        raise invalid(
            f"The invoice prefix {prefix} is already used by another customer.",
            param="invoice_prefix",
        )
    if sequence and sequence < customer["next_invoice_sequence"]:
        raise invalid(
            "The next invoice sequence cannot be lower than the present one.",
            param="next_invoice_sequence",
        )


def _check_location(world: World, customer: Json, params: Json) -> None:
    tax = params.get("tax") or {}
    if tax.get("validate_location") != "immediately":
        return
    trial = {
        "address": _address(customer["address"], params["address"])
        if "address" in params
        else customer["address"],
        "shipping": _shipping(params["shipping"]) if "shipping" in params else customer["shipping"],
    }
    if locate(trial, tax.get("ip_address") or world.ip_addresses.get(customer["id"])) is None:
        raise location_refusal()


def location_refusal() -> Refusal:
    return Refusal(
        "The customer's location isn't recognized. Set a valid customer address in order to "
        "automatically calculate tax.",
        code="customer_tax_location_invalid",
    )


ROUTES = [
    Route(
        "POST",
        "/v1/customers",
        create_customer,
        {**_SPEC, "balance": "int", "payment_method": "str", "test_clock": "str"},
    ),
    Route(
        "GET",
        "/v1/customers",
        list_customers,
        {**PAGING, "created": "range", "email": "str", "test_clock": "str"},
    ),
    Route("GET", "/v1/customers/{}", get_customer, {"expand": ["str"]}),
    Route("POST", "/v1/customers/{}", update_customer, {**_SPEC, "balance": "int"}),
    Route("DELETE", "/v1/customers/{}", delete_customer),
    Route(
        "POST",
        "/v1/customers/{}/balance_transactions",
        create_balance_transaction,
        {
            "amount!": "int",
            "currency!": "str",
            "description": "str",
            "expand": ["str"],
            "metadata": "metadata",
        },
    ),
    Route("GET", "/v1/customers/{}/balance_transactions", list_balance_transactions, PAGING),
    Route("GET", "/v1/customers/{}/subscriptions", list_customer_subscriptions, PAGING),
]
