"""Subscriptions of the sandbox Stripe: from creation over renewals to their end."""

from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import (
    CUSTOMER_CARD,
    DAY_S,
    HOUR_S,
    START,
    StripeWorld,
    stripe_world,
)
from twintill.sandbox.stripe import StripeSandboxSettings


def day(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")


async def invoices_of(world: StripeWorld, subscription: Any) -> list[Any]:
    """Oldest first."""
    found = await world.v1.invoices.list_async({"subscription": subscription.id})
    return list(found.data)[::-1]


async def test_send_invoice_is_active_at_once_and_its_first_invoice_a_draft(
    world: StripeWorld,
) -> None:
    subscription = await world.subscribe()
    assert subscription.status == "active"
    invoice = subscription.latest_invoice
    assert (invoice.status, invoice.amount_due, invoice.billing_reason) == (
        "draft",
        4900,
        "subscription_create",
    )
    assert invoice.due_date == world.now + 14 * DAY_S
    assert invoice.parent.subscription_details.subscription == subscription.id


async def test_send_invoice_needs_days_until_due(world: StripeWorld) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="days_until_due") as refused:
        await world.subscribe(days_until_due=None)
    assert refused.value.code == "parameter_missing"


async def test_renewals_keep_the_day_of_the_month(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    await world.advance(95 * DAY_S)
    invoices = await invoices_of(world, subscription)
    assert [day(i.created) for i in invoices] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert {i.billing_reason for i in invoices[1:]} == {"subscription_cycle"}
    assert [i.status_transitions.finalized_at - i.created for i in invoices] == [HOUR_S] * 4
    assert [i.number[-4:] for i in invoices] == ["0001", "0002", "0003", "0004"]


async def test_a_renewal_bills_the_period_that_begins(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(100, "week"))
    await world.advance(7 * DAY_S)
    renewed = await world.v1.subscriptions.retrieve_async(subscription.id)
    item = renewed["items"].data[0]
    assert (item.current_period_start, item.current_period_end) == (
        world.now,
        world.now + 7 * DAY_S,
    )
    invoice = (await invoices_of(world, subscription))[-1]
    assert invoice.id == renewed.latest_invoice
    assert invoice.lines.data[0].period.start == world.now
    assert (invoice.period_start, invoice.period_end) == (world.now - 7 * DAY_S, world.now)


async def test_an_unpaid_invoice_makes_it_past_due_and_paying_active_again(
    world: StripeWorld,
) -> None:
    subscription = await world.subscribe()
    await world.advance(14 * DAY_S)
    overdue = await world.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["customer"]})
    assert (overdue.status, overdue.customer.delinquent) == ("past_due", True)
    assert "invoice.overdue" not in await world.types()
    await world.v1.invoices.pay_async(subscription.latest_invoice.id, {"paid_out_of_band": True})
    paid = await world.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["customer"]})
    assert (paid.status, paid.customer.delinquent) == ("active", False)


@pytest.mark.parametrize(
    ("action", "status"), [("none", "past_due"), ("cancel", "canceled"), ("unpaid", "unpaid")]
)
async def test_the_accounts_setting_decides_what_becomes_of_past_due(
    action: Any, status: str
) -> None:
    settings = StripeSandboxSettings(seed=1, later_action=action, later_action_after_s=7 * DAY_S)
    async with stripe_world(settings) as world:
        subscription = await world.subscribe()
        await world.advance(21 * DAY_S)
        now = await world.v1.subscriptions.retrieve_async(subscription.id)
        assert now.status == status


async def test_cancelling_stops_its_invoices_but_leaves_them_payable(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    invoice = await world.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)
    gone = await world.v1.subscriptions.cancel_async(subscription.id)
    assert (gone.status, gone.ended_at) == ("canceled", world.now)
    invoice = await world.v1.invoices.retrieve_async(invoice.id)
    assert (invoice.status, invoice.auto_advance) == ("open", False)
    paid = await world.v1.invoices.pay_async(invoice.id, {"paid_out_of_band": True})
    assert paid.status == "paid"
    assert "customer.subscription.deleted" in await world.types()
    await world.advance(40 * DAY_S)
    assert len(await invoices_of(world, subscription)) == 1


