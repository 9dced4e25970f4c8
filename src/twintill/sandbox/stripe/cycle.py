"""The billing cycle: first invoices, renewals, ends of trials and of subscriptions."""

from __future__ import annotations

from twintill.sandbox.stripe import discounts, drafting, settling, subscription_state
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.invoice_shape import Terms
from twintill.sandbox.stripe.lines import subscription_line
from twintill.sandbox.stripe.periods import next_boundary, previous_boundary
from twintill.sandbox.stripe.refusal import Refusal
from twintill.sandbox.stripe.world import Json, Moment, World, snapshot

RUNNING = ("active", "trialing", "past_due", "unpaid")


def begin(world: World, subscription: Json, moment: Moment, *, prorate: bool = True) -> Json:
    """The first invoice of a new subscription, as a draft that is not announced yet."""
    customer = world.get("customer", subscription["customer"])
    start, end = current_period(subscription)
    terms = _terms(subscription, "subscription_create", (start, start))

    def lines(invoice_id: str) -> list[Json]:
        return [
            subscription_line(
                world,
                invoice_id,
                item,
                (start, end),
                _first_amount(subscription, item, prorate=prorate),
            )
            for item in subscription["items"]["data"]
        ]

    invoice = drafting.build_draft(world, customer, terms, moment, lines)
    drafting.add_pending(world, invoice, subscription["id"])
    _remember_billed(world, subscription, invoice)
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def announce_first(world: World, subscription: Json, invoice: Json, moment: Moment) -> None:
    """Sends what a creation sends; an invoice charged by Stripe, or free, is finalized at once."""
    emit(world, "customer.subscription.created", subscription, moment)
    drafting.publish_draft(world, invoice, moment)
    automatic = subscription["collection_method"] == "charge_automatically"
    if invoice["total"] == 0 or automatic:
        settling.finalize(world, invoice, moment)
    if subscription["status"] == "incomplete":
        last = moment.at + world.settings.incomplete_expires_after_s
        world.schedule(last, "expire_incomplete", subscription)


def schedule_period_end(world: World, subscription: Json) -> None:
    world.schedule(current_period(subscription)[1], "period_end", subscription)


def period_ended(world: World, subscription: Json, moment: Moment) -> None:
    """The paid (or trial) period is over: cancel, or begin the next one with its invoice."""
    start, end = current_period(subscription)
    if subscription["status"] not in RUNNING or end > moment.at:
        return
    if subscription["cancel_at_period_end"] or (subscription["cancel_at"] or end + 1) <= end:
        subscription_state.cancel_now(world, subscription, moment)
        _bill_what_waits(world, subscription, (start, end), moment)
        return
    before = snapshot(subscription)
    if subscription["status"] == "trialing":
        subscription["billing_cycle_anchor"] = end
        subscription["status"] = "active"
    _set_period(subscription, end, _next_end(subscription, end))
    invoice = renewal_invoice(world, subscription, (start, end), moment)
    subscription["latest_invoice"] = invoice["id"]
    emit(world, "customer.subscription.updated", subscription, moment, before)
    drafting.publish_draft(world, invoice, moment)
    schedule_period_end(world, subscription)


def renewal_invoice(
    world: World, subscription: Json, ended: tuple[int, int], moment: Moment
) -> Json:
    """The draft for the period that begins, with everything that waited for it."""
    customer = world.get("customer", subscription["customer"])
    terms = _terms(subscription, "subscription_cycle", ended)
    period = current_period(subscription)

    def lines(invoice_id: str) -> list[Json]:
        items = subscription["items"]["data"]
        return [subscription_line(world, invoice_id, item, period) for item in items]

    invoice = drafting.build_draft(world, customer, terms, moment, lines)
    drafting.add_pending(world, invoice, subscription["id"])
    _remember_billed(world, subscription, invoice)
    return invoice


def _bill_what_waits(
    world: World, subscription: Json, ended: tuple[int, int], moment: Moment
) -> None:
    """Pending items are billed when the period ends, also when the subscription ends with it."""
    customer = world.get("customer", subscription["customer"])
    terms = _terms(subscription, "subscription_cycle", ended)
    if drafting.pending_items(world, customer, terms.currency, subscription["id"]):
        invoice = drafting.build_draft(world, customer, terms, moment, lambda _id: [])
        drafting.add_pending(world, invoice, subscription["id"])
        subscription["latest_invoice"] = invoice["id"]
        drafting.publish_draft(world, invoice, moment)


