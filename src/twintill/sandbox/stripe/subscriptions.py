"""Subscriptions: created, changed and cancelled by the API."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe import cycle, discounts, prorations, subscription_state, trials
from twintill.sandbox.stripe.calls import PAGING, Call, Route, in_range, page
from twintill.sandbox.stripe.currencies import bind_currency
from twintill.sandbox.stripe.customers import location_refusal
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.payment_methods import remember_method
from twintill.sandbox.stripe.periods import next_boundary
from twintill.sandbox.stripe.refusal import Refusal, invalid, missing
from twintill.sandbox.stripe.settings import DAY_S
from twintill.sandbox.stripe.subscription_items import build_items, change_items, items_object
from twintill.sandbox.stripe.subscription_shape import automatic_tax, blank_subscription
from twintill.sandbox.stripe.tax import locate
from twintill.sandbox.stripe.world import (
    Json,
    Moment,
    World,
    merge_metadata,
    snapshot,
    text_or_none,
)

_METHODS = ("charge_automatically", "send_invoice")


def create_subscription(world: World, call: Call) -> Json:
    params = call.params
    customer = world.find("customer", params["customer"], "customer")
    moment = world.moment_of(customer["id"], call.moment)
    method = params.get("collection_method", "charge_automatically")
    _check_days_until_due(method, params.get("days_until_due"))
    _check_tax(world, customer, method, params)
    subscription = blank_subscription(world, customer, method, params, moment)
    items = build_items(world, subscription["id"], params["items"], moment.at)
    subscription["currency"] = items[0]["price"]["currency"]
    bind_currency(customer, subscription["currency"])
    subscription["items"] = items_object(subscription["id"], items)
    _discount(world, subscription, params.get("discounts") or [], moment)
    _apply_method(world, subscription, customer, params)
    _place_first_period(subscription, params, moment)
    _set_first_status(subscription, customer, params)
    for item in items:
        world.add(item)
    world.add(subscription)
    world.subscriptions_of[customer["id"]].append(subscription["id"])
    prorate = params.get("proration_behavior") != "none"
    invoice = cycle.begin(world, subscription, moment, prorate=prorate)
    cycle.announce_first(world, subscription, invoice, moment)
    cycle.schedule_period_end(world, subscription)
    if subscription["cancel_at"]:
        world.schedule(subscription["cancel_at"], "cancel_at", subscription)
    return subscription


def get_subscription(world: World, call: Call) -> Json:
    return world.find("subscription", call.id)


def update_subscription(world: World, call: Call) -> Json:
    subscription, params = world.find("subscription", call.id), call.params
    moment = world.moment_of(subscription["customer"], call.moment)
    _require_running(subscription, params)
    method = str(params.get("collection_method") or subscription["collection_method"])
    days = params.get("days_until_due", subscription["days_until_due"])
    if method == "charge_automatically" and "days_until_due" not in params:
        days = None
    _check_days_until_due(method, days)
    prorations.require_within_period(subscription, params.get("proration_date"), "proration_date")
    before = snapshot(subscription)
    customer = world.get("customer", subscription["customer"])
    if "discounts" in params:
        _discount(world, subscription, params["discounts"], moment)
    begins_trial = "trial_end" in params and subscription["status"] != "trialing"
    _change_items(world, subscription, params, moment, begins_trial=begins_trial)
    subscription["collection_method"], subscription["days_until_due"] = method, days
    _apply_method(world, subscription, customer, params)
    _apply_changes(world, subscription, params, moment)
    emit(world, "customer.subscription.updated", subscription, moment, before)
    if begins_trial:
        trials.bill_begun(world, subscription, moment)
    elif "items" in params and params.get("proration_behavior") == "always_invoice":
        prorations.invoice_now(world, subscription, moment)
    return subscription


def cancel_subscription(world: World, call: Call) -> Json:
    subscription = world.find("subscription", call.id)
    if subscription["status"] in subscription_state.ENDED:
        raise missing("subscription", call.id)
    moment = world.moment_of(subscription["customer"], call.moment)
    details = call.params.get("cancellation_details") or {}
    subscription_state.cancel_now(world, subscription, moment, details=details)
    return subscription


def list_subscriptions(world: World, call: Call) -> Json:
    params = call.params
    status = params.get("status")
    customer, clock_id = params.get("customer"), params.get("test_clock")

    def matches(row: Json) -> bool:
        if status is None or status == "":
            shown = row["status"] not in subscription_state.ENDED
        elif status == "ended":
            shown = row["status"] in subscription_state.ENDED
        else:
            shown = status in ("all", row["status"])
        on_clock = row["test_clock"] == clock_id or (customer is not None and clock_id is None)
        return (
            shown
            and on_clock
            and (customer is None or row["customer"] == customer)
            and params.get("collection_method") in (None, row["collection_method"])
            and in_range(row["created"], params.get("created"))
            and ("price" not in params or _has_price(row, params["price"]))
        )

    if customer is not None:
        ids = reversed(world.subscriptions_of.get(customer, []))
        rows = [world.get("subscription", key) for key in ids]
    else:
        rows = list(reversed(world.all("subscription").values()))
    return page(call, filter(matches, rows), "subscription")


def _discount(world: World, subscription: Json, given: list[Json] | str, moment: Moment) -> None:
    subscription["discounts"] = discounts.redeem(
        world,
        given,
        subscription["currency"],
        moment.at,
        customer=subscription["customer"],
        subscription=subscription["id"],
    )


def _change_items(
    world: World, subscription: Json, params: Json, moment: Moment, *, begins_trial: bool
) -> None:
    """Prices and quantities, what of the period that costs or gives back, and a trial."""
    if not begins_trial and "items" not in params:
        return
    prorates = params.get("proration_behavior") != "none" and subscription["status"] != "trialing"
    at = params.get("proration_date") or moment.at
    end = trials.read_end(params["trial_end"], moment.at) if begins_trial else 0
    old = change_items(world, subscription, params.get("items") or [], moment.at)
    if not begins_trial and prorates:
        prorations.add_prorations(world, subscription, old, at, moment)
    elif begins_trial:
        rows = prorations.of_change(world, subscription, old, [], at) if prorates else []
        prorations.add(world, subscription, rows, moment)
        trials.begin(subscription, end, moment.at)


def _has_price(subscription: Json, price_id: str) -> bool:
    return any(item["price"]["id"] == price_id for item in subscription["items"]["data"])


def _check_days_until_due(method: str, days: int | None) -> None:
    if method == "send_invoice" and days is None:
        raise invalid(
            "You must pass `days_until_due` when `collection_method` is `send_invoice`.",
            code="parameter_missing",
            param="days_until_due",
        )
    if method == "charge_automatically" and days is not None:
        raise invalid(
            "You can only pass `days_until_due` if `collection_method` is `send_invoice`.",
            param="days_until_due",
        )


def _check_tax(world: World, customer: Json, method: str, params: Json) -> None:
    """A first invoice that is finalized inside this very call needs its tax now."""
    enabled = (params.get("automatic_tax") or {}).get("enabled", False)
    at_once = method == "charge_automatically"
    if enabled and at_once and not locate(customer, world.ip_addresses.get(customer["id"])):
        raise location_refusal()


def _require_running(subscription: Json, params: Json) -> None:
    if subscription["status"] in subscription_state.ENDED and set(params) - {"metadata", "expand"}:
        raise Refusal(
            "A canceled subscription can only update its cancellation_details and metadata."
        )


def _apply_method(world: World, subscription: Json, customer: Json, params: Json) -> None:
    if "default_payment_method" in params:
        method_id = remember_method(world, params["default_payment_method"], customer)
        subscription["default_payment_method"] = method_id


def _place_first_period(subscription: Json, params: Json, moment: Moment) -> None:
    """A trial comes first; else the period runs to the anchor given, or one interval."""
    items = subscription["items"]["data"]
    recurring = items[0]["price"]["recurring"]
    start, end = moment.at, None
    trial_end = params.get("trial_end")
    if params.get("trial_period_days"):
        trial_end = start + params["trial_period_days"] * DAY_S
    if trial_end not in (None, "", "now"):
        trial_end = trials.read_end(trial_end, start)
        subscription["status"] = "trialing"
        subscription["trial_start"], subscription["trial_end"] = start, trial_end
        end = trial_end
    anchor = params.get("billing_cycle_anchor")
    if end is None and anchor:
        end = next_boundary(anchor, recurring["interval"], recurring["interval_count"], start)
        end = min(end, anchor) if anchor > start else end
    subscription["billing_cycle_anchor"] = end or start
    if end is None:
        end = next_boundary(start, recurring["interval"], recurring["interval_count"], start)
    for item in items:
        item["current_period_start"], item["current_period_end"] = start, end
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = end


def _set_first_status(subscription: Json, customer: Json, params: Json) -> None:
    """send_invoice is active at once, whatever becomes of the first invoice."""
    if subscription["status"] == "trialing":
        return
    if subscription["collection_method"] == "send_invoice":
        subscription["status"] = "active"
        return
    amount = sum(i["price"]["unit_amount"] * i["quantity"] for i in subscription["items"]["data"])
    method_id = (
        subscription["default_payment_method"]
        or customer["invoice_settings"]["default_payment_method"]
    )
    wants_incomplete = params.get("payment_behavior") == "default_incomplete"
    if amount and not method_id and not wants_incomplete:
        raise Refusal(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    subscription["status"] = "incomplete" if amount else "active"


def _apply_changes(world: World, subscription: Json, params: Json, moment: Moment) -> None:
    subscription["metadata"] = merge_metadata(subscription["metadata"], params.get("metadata"))
    if "automatic_tax" in params:
        enabled = params["automatic_tax"].get("enabled", False)
        subscription["automatic_tax"] = automatic_tax(enabled=enabled)
    if "description" in params:
        subscription["description"] = text_or_none(params["description"])
    if "pause_collection" in params:
        subscription["pause_collection"] = _pause(params["pause_collection"])
    if params.get("cancellation_details"):
        subscription["cancellation_details"].update(params["cancellation_details"])
    if "trial_end" in params:
        trials.move_end(world, subscription, trials.read_end(params["trial_end"], moment.at))
    _apply_ending(world, subscription, params, moment)


def _apply_ending(world: World, subscription: Json, params: Json, moment: Moment) -> None:
    if "cancel_at_period_end" in params:
        ends = params["cancel_at_period_end"]
        subscription["cancel_at_period_end"] = ends
        subscription["cancel_at"] = cycle.current_period(subscription)[1] if ends else None
        subscription["canceled_at"] = moment.at if ends else None
        subscription["cancellation_details"]["reason"] = "cancellation_requested" if ends else None
    if "cancel_at" in params:
        subscription["cancel_at"] = params["cancel_at"] or None
        subscription["canceled_at"] = moment.at if subscription["cancel_at"] else None
        if subscription["cancel_at"]:
            world.schedule(subscription["cancel_at"], "cancel_at", subscription)


def _pause(given: Json | str) -> Json | None:
    if not isinstance(given, dict):
        return None
    return {"behavior": given["behavior"], "resumes_at": given.get("resumes_at")}


_COMMON: dict[str, Any] = {
    "automatic_tax": {"enabled!": "bool"},
    "cancel_at": "int",
    "cancel_at_period_end": "bool",
    "collection_method": _METHODS,
    "days_until_due": "int",
    "default_payment_method": "str",
    "description": "str",
    "discounts": discounts.DISCOUNTS,
    "expand": ["str"],
    "metadata": "metadata",
    "off_session": "bool",
    "payment_behavior": (
        "allow_incomplete",
        "default_incomplete",
        "error_if_incomplete",
        "pending_if_incomplete",
    ),
    "proration_behavior": ("always_invoice", "create_prorations", "none"),
    "trial_end": "str",
}
_ITEM: dict[str, Any] = {"metadata": "metadata", "price": "str", "quantity": "int"}
_DETAILS = {"comment": "str", "feedback": "str"}

ROUTES = [
    Route(
        "POST",
        "/v1/subscriptions",
        create_subscription,
        {
            **_COMMON,
            "billing_cycle_anchor": "int",
            "billing_mode": {"type": ("flexible",)},
            "currency": "str",
            "customer!": "str",
            "items!": [_ITEM],
            "trial_period_days": "int",
        },
    ),
    Route(
        "GET",
        "/v1/subscriptions",
        list_subscriptions,
        {
            **PAGING,
            "collection_method": _METHODS,
            "created": "range",
            "customer": "str",
            "price": "str",
            "status": "str",
            "test_clock": "str",
        },
    ),
    Route("GET", "/v1/subscriptions/{}", get_subscription, {"expand": ["str"]}),
    Route(
        "POST",
        "/v1/subscriptions/{}",
        update_subscription,
        {
            **_COMMON,
            "cancellation_details": _DETAILS,
            "items": [{**_ITEM, "deleted": "bool", "id": "str"}],
            "pause_collection": {
                "behavior!": ("keep_as_draft", "mark_uncollectible", "void"),
                "resumes_at": "int",
            },
            "proration_date": "int",
        },
    ),
    Route(
        "DELETE",
        "/v1/subscriptions/{}",
        cancel_subscription,
        {"cancellation_details": _DETAILS, "expand": ["str"]},
    ),
]