async def test_cancelling_twice_finds_nothing(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    await world.v1.subscriptions.cancel_async(subscription.id)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.subscriptions.cancel_async(subscription.id)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_cancel_at_period_end_runs_out(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    changed = await world.v1.subscriptions.update_async(
        subscription.id, {"cancel_at_period_end": True}
    )
    assert (changed.status, day(changed.cancel_at)) == ("active", "2026-02-28")
    await world.advance(28 * DAY_S)
    ended = await world.v1.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, day(ended.ended_at)) == ("canceled", "2026-02-28")
    assert len(await invoices_of(world, subscription)) == 1


async def test_cancel_at_ends_it_in_the_middle_of_a_period(world: StripeWorld) -> None:
    subscription = await world.subscribe(cancel_at=world.now + 5 * DAY_S)
    await world.advance(5 * DAY_S)
    ended = await world.v1.subscriptions.retrieve_async(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", world.now)


async def test_a_trial_bills_nothing_until_it_ends(world: StripeWorld) -> None:
    subscription = await world.subscribe(trial_period_days=7)
    first = subscription.latest_invoice
    assert subscription.status == "trialing"
    assert (first.status, first.total) == ("paid", 0)
    await world.advance(7 * DAY_S)
    now = await world.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice"]}
    )
    assert now.status == "active"
    assert (now.latest_invoice.status, now.latest_invoice.amount_due) == ("draft", 4900)
    assert now.billing_cycle_anchor == world.now


async def test_a_trial_can_be_ended_now(world: StripeWorld) -> None:
    subscription = await world.subscribe(trial_period_days=30)
    await world.advance(DAY_S)
    await world.v1.subscriptions.update_async(subscription.id, {"trial_end": "now"})
    await world.tick()
    now = await world.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice"]}
    )
    assert (now.status, now.latest_invoice.total) == ("active", 4900)


async def test_a_later_anchor_prorates_the_first_period(world: StripeWorld) -> None:
    anchor = int(datetime(2026, 2, 15, 9, tzinfo=UTC).timestamp())
    subscription = await world.subscribe(billing_cycle_anchor=anchor)
    # 15 of the 31 days from January 15 to February 15.
    assert subscription.latest_invoice.total == round(4900 * 15 / 31)
    await world.advance(16 * DAY_S)
    assert [day(i.created) for i in await invoices_of(world, subscription)] == [
        "2026-01-31",
        "2026-02-15",
    ]


async def test_a_card_is_charged_at_once_and_at_each_renewal(world: StripeWorld) -> None:
    customer = await world.customer(**CUSTOMER_CARD)
    subscription = await world.subscribe(customer, collection_method="charge_automatically")
    assert (subscription.status, subscription.latest_invoice.status) == ("active", "paid")
    await world.advance(28 * DAY_S + HOUR_S)
    assert [i.status for i in await invoices_of(world, subscription)] == ["paid", "paid"]
    payments = await world.v1.invoice_payments.list_async({"status": "paid"})
    assert {p.payment.type for p in payments.data} == {"payment_intent"}
    assert (await world.types()).count("invoice.payment_succeeded") == 2


async def test_a_declined_card_leaves_it_incomplete_until_it_expires(world: StripeWorld) -> None:
    customer = await world.customer()
    subscription = await world.subscribe(
        customer,
        collection_method="charge_automatically",
        default_payment_method="pm_card_chargeDeclined",
    )
    assert (subscription.status, subscription.latest_invoice.status) == ("incomplete", "open")
    await world.advance(23 * HOUR_S)
    expired = await world.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice"]}
    )
    assert (expired.status, expired.latest_invoice.status) == ("incomplete_expired", "void")


async def test_a_card_that_fails_later_is_tried_again(world: StripeWorld) -> None:
    customer = await world.customer(**CUSTOMER_CARD)
    subscription = await world.subscribe(customer, collection_method="charge_automatically")
    await world.v1.subscriptions.update_async(
        subscription.id, {"default_payment_method": "pm_card_declined"}
    )
    await world.advance(28 * DAY_S + HOUR_S)
    failed = await world.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice"]}
    )
    assert (failed.status, failed.latest_invoice.attempt_count) == ("past_due", 1)
    await world.v1.subscriptions.update_async(
        subscription.id, {"default_payment_method": "pm_card_mastercard"}
    )
    await world.advance(3 * DAY_S)
    mended = await world.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["latest_invoice"]}
    )
    assert (mended.status, mended.latest_invoice.status) == ("active", "paid")


async def test_without_a_card_nothing_is_charged_automatically(world: StripeWorld) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
        await world.subscribe(collection_method="charge_automatically")


