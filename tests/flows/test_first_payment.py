"""A first payment that fails for good ends the subscription that Stripe already calls active."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import hear_of_the_end, renew, statuses, with_policy
from tests.flows.signing_up import (
    PATIENCE_S,
    choose,
    come_back,
    finish,
    its_checkout,
    show,
    sign_up,
    subscription_status,
    telling,
    told,
    work,
)
from tests.flows.world import World, running_world
from tests.postgres import Database
from twintill.domain.payment import Reason, State
from twintill.domain.policy import Exhausted, FirstPaymentFailed
from twintill.domain.signup import SignupState

_GRACE = timedelta(days=1, minutes=5)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield telling(world)


async def test_after_the_grace_invoice_subscription_and_tokens_go(world: World) -> None:
    signup_id = await sign_up(world)
    shown = await finish(world, signup_id, "card_hard_declined")
    its = await its_checkout(world, signup_id)
    assert shown.state is SignupState.ACTION_REQUIRED
    assert await subscription_status(world, its.subscription_id) == "active"
    await world.advance(_GRACE)
    await work(world)
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"
    assert (await show(world, signup_id)).state is SignupState.FAILED
    assert await statuses(world, its.customer_id) == {"removed"}
    assert len(await told(world, "subscription.first_payment_failed")) == 1
    assert len(await told(world, "signup.failed")) == 1
    assert await told(world, "signup.access_granted") == []


async def test_when_all_tries_are_used_up_too(world: World) -> None:
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_declined")
    its = await its_checkout(world, signup_id)
    for _ in range(16):
        await world.advance(timedelta(days=1))
        await work(world)
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
@pytest.mark.parametrize(
    ("call", "method"),
    [("/v1/invoices/[^/]+/void$", "POST"), ("/v1/subscriptions/sub_[^/]+$", "DELETE")],
)
async def test_answers_that_are_lost_on_the_way_to_the_end_change_nothing(
    world: World, call: str, method: str, kind: str
) -> None:
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_hard_declined")
    its = await its_checkout(world, signup_id)
    await world.advance(_GRACE)
    await world.break_stripe(call, kind, method=method, times=3)
    await work(world)
    await world.advance(timedelta(minutes=15))
    await work(world)
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"
    assert len(await told(world, "subscription.first_payment_failed")) == 1


async def test_another_method_in_time_saves_it(world: World) -> None:
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_hard_declined")
    its = await its_checkout(world, signup_id)
    await choose(world, its.id, "card_ok")
    await come_back(world, signup_id)
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    await world.advance(_GRACE)
    await work(world)
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_by_setting_it_is_left_to_people(world: World) -> None:
    world = with_policy(world, first_payment_failed=FirstPaymentFailed.LEAVE)
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_hard_declined")
    await world.advance(timedelta(days=10))
    await work(world)
    its = await its_checkout(world, signup_id)
    assert await world.status(str(its.invoice_id)) == "open"
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_what_dunning_has_written_off_stays_so(world: World) -> None:
    world = with_policy(world, exhausted=Exhausted.MARK_UNCOLLECTIBLE)
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_hard_declined")
    await world.advance(_GRACE)
    await work(world)
    its = await its_checkout(world, signup_id)
    assert await subscription_status(world, its.subscription_id) == "canceled"
    assert await world.status(str(its.invoice_id)) == "uncollectible"
    assert (await show(world, signup_id)).state is SignupState.FAILED


async def test_a_renewal_that_fails_is_no_first_payment(world: World) -> None:
    signup_id = await sign_up(world)
    await finish(world, signup_id)
    its = await its_checkout(world, signup_id)
    await world.add_method(its.customer_id, "card_hard_declined")
    await renew(world)
    await world.advance(_GRACE)
    await work(world)
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_what_was_paid_before_we_collected_it_is_no_first_payment(world: World) -> None:
    """The subscription was paid in Stripe by other means before its customer came to us."""
    signup_id = await sign_up(world)
    await finish(world, signup_id, "card_hard_declined")
    its = await its_checkout(world, signup_id)
    await world.means.stripe.pay_out_of_band(str(its.invoice_id), "by-hand")
    invoice_id = await renew(world)
    await world.advance(_GRACE)
    await work(world)
    assert await world.status(invoice_id) == "open"
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_a_trial_stores_a_method_without_a_charge_and_charges_when_it_ends(
    world: World,
) -> None:
    signup_id = await sign_up(world, trial_period_days=14)
    shown = await finish(world, signup_id)
    its = await its_checkout(world, signup_id)
    assert (shown.state, its.shown_minor) == (SignupState.ACTIVE, 0)
    assert shown.payment is not None
    assert (shown.payment.state, shown.payment.reason) == (State.CANCELED, Reason.NOTHING_DUE)
    assert await subscription_status(world, its.subscription_id) == "trialing"
    assert await world.status(str(its.invoice_id)) == "paid"
    assert await world.charges() == []
    await world.advance(timedelta(days=14, minutes=1))
    await world.advance(timedelta(hours=2))
    events = await stripe_events(world, "invoice.finalized", "invoice.paid")
    await deliver(world, events)
    await work(world)
    (charge,) = await world.charges()
    assert charge["amount"] == 4900
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_a_trial_whose_first_paid_invoice_fails_for_good_ends(world: World) -> None:
    signup_id = await sign_up(world, trial_period_days=14)
    await finish(world, signup_id, "card_hard_declined")
    its = await its_checkout(world, signup_id)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    invoice_id = await renew(world)
    assert (await world.payment(invoice_id)).state is State.EXHAUSTED
    await world.advance(_GRACE)
    await work(world)
    assert await world.status(invoice_id) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"
    await hear_of_the_end(world)
    assert await statuses(world, its.customer_id) == {"removed"}
