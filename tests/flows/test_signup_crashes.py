"""Signing up survives its workers: dead in any call, beaten by another, or called off by time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.flows.signing_up import (
    PATIENCE_S,
    after,
    choose,
    come_back,
    finish,
    is_open,
    its_checkout,
    price,
    show,
    sign_up,
    subscription_status,
    telling,
    told,
    work,
)
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.payment import State
from twintill.domain.signup import SignupState
from twintill.flows import consent, setups, signup
from twintill.flows import operations as flow
from twintill.flows.signup import SignupRequest
from twintill.ids import new_id
from twintill.store import checkouts, methods, operations

CALLS_OF_THE_BEGINNING = ["/v1/customers$", "/v1/subscriptions$"]
CALLS_OF_THE_END = ["/v1/customers/[^/]+$", "/v1/invoices/[^/]+/finalize$"]
CALLS_OF_CLEANING = [
    ("/v1/invoices/[^/]+/finalize$", "POST"),
    ("/v1/invoices/[^/]+/void$", "POST"),
    ("/v1/subscriptions/[^/]+$", "DELETE"),
]


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def die_in_it(world: World, operation_id: str) -> None:
    """A worker that is killed while it waits for an answer; its lease runs out."""
    async with world.db() as db:
        await operations.ring(db, SCOPE, operation_id)
    look = asyncio.create_task(flow.look(world.means, SCOPE, operation_id))
    while not any(fault["hits"] for fault in await _faults(world)):
        assert not look.done()
        await asyncio.sleep(0.02)
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    await let_leases_run_out(world)


async def let_leases_run_out(world: World) -> None:
    async with world.db() as db:
        await db.execute(text("UPDATE operations SET lease_until = now() - interval '1 second'"))
    await world.advance(timedelta(minutes=2))


async def begin(world: World, signup_id: str, price_id: str) -> None:
    request = SignupRequest(
        items=((price_id, 1),),
        success_url="https://app.example/welcome",
        cancel_url="https://app.example/pricing",
        processor="sandbox",
    )
    await signup.begin(world.means, SCOPE, signup_id, request)


async def made(world: World) -> tuple[int, int]:
    """How many customers and subscriptions there are in Stripe."""
    v1 = world.means.stripe.client.v1
    customers = await v1.customers.list_async({})
    subscriptions = await v1.subscriptions.list_async({"status": "all"})
    return len(customers.data), len(subscriptions.data)


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
@pytest.mark.parametrize("call", CALLS_OF_THE_BEGINNING)
async def test_dead_in_a_call_of_the_beginning_another_goes_on(
    world: World, call: str, kind: str
) -> None:
    signup_id = new_id("sgn")
    await begin(world, signup_id, await price(world))
    await world.break_stripe(call, kind)
    await die_in_it(world, signup_id)
    await come_back(world, signup_id)
    assert (await show(world, signup_id)).state is SignupState.CHECKOUT_OPEN
    assert await made(world) == (1, 1)


@pytest.mark.parametrize("call", CALLS_OF_THE_BEGINNING)
async def test_a_day_later_what_was_made_is_found_and_not_made_again(
    world: World, call: str
) -> None:
    signup_id = new_id("sgn")
    await begin(world, signup_id, await price(world))
    await world.break_stripe(call, "timeout_after")
    await die_in_it(world, signup_id)
    await world.advance(timedelta(hours=25))  # Stripe has forgotten the key
    await come_back(world, signup_id)
    assert (await show(world, signup_id)).checkout is not None
    assert await made(world) == (1, 1)


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
@pytest.mark.parametrize("call", CALLS_OF_THE_END)
async def test_dead_in_a_call_of_the_end_another_goes_on(
    world: World, call: str, kind: str
) -> None:
    world = telling(world)
    signup_id = await sign_up(world)
    await choose(world, (await its_checkout(world, signup_id)).id)
    await world.break_stripe(call, kind)
    await die_in_it(world, signup_id)
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    assert len(await world.charges()) == 1
    assert len(await told(world, "signup.access_granted")) == 1


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
@pytest.mark.parametrize(("call", "method"), CALLS_OF_CLEANING)
async def test_dead_while_cleaning_up_another_goes_on(
    world: World, call: str, method: str, kind: str
) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await consent.give_up(world.means, SCOPE, its.id)
    await world.break_stripe(call, kind, method=method)
    await die_in_it(world, signup_id)
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.EXPIRED
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"


async def test_two_doors_and_a_worker_at_once(world: World) -> None:
    world = telling(world)
    signup_id = await sign_up(world)
    await choose(world, (await its_checkout(world, signup_id)).id)
    await asyncio.gather(*(come_back(world, signup_id) for _ in range(3)))
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    assert len(await world.charges()) == 1
    assert len(await told(world, "signup.access_granted")) == 1


async def test_a_bell_rung_while_somebody_looks_is_not_swallowed(world: World) -> None:
    signup_id = await sign_up(world)
    async with world.db() as db:
        await operations.ring(db, SCOPE, signup_id)
        claimed = await operations.claim(db, SCOPE, signup_id)
    assert claimed is not None
    async with world.db() as db:
        await operations.ring(db, SCOPE, signup_id)
    async with world.db() as db:
        await operations.pause(db, claimed, timedelta(days=1))
        again = await operations.claim(db, SCOPE, signup_id)
    assert again is not None


async def test_who_lost_the_lease_writes_nothing(world: World) -> None:
    signup_id = await sign_up(world)
    async with world.db() as db:
        await operations.ring(db, SCOPE, signup_id)
        slow = await operations.claim(db, SCOPE, signup_id)
    await let_leases_run_out(world)
    async with world.db() as db:
        quick = await operations.claim(db, SCOPE, signup_id)
    assert slow is not None
    assert quick is not None
    with pytest.raises(operations.LeaseLost):
        async with world.db() as db:
            await operations.move(db, slow.lease, "collect", {})
    async with world.db() as db:
        assert (await operations.read(db, SCOPE, signup_id)).step == "checkout"


async def test_expiry_cleans_up_on_all_sides(world: World) -> None:
    world = telling(world)
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    url = await setups.start(world.means, SCOPE, its.id)
    assert url is not None
    await world.advance(after(world.means))
    await work(world)
    shown = await show(world, signup_id)
    assert (shown.state, shown.operation.error) == (SignupState.EXPIRED, None)
    assert shown.payment is not None
    assert shown.payment.state is State.CANCELED
    assert await world.status(str(its.invoice_id)) == "void"
    assert await subscription_status(world, its.subscription_id) == "canceled"
    session = await world.means.processor("sandbox").get_setup(url.rpartition("/")[2])
    assert session.status != "open"
    assert len(await told(world, "signup.expired")) == 1
    await world.advance(timedelta(days=40))
    await work(world)
    assert await world.charges() == []


async def test_the_one_who_returns_in_the_last_moment_wins_or_sees_expired(world: World) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await choose(world, its.id)
    await world.advance(after(world.means))
    await asyncio.gather(come_back(world, signup_id), come_back(world, signup_id))
    await work(world)
    shown = await show(world, signup_id)
    # He had chosen before the time was over, and nobody had looked since: he wins.
    assert shown.state is SignupState.ACTIVE
    assert await subscription_status(world, its.subscription_id) == "active"


async def test_a_method_chosen_after_the_end_is_not_kept(world: World) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await choose(world, its.id)
    async with world.db() as db:
        locked = await checkouts.lock(db, SCOPE, its.id)
        await checkouts.change(db, SCOPE, locked.id, state="expired")
    await come_back(world, signup_id)
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.EXPIRED
    async with world.db() as db:
        assert await methods.list_of_customer(db, SCOPE, its.customer_id) == []
    revoked = [m["status"] for m in await _methods_there(world)]
    assert revoked == ["revoked"]


async def test_an_invoice_that_somebody_paid_in_stripe_is_access_and_no_cleaning(
    world: World,
) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await world.means.stripe.finalize(str(its.invoice_id), "by-hand")
    await world.means.stripe.pay_out_of_band(str(its.invoice_id), "by-hand-2")
    await world.advance(after(world.means))
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    assert await subscription_status(world, its.subscription_id) == "active"
    assert not await is_open(world, its.id)


async def test_an_invoice_that_grows_after_the_yes_is_asked_about_again(world: World) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await choose(world, its.id)
    await world.means.stripe.client.v1.invoice_items.create_async(
        {
            "customer": its.customer_id,
            "invoice": str(its.invoice_id),
            "amount": 100,
            "currency": "eur",
        }
    )
    await come_back(world, signup_id)
    await work(world)
    shown = await show(world, signup_id)
    assert shown.state is SignupState.ACTION_REQUIRED
    assert shown.checkout is not None
    assert shown.checkout.final_minor == 5000
    assert await world.charges() == []


async def test_a_refusal_that_only_a_person_can_mend_parks_it_with_stripes_words(
    world: World,
) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    await choose(world, its.id)
    await world.means.stripe.client.v1.customers.delete_async(its.customer_id)
    await come_back(world, signup_id)
    shown = await show(world, signup_id)
    assert shown.operation.parked_why is not None
    assert its.customer_id in shown.operation.parked_why


async def test_after_access_nothing_more_happens(world: World) -> None:
    world = telling(world)
    signup_id = await sign_up(world)
    await finish(world, signup_id)
    await come_back(world, signup_id)
    assert await flow.look(world.means, SCOPE, signup_id) is False
    await world.advance(after(world.means))
    await work(world)
    assert (await show(world, signup_id)).state is SignupState.ACTIVE
    assert await told(world, "signup.expired") == []


async def _faults(world: World) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = (await world.stripe.get("/_sandbox/faults")).json()["data"]
    return shown


async def _methods_there(world: World) -> list[dict[str, str]]:
    answer = await world.processor.get("/_sandbox/state")
    shown: list[dict[str, str]] = list(answer.json().get("methods", []))
    return shown
