"""Invoice previews: what the next invoice would be, with nothing created."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from twintill.sandbox.stripe import cycle, discounts, drafting, prorations, trials
from twintill.sandbox.stripe.calls import Call, Route
from twintill.sandbox.stripe.currencies import require_currency
from twintill.sandbox.stripe.invoice_shape import Terms, blank_invoice
from twintill.sandbox.stripe.lines import item_line, subscription_line
from twintill.sandbox.stripe.periods import next_boundary
from twintill.sandbox.stripe.prorations import Proration
from twintill.sandbox.stripe.refusal import Refusal, invalid
from twintill.sandbox.stripe.subscription_items import build_items, changed_items
from twintill.sandbox.stripe.subscription_state import ENDED
from twintill.sandbox.stripe.world import Json, World, snapshot

_DATE = "subscription_details[proration_date]"
_TRIAL = "subscription_details[trial_end]"


@dataclass(frozen=True, slots=True)
class _Upcoming:
    """An invoice to come: when it would be made, on which terms, and what would stand on it."""

    created: int
    terms: Terms
    discounts: list[str]
    lines: list[Json]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, and when."""

    params: Json
    at: int
    invoice_id: str

    @property
    def details(self) -> Json:
        return self.params.get("subscription_details") or {}

    @property
    def prorates(self) -> bool:
        return bool(self.details.get("proration_behavior") != "none")

    @property
    def proration_date(self) -> int:
        return int(self.details.get("proration_date") or self.at)


def create_preview(world: World, call: Call) -> Json:
    """Of a subscription's next invoice as it is or would be changed, or of a new subscription."""
    subscription = _subscription(world, call.params)
    customer_id = subscription["customer"] if subscription else call.params.get("customer")
    if not customer_id:
        raise invalid("Pass customer or subscription.", param="customer")
    customer = world.find("customer", customer_id, "customer")
    at = world.moment_of(customer_id, call.moment).at
    asked = _Asked(call.params, at, "upcoming_" + world.ids.new("in"))
    known = set(world.all("discount"))
    try:
        if subscription:
            upcoming = _of_subscription(world, subscription, customer, asked)
        elif asked.details.get("items"):
            upcoming = _of_new(world, customer, asked)
        else:
            upcoming = _of_pending(world, customer, asked)
        return _invoice(world, customer, asked, upcoming)
    finally:
        for key in set(world.all("discount")) - known:
            del world.all("discount")[key]


def _invoice(world: World, customer: Json, asked: _Asked, upcoming: _Upcoming) -> Json:
    require_currency(customer, upcoming.terms.currency)
    terms = replace(upcoming.terms, billing_reason="upcoming")
    if "automatic_tax" in asked.params:
        terms = replace(terms, automatic_tax=asked.params["automatic_tax"]["enabled"])
    invoice = blank_invoice(world, asked.invoice_id, customer, terms, upcoming.created)
    invoice["discounts"] = upcoming.discounts
    drafting.set_lines(world, invoice, upcoming.lines, customer)
    del world.lines[asked.invoice_id]
    if terms.collection_method == "charge_automatically":
        invoice["next_payment_attempt"] = upcoming.created + world.settings.draft_period_s
    invoice["ending_balance"] = min(0, invoice["starting_balance"] + invoice["total"])
    if "total_discount_amounts.discount" in (asked.params.get("expand") or []):
        # The discounts of a preview are gone when its answer is expanded.
        for row in invoice["total_discount_amounts"]:
            row["discount"] = snapshot(world.get("discount", row["discount"]))
    return invoice


def _subscription(world: World, params: Json) -> Json | None:
    """The one that is named; of a customer alone, the one that bills him next."""
    if params.get("subscription"):
        found = world.find("subscription", params["subscription"], "subscription")
        if found["status"] in ENDED:
            raise _none("subscription")
        return found
    if (params.get("subscription_details") or {}).get("items"):
        return None
    ids = world.subscriptions_of.get(params.get("customer") or "", [])
    running = [s for s in map(world.all("subscription").get, ids) if s and s["status"] not in ENDED]
    return min(running, key=lambda s: cycle.current_period(s)[1], default=None)


def _of_subscription(world: World, present: Json, customer: Json, asked: _Asked) -> _Upcoming:
    details = asked.details
    _check_date(present, details)
    subscription = snapshot(present)
    subscription["discounts"] = _discounts(world, present["discounts"], present["currency"], asked)
    old = subscription["items"]["data"]
    new = changed_items(world, subscription, details.get("items") or [], asked.at)
    waiting = drafting.pending_items(world, customer, present["currency"], present["id"])
    lines = [item_line(world, asked.invoice_id, item) for item in waiting[: _room(new)]]
    paid = asked.prorates and present["status"] != "trialing"
    if details.get("cancel_now"):
        rows = prorations.of_change(world, subscription, old, [], asked.proration_date)
        lines += _proration_lines(world, asked, rows if paid else [])
        return _at_once(world, subscription, asked, lines, need_lines=True)
    if "trial_end" in details and present["status"] != "trialing":
        rows = prorations.of_change(world, subscription, old, [], asked.proration_date)
        subscription["items"]["data"] = new
        trials.begin(
            subscription, trials.read_end(details["trial_end"], asked.at, _TRIAL), asked.at
        )
        lines += _proration_lines(world, asked, rows if paid else [])
        lines = trials.lines_of_trial(world, subscription, asked.invoice_id) + lines
        return _at_once(world, subscription, asked, lines)
    rows = prorations.of_change(world, subscription, old, new, asked.proration_date)
    lines += _proration_lines(world, asked, rows if paid else [])
    subscription["items"]["data"] = new
    if "trial_end" in details:
        trials.set_end(subscription, trials.read_end(details["trial_end"], asked.at, _TRIAL))
    if details.get("proration_behavior") == "always_invoice" and details.get("items") and lines:
        return _at_once(world, subscription, asked, lines)
    return _at_period_end(world, subscription, asked, lines)


