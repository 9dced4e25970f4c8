"""Cancelling by request: in Stripe at once; what is out is waited for, then given back."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.leaving import hear_of, hear_of_the_end, renew, statuses, subscriber
from tests.flows.signing_up import PATIENCE_S, subscription_status, work
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.cancelling import At, Step
from twintill.domain.payment import State
from twintill.errors import ConflictError, NotFoundError
from twintill.flows import cancelling
from twintill.flows import operations as flow
from twintill.flows.cancelling import CancelRequest
from twintill.ids import new_id
from twintill.store import operations
from twintill.store.operations import Operation


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def ask(
    world: World, subscription_id: str, at: At = At.NOW, *, refund: bool = False
) -> Operation:
    operation_id = new_id("can")
    request = CancelRequest(subscription_id, at, "person:ada", refund)
    await cancelling.begin(world.means, SCOPE, operation_id, request)
    await flow.drive(world.means, SCOPE, operation_id)
    await work(world)
    return await read(world, operation_id)


async def read(world: World, operation_id: str) -> Operation:
    async with world.db() as db:
        return await operations.read(db, SCOPE, operation_id)


async def cancels_at_end(world: World, subscription_id: str) -> bool:
    return (await world.means.stripe.read_subscription(subscription_id)).cancels_at_period_end


async def test_now_the_subscription_ends_and_the_tokens_go(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    assert (await ask(world, subscription_id)).step == Step.DONE
    assert await subscription_status(world, subscription_id) == "canceled"
    assert await statuses(world, customer_id) == {"removed"}
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id)
    assert refused.value.code == "subscription_ended"
    await hear_of_the_end(world)  # its event finds nothing left to do
    assert len(await world.charges()) == 1


async def test_at_the_end_of_the_period_and_taken_back(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    await ask(world, subscription_id, At.PERIOD_END)
    assert await cancels_at_end(world, subscription_id)
    assert await statuses(world, customer_id) == {"active"}
    assert (await ask(world, subscription_id, At.NEVER)).step == Step.DONE
    assert not await cancels_at_end(world, subscription_id)
    assert await world.status(await renew(world)) == "paid"


async def test_with_the_last_payment_given_back_after_the_token_is_gone(world: World) -> None:
    _, subscription_id = await subscriber(world)
    ended = await ask(world, subscription_id, refund=True)
    assert ended.step == Step.DONE
    for _ in range(3):
        await world.advance(timedelta(minutes=11))
        await work(world)
    book = (await world.processor.get("/_sandbox/state")).json()
    assert [r["amount"] for r in book["refunds"]] == [4900]
    balances = await world.balances()
    assert balances.get("stripe:reported", 0) == balances.get("refund:due", 0) == 0


async def test_a_charge_that_is_out_is_waited_for_and_given_back_when_it_is_final(
    world: World,
) -> None:
    _, subscription_id = await subscriber(world, "debit_ok")
    invoice_id = await renew(world)
    assert (await world.payment(invoice_id)).state is State.PENDING
    asked = await ask(world, subscription_id, refund=True)
    assert asked.step == Step.SETTLE
    assert await subscription_status(world, subscription_id) == "canceled"
    for days in (5, 30):
        await world.advance(timedelta(days=days))
        await hear_of(world, "charge.")
    await world.advance(timedelta(hours=7))
    await work(world)
    assert (await read(world, asked.id)).step == Step.DONE
    assert [ask.amount_minor for ask in (await world.payment(invoice_id)).asks] == [4900]


async def test_what_cannot_be_is_refused_and_changes_nothing(world: World) -> None:
    with pytest.raises(NotFoundError):
        await ask(world, "sub_of_nobody")
    _, subscription_id = await subscriber(world)
    await world.break_stripe(
        "/v1/subscriptions/sub_[^/]+$", "reset_before", method="DELETE", times=9
    )
    first = await ask(world, subscription_id)
    assert first.step == Step.CANCEL
    with pytest.raises(ConflictError) as refused:
        await ask(world, subscription_id, At.PERIOD_END)
    assert refused.value.code == "cancellation_runs"