async def test_switching_to_stripe_changes_the_next_invoice_only(world: StripeWorld) -> None:
    subscription = await world.subscribe()
    await world.advance(HOUR_S)
    switched = await world.v1.subscriptions.update_async(
        subscription.id,
        {"collection_method": "charge_automatically", "default_payment_method": "pm_card_visa"},
    )
    assert (switched.collection_method, switched.days_until_due) == ("charge_automatically", None)
    await world.advance(28 * DAY_S + HOUR_S)
    old, new = await invoices_of(world, subscription)
    assert (old.collection_method, old.status) == ("send_invoice", "open")
    assert (new.collection_method, new.status) == ("charge_automatically", "paid")


async def test_more_seats_are_prorated_onto_the_next_invoice(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(3100))
    await world.advance(14 * DAY_S)
    item = subscription["items"].data[0]
    await world.v1.subscriptions.update_async(
        subscription.id, {"items": [{"id": item.id, "quantity": 2}]}
    )
    pending = await world.v1.invoice_items.list_async({"pending": True})
    assert sorted(i.amount for i in pending.data) == [-1550, 3100]
    await world.advance(14 * DAY_S)
    renewal = (await invoices_of(world, subscription))[-1]
    assert renewal.total == 2 * 3100 + 1550
    assert sum(li.parent.type == "invoice_item_details" for li in renewal.lines.data) == 2


async def test_prorations_can_be_invoiced_at_once_or_not_made(world: StripeWorld) -> None:
    subscription = await world.subscribe(price=await world.price(3000))
    item = subscription["items"].data[0]
    await world.advance(14 * DAY_S)
    change: dict[str, Any] = {"items": [{"id": item.id, "quantity": 3}]}
    await world.v1.subscriptions.update_async(
        subscription.id, {**change, "proration_behavior": "always_invoice"}
    )
    now = (await invoices_of(world, subscription))[-1]
    assert (now.billing_reason, now.total) == ("subscription_update", 3000)
    change["items"][0]["quantity"] = 1
    await world.v1.subscriptions.update_async(
        subscription.id, {**change, "proration_behavior": "none"}
    )
    assert not (await world.v1.invoice_items.list_async({"pending": True})).data


async def test_an_update_says_what_was_before(world: StripeWorld) -> None:
    await world.listen("customer.subscription.updated")
    subscription = await world.subscribe(metadata={"plan": "pro", "old": "1"})
    await world.v1.subscriptions.update_async(
        subscription.id, {"metadata": {"old": "", "new": "2"}}
    )
    await world.tick()
    (event,) = world.endpoint.events
    assert event["data"]["object"]["metadata"] == {"plan": "pro", "new": "2"}
    assert event["data"]["previous_attributes"] == {"metadata": {"old": "1", "new": None}}


async def test_paused_collection_voids_or_keeps_the_renewals(world: StripeWorld) -> None:
    voiding, keeping = await world.subscribe(), await world.subscribe()
    for subscription, behavior in ((voiding, "void"), (keeping, "keep_as_draft")):
        await world.v1.subscriptions.update_async(
            subscription.id, {"pause_collection": {"behavior": behavior}}
        )
    await world.advance(28 * DAY_S + HOUR_S)
    assert (await invoices_of(world, voiding))[-1].status == "void"
    kept = (await invoices_of(world, keeping))[-1]
    assert (kept.status, kept.auto_advance) == ("draft", False)


async def test_deleting_the_customer_cancels_everything(world: StripeWorld) -> None:
    customer = await world.customer()
    subscription = await world.subscribe(customer)
    gone = await world.v1.customers.delete_async(customer.id)
    assert gone.deleted is True
    ended = await world.v1.subscriptions.retrieve_async(subscription.id)
    assert ended.status == "canceled"
    shown = await world.v1.customers.retrieve_async(customer.id)
    assert shown.deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        await world.subscribe(customer)


async def test_lists_leave_the_canceled_out_unless_asked(world: StripeWorld) -> None:
    kept, gone = await world.subscribe(), await world.subscribe()
    await world.v1.subscriptions.cancel_async(gone.id)

    async def ids(**params: Any) -> list[str]:
        return [s.id for s in (await world.v1.subscriptions.list_async(params)).data]

    assert await ids() == [kept.id]
    assert await ids(status="all") == [gone.id, kept.id]
    assert await ids(status="canceled") == [gone.id]
    assert await ids(customer=kept.customer) == [kept.id]


async def test_prices_of_one_subscription_must_agree(world: StripeWorld) -> None:
    monthly, yearly = await world.price(), await world.price(interval="year")
    with pytest.raises(stripe.InvalidRequestError, match="interval"):
        await world.subscribe(items=[{"price": monthly.id}, {"price": yearly.id}])


def test_the_story_begins_on_the_last_of_a_long_month() -> None:
    assert START.day == 31