def _at_once(
    world: World, subscription: Json, asked: _Asked, lines: list[Json], *, need_lines: bool = False
) -> _Upcoming:
    if need_lines and not lines:
        raise _none("subscription")
    held = discounts.holding(world, subscription["discounts"], asked.at)
    return _Upcoming(asked.at, prorations.terms_of_update(subscription, asked.at), held, lines)


def _at_period_end(world: World, subscription: Json, asked: _Asked, lines: list[Json]) -> _Upcoming:
    """The renewal, unless the subscription ends with its period: then only what waits."""
    start, end = cycle.current_period(subscription)
    ends = asked.details.get("cancel_at_period_end")
    if ends is None:
        ends = subscription["cancel_at_period_end"] or (subscription["cancel_at"] or end + 1) <= end
    if ends and not lines:
        raise _none("subscription")
    if not ends:
        period = cycle.upcoming_period(subscription)
        items = subscription["items"]["data"]
        lines = [subscription_line(world, asked.invoice_id, i, period) for i in items] + lines
    terms = replace(prorations.terms_of_update(subscription, end), period_start=start)
    held = discounts.holding(world, subscription["discounts"], end)
    return _Upcoming(end, terms, held, lines)


def _of_new(world: World, customer: Json, asked: _Asked) -> _Upcoming:
    """The first invoice of a subscription that does not exist."""
    details, at = asked.details, asked.at
    items = build_items(world, "sub_preview", details["items"], at)
    currency, recurring = items[0]["price"]["currency"], items[0]["price"]["recurring"]
    end = next_boundary(at, recurring["interval"], recurring["interval_count"], at)
    amount = None
    if details.get("trial_end") not in (None, "now"):
        end, amount = trials.read_end(details["trial_end"], at, _TRIAL), 0
    lines = [subscription_line(world, asked.invoice_id, i, (at, end), amount) for i in items]
    waiting = drafting.pending_items(world, customer, currency, None)
    lines += [item_line(world, asked.invoice_id, item) for item in waiting[: _room(items)]]
    terms = Terms("upcoming", currency, "charge_automatically", True, False, at, at)
    return _Upcoming(at, terms, _discounts(world, [], currency, asked), lines)


def _of_pending(world: World, customer: Json, asked: _Asked) -> _Upcoming:
    """What waits for the next invoice of a customer who has no subscription."""
    named = asked.params.get("currency") or customer["currency"] or world.settings.default_currency
    currency = str(named).lower()
    waiting = drafting.pending_items(world, customer, currency, None)
    if not waiting:
        raise _none("customer")
    lines = [item_line(world, asked.invoice_id, item) for item in waiting[: _room([])]]
    at = asked.at
    terms = Terms("upcoming", currency, "charge_automatically", True, False, at, at)
    return _Upcoming(at, terms, _discounts(world, [], currency, asked), lines)


def _room(items: list[Json]) -> int:
    """For what waits, beside the subscription's own lines."""
    return drafting.MAX_ITEMS - len(items)


def _check_date(subscription: Json, details: Json) -> None:
    """Stripe takes a date of proration only where something may be prorated."""
    if details.get("proration_date") is None:
        return
    if not (details.get("items") or "trial_end" in details):
        raise invalid(
            "A proration date needs subscription_details[items], or [trial_end].",
            param=_DATE,
        )
    if details.get("proration_behavior") == "none":
        raise invalid("A proration date does not go with proration_behavior=none.", param=_DATE)
    prorations.require_within_period(subscription, details["proration_date"], _DATE)


def _discounts(world: World, present: list[str], currency: str, asked: _Asked) -> list[str]:
    """Those that are given (or none), else those that there are."""
    if "discounts" not in asked.params:
        return present
    return discounts.trial_of(world, asked.params["discounts"], currency, asked.at)


def _proration_lines(world: World, asked: _Asked, rows: list[Proration]) -> list[Json]:
    lines = []
    for row in rows:
        line = subscription_line(world, asked.invoice_id, row.item, row.period, row.amount_minor)
        line["parent"]["subscription_item_details"]["proration"] = True
        line["description"], line["discountable"] = row.description, False
        lines.append(line)
    return lines


def _none(of: str) -> Refusal:
    return Refusal(f"No upcoming invoices for {of}.", code="invoice_upcoming_none")


_ITEM: dict[str, Any] = {"deleted": "bool", "id": "str", "price": "str", "quantity": "int"}
ROUTES = [
    Route(
        "POST",
        "/v1/invoices/create_preview",
        create_preview,
        {
            "automatic_tax": {"enabled!": "bool"},
            "currency": "str",
            "customer": "str",
            "discounts": discounts.DISCOUNTS,
            "expand": ["str"],
            "preview_mode": ("next",),
            "subscription": "str",
            "subscription_details": {
                "cancel_at_period_end": "bool",
                "cancel_now": "bool",
                "items": [_ITEM],
                "proration_behavior": ("always_invoice", "create_prorations", "none"),
                "proration_date": "int",
                "trial_end": "str",
            },
        },
    ),
]