def _remember_billed(world: World, subscription: Json, invoice: Json) -> None:
    """What a whole period comes to after discounts: unused time is credited by it."""
    items = subscription["items"]["data"]
    fulls = [item["price"]["unit_amount"] * item["quantity"] for item in items]
    nets = discounts.net_amounts(world, invoice["discounts"], fulls)
    world.billed.update(zip((item["id"] for item in items), nets, strict=True))


def finalization_due(world: World, invoice: Json, moment: Moment) -> None:
    """A draft whose hour is over; what it fails with is said by its own event."""
    if not drafting.may_finalize(world, invoice, moment.at):
        waits = invoice["status"] == "draft" and invoice["auto_advance"]
        overdue = moment.at - invoice["created"] >= world.settings.finalize_anyway_after_s
        if waits and overdue and invoice["webhooks_delivered_at"] is None:
            world.schedule(moment.at + 60, "finalize", invoice)  # a first delivery is still out
        return
    try:
        settling.finalize(world, invoice, moment)
    except Refusal:
        return
    _apply_pause(world, invoice, moment)


def retry_due(world: World, invoice: Json, moment: Moment) -> None:
    """Stripe's own next attempt at a charge that failed."""
    still_wanted = invoice["next_payment_attempt"] == moment.at and invoice["auto_advance"]
    if invoice["status"] == "open" and still_wanted and not settling.is_processing(world, invoice):
        settling.collect_automatically(world, invoice, moment)


def incomplete_expired(world: World, subscription: Json, moment: Moment) -> None:
    """The first invoice was not paid in time: there never was a subscription."""
    if subscription["status"] != "incomplete":
        return
    subscription_state.change(
        world, subscription, moment, status="incomplete_expired", ended_at=moment.at
    )
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open" and not settling.is_processing(world, invoice):
        settling.void(world, invoice, moment)


def cancellation_due(world: World, subscription: Json, moment: Moment) -> None:
    """The time set by `cancel_at` has come."""
    wanted = subscription["cancel_at"]
    if subscription["status"] in RUNNING and wanted is not None and wanted <= moment.at:
        subscription_state.cancel_now(world, subscription, moment)


def current_period(subscription: Json) -> tuple[int, int]:
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def upcoming_period(subscription: Json) -> tuple[int, int]:
    """The period after the current one."""
    end = current_period(subscription)[1]
    return end, _next_end(subscription, end)


def _set_period(subscription: Json, start: int, end: int) -> None:
    for item in subscription["items"]["data"]:
        item["current_period_start"], item["current_period_end"] = start, end


def _next_end(subscription: Json, after: int) -> int:
    anchor = subscription["billing_cycle_anchor"]
    if subscription["status"] == "trialing":
        anchor = after
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    return next_boundary(anchor, recurring["interval"], recurring["interval_count"], after)


def _first_amount(subscription: Json, item: Json, *, prorate: bool) -> int | None:
    """Nothing in a trial; a share of the price if the first period is cut by a later anchor."""
    if subscription["status"] == "trialing":
        return 0
    start, end = current_period(subscription)
    if subscription["billing_cycle_anchor"] == start:
        return None
    if not prorate:
        return 0
    recurring = item["price"]["recurring"]
    full_start = previous_boundary(end, recurring["interval"], recurring["interval_count"], end)
    full: int = item["price"]["unit_amount"] * item["quantity"]
    share, whole = end - start, end - full_start
    return full if share >= whole else (full * share * 2 + whole) // (2 * whole)


def _terms(subscription: Json, billing_reason: str, period: tuple[int, int]) -> Terms:
    paused = subscription["pause_collection"] or {}
    closed = subscription["status"] == "unpaid" or paused.get("behavior") == "keep_as_draft"
    return Terms(
        billing_reason=billing_reason,
        currency=subscription["currency"],
        collection_method=subscription["collection_method"],
        auto_advance=not closed,
        automatic_tax=subscription["automatic_tax"]["enabled"],
        period_start=period[0],
        period_end=period[1],
        subscription=subscription,
        days_until_due=subscription["days_until_due"],
        description=subscription["description"],
    )


def _apply_pause(world: World, invoice: Json, moment: Moment) -> None:
    subscription = subscription_state.subscription_of(world, invoice)
    behavior = ((subscription and subscription["pause_collection"]) or {}).get("behavior")
    if invoice["status"] != "open":
        return
    if behavior == "void":
        settling.void(world, invoice, moment)
    elif behavior == "mark_uncollectible":
        settling.mark_uncollectible(world, invoice, moment, "subscription_paused")
