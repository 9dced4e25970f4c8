"""Trials of a subscription that runs: one begins, or the end of one is moved."""

from __future__ import annotations

from typing import Any

from twintill.sandbox.stripe import cycle, drafting, prorations, settling
from twintill.sandbox.stripe.lines import subscription_line
from twintill.sandbox.stripe.refusal import invalid
from twintill.sandbox.stripe.settings import DAY_S
from twintill.sandbox.stripe.world import Json, Moment, World

_LONGEST_S = 730 * DAY_S


def read_end(given: Any, at: int, param: str = "trial_end") -> int:
    """`now`, or a time to come."""
    if given == "now":
        return at
    try:
        end = int(given)
    except ValueError:
        raise invalid(f"Invalid timestamp: {given}", param=param) from None
    if end <= at:
        raise invalid("Invalid timestamp: must be in the future", param=param)
    if end > at + _LONGEST_S:
        raise invalid("Invalid timestamp: at most two years in the future", param=param)
    return end


def move_end(world: World, subscription: Json, end: int) -> None:
    """`now` ends the trial at once: the first paid period, and its invoice, begin."""
    set_end(subscription, end)
    cycle.schedule_period_end(world, subscription)


def set_end(subscription: Json, end: int) -> None:
    subscription["trial_end"] = end
    for item in subscription["items"]["data"]:
        item["current_period_end"] = end


def begin(subscription: Json, end: int, at: int) -> None:
    """What is paid for is put off: the next paid period begins with the end of the trial."""
    if end <= at:
        raise invalid("The subscription is not in a trial.", param="trial_end")
    subscription["status"] = "trialing"
    subscription["trial_start"], subscription["billing_cycle_anchor"] = at, end
    for item in subscription["items"]["data"]:
        item["current_period_start"] = at
    set_end(subscription, end)


def bill_begun(world: World, subscription: Json, moment: Moment) -> None:
    """The invoice that a trial begins with: nothing to pay, and what the change gives back."""
    customer = world.get("customer", subscription["customer"])
    terms = prorations.terms_of_update(subscription, moment.at)

    def make_lines(invoice_id: str) -> list[Json]:
        return lines_of_trial(world, subscription, invoice_id)

    invoice = drafting.build_draft(world, customer, terms, moment, make_lines)
    drafting.add_pending(world, invoice, subscription["id"])
    subscription["latest_invoice"] = invoice["id"]
    drafting.publish_draft(world, invoice, moment)
    if invoice["collection_method"] == "charge_automatically":
        settling.finalize(world, invoice, moment)
    cycle.schedule_period_end(world, subscription)


def lines_of_trial(world: World, subscription: Json, invoice_id: str) -> list[Json]:
    period = cycle.current_period(subscription)
    items = subscription["items"]["data"]
    return [subscription_line(world, invoice_id, item, period, 0) for item in items]
