"""Signing up: from the app's one call to access, and never a charge before the customer's yes."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.signing_up import (
    HERE,
    PATIENCE_S,
    ask,
    choose,
    come_back,
    finish,
    its_checkout,
    price,
    show,
    sign_up,
    stripes_customer,
    subscription_status,
    telling,
    told,
    work,
)
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.payment import Reason, State
from twintill.domain.signup import SignupState
from twintill.errors import BadRequest, ConflictError
from twintill.flows import consent, signup
from twintill.store import methods


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def test_a_sign_up_makes_customer_and_subscription_and_shows_the_first_invoice(
    world: World,
) -> None:
    shown = await show(world, await sign_up(world))
    assert shown.state is SignupState.CHECKOUT_OPEN
    assert shown.checkout is not None
    assert (shown.checkout.shown_minor, shown.checkout.currency) == (4900, "EUR")
    subscription = await world.means.stripe.read_subscription(str(shown.checkout.subscription_id))
    assert subscription.collection_method == "send_invoice"
    assert subscription.op_id == shown.operation.id
    assert await world.status(str(shown.checkout.invoice_id)) == "draft"


async def test_nothing_can_be_charged_before_the_customer_agreed(world: World) -> None:
    customer_id = await world.customer("card_ok")
    shown = await show(world, await sign_up(world, customer_id=customer_id))
    assert shown.payment is not None
    assert (shown.payment.reason, shown.payment.limit_minor) == (Reason.CHECKOUT, 0)
    await world.means.stripe.finalize(shown.payment.invoice_id, "by-somebody")
    await world.advance(world.means.checkout_expires_after / 2)
    await work(world)
    assert await world.charges() == []


async def test_the_whole_way_ends_with_one_charge_and_access(world: World) -> None:
    signup_id = await sign_up(world)
    shown = await finish(world, signup_id)
    assert shown.state is SignupState.ACTIVE
    assert shown.operation.ended_at is not None
    assert shown.payment is not None
    assert shown.payment.state is State.REPORTED
    assert await world.status(shown.payment.invoice_id) == "paid"
    assert [c["amount"] for c in await world.charges()] == [4900]


async def test_the_token_is_sealed_here_and_its_ids_are_in_stripes_metadata(world: World) -> None:
    signup_id = await sign_up(world)
    shown = await finish(world, signup_id)
    assert shown.checkout is not None
    async with world.db() as db:
        (method,) = await methods.list_of_customer(db, SCOPE, shown.checkout.customer_id)
    token = methods.open_token(world.means.vault, SCOPE, method)
    assert method.sealed_token is not None
    assert token.encode() not in method.sealed_token
    assert method.display["last4"] == "4242"
    metadata = (await stripes_customer(world, shown.checkout.customer_id))["metadata"]
    assert metadata["third_party_payment_method_id"] == token
    assert metadata["third_party_customer_id"] == method.processor_customer_id


async def test_access_is_told_once_and_only_when_the_invoice_is_paid(world: World) -> None:
    world = telling(world)
    signup_id = await sign_up(world, metadata={"user": "7"})
    await choose(world, (await its_checkout(world, signup_id)).id)
    await come_back(world, signup_id)
    assert await told(world, "signup.access_granted") == []
    await work(world)
    await come_back(world, signup_id)
    await work(world)
    (event,) = await told(world, "signup.access_granted")
    assert (event["id"], event["state"]) == (signup_id, "active")
    assert event["metadata"] == {"user": "7"}


async def test_asked_twice_it_is_the_same_sign_up(world: World) -> None:
    request = await ask(world)
    for _ in range(2):
        await signup.begin(world.means, SCOPE, "sgn_same", request)
    with pytest.raises(ConflictError):
        await signup.begin(world.means, SCOPE, "sgn_same", await ask(world))
    with pytest.raises(BadRequest, match="not configured"):
        await signup.begin(world.means, SCOPE, "sgn_x", await ask(world, processor="nobody"))


async def test_a_price_that_is_unknown_fails_it_with_stripes_words(world: World) -> None:
    shown = await show(world, await sign_up(world, items=(("price_unknown", 1),)))
    assert shown.state is SignupState.FAILED
    assert "price_unknown" in shown.operation.data["failed_why"]


async def test_a_bank_debit_grants_access_when_it_is_confirmed(world: World) -> None:
    shown = await finish(world, await sign_up(world), "debit_ok")
    assert shown.state is SignupState.COLLECTING
    assert shown.payment is not None
    assert shown.payment.state is State.PENDING


async def test_a_declined_customer_chooses_another_method_and_is_charged_at_once(
    world: World,
) -> None:
    signup_id = await sign_up(world)
    declined = await finish(world, signup_id, "card_hard_declined")
    assert declined.state is SignupState.ACTION_REQUIRED
    active = await finish(world, signup_id, "card_ok")
    assert active.state is SignupState.ACTIVE
    assert active.checkout is not None
    async with world.db() as db:
        (left,) = await methods.list_of_customer(db, SCOPE, active.checkout.customer_id)
    assert left.id == active.checkout.payment_method_id


async def test_a_trial_grants_access_without_a_charge(world: World) -> None:
    signup_id = await sign_up(world, trial_period_days=14)
    assert (await its_checkout(world, signup_id)).shown_minor == 0
    shown = await finish(world, signup_id)
    assert shown.state is SignupState.ACTIVE
    assert await world.charges() == []
    assert shown.checkout is not None
    status = await subscription_status(world, shown.checkout.subscription_id)
    assert status == "trialing"


async def test_an_amount_that_tax_makes_higher_waits_for_a_yes(world: World) -> None:
    signup_id = await sign_up(world, automatic_tax=True)
    its = await its_checkout(world, signup_id)
    assert its.shown_minor == 4900
    assert await consent.locate(world.means, SCOPE, its.id, HERE, None)
    asked = await finish(world, signup_id)
    assert asked.state is SignupState.ACTION_REQUIRED
    assert asked.checkout is not None
    assert (asked.checkout.state, asked.checkout.final_minor) == ("confirming", 5831)
    assert await world.charges() == []
    with pytest.raises(ConflictError):
        await consent.confirm(world.means, SCOPE, its.id, 4900)
    await consent.confirm(world.means, SCOPE, its.id, 5831)
    await consent.confirm(world.means, SCOPE, its.id, 5831)
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    assert [c["amount"] for c in await world.charges()] == [5831]


async def test_a_no_to_the_higher_amount_undoes_everything(world: World) -> None:
    signup_id = await sign_up(world, automatic_tax=True)
    its = await its_checkout(world, signup_id)
    await consent.locate(world.means, SCOPE, its.id, HERE, None)
    await finish(world, signup_id)
    await consent.give_up(world.means, SCOPE, its.id)
    await work(world)
    shown = await show(world, signup_id)
    assert shown.state is SignupState.EXPIRED
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"
    assert await world.charges() == []
    async with world.db() as db:
        assert await methods.list_of_customer(db, SCOPE, its.customer_id) == []


async def test_a_place_that_stripe_does_not_know_is_asked_for_again(world: World) -> None:
    its = await its_checkout(world, await sign_up(world, automatic_tax=True))
    nowhere = {"country": "DE", "postal_code": "00000"}
    assert not await consent.locate(world.means, SCOPE, its.id, nowhere, None)
    assert await consent.locate(world.means, SCOPE, its.id, HERE, "203.0.113.7")


async def test_an_address_that_is_missing_at_the_end_is_asked_for_then(world: World) -> None:
    signup_id = await sign_up(world, automatic_tax=True)
    its = await its_checkout(world, signup_id)
    shown = await finish(world, signup_id)
    assert shown.checkout is not None
    assert (shown.checkout.state, shown.checkout.problem) == ("open", "address")
    await consent.locate(world.means, SCOPE, its.id, HERE, None)
    await come_back(world, signup_id)
    assert (await its_checkout(world, signup_id)).final_minor == 5831


async def test_prices_of_other_currencies_and_quantities(world: World) -> None:
    yen = await price(world, 500, "jpy")
    signup_id = await sign_up(world, items=((yen, 3),))
    assert (await its_checkout(world, signup_id)).shown_minor == 1500
    assert (await finish(world, signup_id)).state is SignupState.ACTIVE
