"""Changing a subscription: what its preview showed is billed, once, and then collected."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import cancel, renew, subscriber
from tests.flows.signing_up import PATIENCE_S, its_checkout, price, sign_up, work
from tests.flows.switching import card, subscription
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.changing import BILLED_A_DAY, Prorations, Step
from twintill.errors import BadRequest, ConflictError, NotFoundError, StripeRefused
from twintill.flows import changing, previewing
from twintill.flows import operations as flow
from twintill.flows.changing import ChangeRequest
from twintill.ids import new_id
from twintill.sandbox.dashboard import Dashboard
from twintill.store import invoice_actions, operations
from twintill.store.operations import Operation
from twintill.stripe_billing.preview import Change, ItemChange, WhatIf

SEATS = ItemChange(quantity=3)
AT_ONCE = Change(prorations=Prorations.AT_ONCE)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def ask(
    world: World, subscription_id: str, change: Change = AT_ONCE, only: ItemChange | None = SEATS
) -> Operation:
    operation_id = new_id("sch")
    request = ChangeRequest(subscription_id, change, "person:ada", only)
    await changing.begin(world.means, SCOPE, operation_id, request)
    await flow.drive(world.means, SCOPE, operation_id)
    async with world.db() as db:
        return await operations.read(db, SCOPE, operation_id)


async def finalized(world: World) -> None:
    """The draft's hour passes, and what it brings is collected."""
    await world.advance(timedelta(hours=2))
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await work(world)


async def stripes(world: World, invoice_id: str) -> Any:
    return await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)


async def test_what_was_previewed_is_billed_some_time_later_and_collected(world: World) -> None:
    _, subscription_id = await subscriber(world)
    off = await Dashboard(world.stripe).create_coupon(percent_off=15, duration="forever")
    await world.advance(timedelta(days=9, seconds=1234))
    wanted = Change(coupon=off, prorations=Prorations.AT_ONCE)
    seen = await previewing.preview(world.means, WhatIf(wanted, subscription_id), SEATS)
    await world.advance(timedelta(hours=3))
    dated = Change((), off, None, Prorations.AT_ONCE, seen.proration_date)
    done = await ask(world, subscription_id, dated)
    invoice_id = str(done.data["invoice_id"])
    billed = await stripes(world, invoice_id)
    assert (done.step, billed.total) == (Step.DONE, seen.preview.total_minor)
    assert [line.amount_minor for line in seen.preview.lines] == [
        line.amount for line in billed.lines.data
    ]
    await finalized(world)
    assert await world.status(invoice_id) == "paid"
    assert billed.total in [charge["amount"] for charge in await world.charges()]
    async with world.db() as db:
        [action] = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    assert (action.action, action.actor) == ("subscription changed", "person:ada")


async def test_with_the_next_invoice_unless_it_is_to_be_billed_at_once(world: World) -> None:
    _, subscription_id = await subscriber(world)
    await world.advance(timedelta(days=9))
    seen = await previewing.preview(world.means, WhatIf(Change(), subscription_id), SEATS)
    done = await ask(world, subscription_id, Change(proration_date=seen.proration_date))
    assert done.data["invoice_id"] is None
    billed = await stripes(world, await renew(world))
    assert (billed.total, billed.status) == (seen.preview.total_minor, "paid")
    assert billed.total > 3 * 4900


