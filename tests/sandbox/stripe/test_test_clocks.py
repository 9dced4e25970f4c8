"""Test clocks of the sandbox Stripe: a customer's own time, brought forward."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import DAY_S, HOUR_S, StripeWorld

FROZEN = int(datetime(2027, 3, 1, tzinfo=UTC).timestamp())


async def new_clock(world: StripeWorld) -> Any:
    return await world.v1.test_helpers.test_clocks.create_async({"frozen_time": FROZEN})


async def advance(world: StripeWorld, clock: Any, to: int) -> Any:
    """Advances and polls until the clock is ready, as users do."""
    v1 = world.v1.test_helpers.test_clocks
    moving = await v1.advance_async(clock.id, {"frozen_time": to})
    assert moving.status == "advancing"
    assert moving.status_details.advancing.target_frozen_time == to
    while moving.status != "ready":
        await asyncio.sleep(0.005)
        moving = await v1.retrieve_async(clock.id)
    return moving


async def test_its_objects_live_in_its_time(world: StripeWorld) -> None:
    clock = await new_clock(world)
    customer = await world.customer(test_clock=clock.id)
    subscription = await world.subscribe(customer)
    assert (customer.created, subscription.created) == (FROZEN, FROZEN)
    assert subscription.latest_invoice.test_clock == clock.id
    await world.advance(60 * DAY_S)  # the account's own time says nothing to them
    invoices = await world.v1.invoices.list_async({"subscription": subscription.id})
    assert len(invoices.data) == 1


async def test_advancing_renews_and_finalizes_in_order(world: StripeWorld) -> None:
    await world.listen("invoice.created", "invoice.finalized", "test_helpers.test_clock.ready")
    clock = await new_clock(world)
    subscription = await world.subscribe(await world.customer(test_clock=clock.id))
    ready = await advance(world, clock, FROZEN + 32 * DAY_S)
    assert ready.frozen_time == FROZEN + 32 * DAY_S
    invoices = await world.v1.invoices.list_async({"subscription": subscription.id})
    finalized = [i.status_transitions.finalized_at for i in invoices.data]
    assert finalized == [FROZEN + 31 * DAY_S + HOUR_S, FROZEN + HOUR_S]
    await world.tick()
    assert world.endpoint.types() == [
        "invoice.created",
        "invoice.finalized",
        "invoice.created",
        "invoice.finalized",
        "test_helpers.test_clock.ready",
    ]


async def test_it_only_goes_forward_and_not_too_far(world: StripeWorld) -> None:
    clock = await new_clock(world)
    await world.subscribe(await world.customer(test_clock=clock.id))
    for to in (FROZEN, FROZEN - 1, FROZEN + 100 * DAY_S):
        with pytest.raises(stripe.InvalidRequestError):
            await world.v1.test_helpers.test_clocks.advance_async(clock.id, {"frozen_time": to})


async def test_deleting_it_takes_its_customers_along(world: StripeWorld) -> None:
    clock = await new_clock(world)
    customer = await world.customer(test_clock=clock.id)
    await world.subscribe(customer)
    deleted = await world.v1.test_helpers.test_clocks.delete_async(clock.id)
    assert deleted.deleted is True
    assert (await world.v1.customers.retrieve_async(customer.id)).deleted is True


async def test_plain_lists_leave_its_objects_out(world: StripeWorld) -> None:
    clock = await new_clock(world)
    own = await world.customer(test_clock=clock.id)
    other = await world.customer()
    plain = await world.v1.customers.list_async({})
    assert [c.id for c in plain.data] == [other.id]
    clocked = await world.v1.customers.list_async({"test_clock": clock.id})
    assert [c.id for c in clocked.data] == [own.id]
    assert len((await world.v1.test_helpers.test_clocks.list_async()).data) == 1