async def test_what_is_given_back_becomes_credit_and_nothing_is_charged(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    cheap = ItemChange(price=await price(world, 900))
    seen = await previewing.preview(world.means, WhatIf(AT_ONCE, subscription_id), cheap)
    assert (seen.preview.total_minor < 0, seen.preview.amount_due_minor) == (True, 0)
    await ask(world, subscription_id, AT_ONCE, cheap)
    await finalized(world)
    customer = await world.means.stripe.client.v1.customers.retrieve_async(customer_id)
    assert abs((customer.balance or 0) + 4000) < 10
    assert len(await world.charges()) == 1


async def test_stripes_refusal_is_told_and_nothing_is_changed(world: World) -> None:
    _, subscription_id = await subscriber(world)
    for refused in (Change(coupon="nope"), Change(proration_date=1)):
        with pytest.raises(StripeRefused):
            await previewing.preview(world.means, WhatIf(refused, subscription_id), SEATS)
        done = await ask(world, subscription_id, refused)
        assert (done.step, done.data["failed_why"] != "") == (Step.FAILED, True)
    found = await world.means.stripe.read_changeable(subscription_id)
    assert [quantity for _, _, quantity in found.items] == [1]


async def test_what_cannot_be_is_refused_and_changes_nothing(world: World) -> None:
    with pytest.raises(NotFoundError):
        await ask(world, "sub_of_nobody")
    _, subscription_id = await subscriber(world)
    with pytest.raises(BadRequest, match="what is to be changed"):
        await ask(world, subscription_id, only=None)
    await world.break_stripe("/v1/subscriptions/sub_[^/]+$", "reset_before", method="POST", times=9)
    first = await ask(world, subscription_id)
    assert first.step == Step.CHANGE
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id)
    assert refused.value.code == "change_running"
    other = ChangeRequest(subscription_id, AT_ONCE, "person:ada", ItemChange(quantity=9))
    with pytest.raises(ConflictError) as refused:
        await changing.begin(world.means, SCOPE, first.id, other)
    assert refused.value.code == "idempotency_key_reused"
    await cancel(world, subscription_id)
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id)
    assert refused.value.code == "subscription_ended"


@pytest.mark.parametrize(
    ("kind", "code"), [("switch", "switch_running"), ("cancel_subscription", "cancellation_runs")]
)
async def test_not_while_something_else_becomes_of_it(world: World, kind: str, code: str) -> None:
    customer_id, subscription_id = await subscriber(world)
    async with world.db() as db:
        its = {"subscription_id": subscription_id, "asked": {}}
        await operations.add(
            db, SCOPE, operation_id="op_1", kind=kind, customer_id=customer_id, step="x", data=its
        )
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id)
    assert refused.value.code == code


async def test_what_stripe_collects_is_charged_by_stripe(world: World) -> None:
    customer_id = await world.customer()
    by_stripe = {"collection_method": "charge_automatically", "days_until_due": None}
    there = await card(world, customer_id)
    its = await subscription(world, customer_id, **by_stripe, default_payment_method=there)
    done = await ask(world, its)
    invoice_id = str(done.data["invoice_id"])
    assert (done.step, await world.status(invoice_id)) == (Step.DONE, "paid")
    await finalized(world)
    assert await world.charges() == []


async def test_not_while_a_sign_up_shows_what_it_costs(world: World) -> None:
    its = await its_checkout(world, await sign_up(world))
    with pytest.raises(ConflictError) as refused:
        await ask(world, str(its.subscription_id))
    assert refused.value.code == "signup_unfinished"


async def test_of_several_items_one_is_named(world: World) -> None:
    _, subscription_id = await subscriber(world)
    other = ItemChange(price=await price(world, 900), quantity=2)
    await ask(world, subscription_id, Change(items=(other,)), None)
    with pytest.raises(BadRequest, match="has 2 items"):
        await ask(world, subscription_id)
    found = (await world.means.stripe.read_changeable(subscription_id)).items
    gone = Change(items=(ItemChange(id=found[1][0], deleted=True),))
    assert (await ask(world, subscription_id, gone, None)).step == Step.DONE


async def test_what_is_billed_at_once_is_bounded_for_each_subscription(world: World) -> None:
    """Below Stripe's own limit: beyond it the renewal would be refused as well."""
    _, subscription_id = await subscriber(world)
    for n in range(2, 2 + BILLED_A_DAY):
        assert (await ask(world, subscription_id, only=ItemChange(quantity=n))).step == "done"
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id)
    assert refused.value.code == "changed_too_often"
    later = Change(prorations=Prorations.CREATE)
    assert (await ask(world, subscription_id, later)).step == "done"
    await world.advance(timedelta(days=1, minutes=1))
    assert (await ask(world, subscription_id, only=ItemChange(quantity=9))).step == "done"
