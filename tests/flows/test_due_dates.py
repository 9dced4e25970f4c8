"""Due dates: told once each, of every open invoice of a known customer, by our own timers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import telling, told
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.due_events import DUE_SOON, OVERDUE
from twintill.domain.payment import State
from twintill.flows import due_dates

DAY = timedelta(days=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield telling(world)


async def by_wire(world: World) -> dict[str, Any]:
    """Open, due in 30 days, of a customer of ours whom nobody charges: the event that says so."""
    await world.invoice(await world.customer(None))
    (event,) = await stripe_events(world, "invoice.finalized")
    await deliver(world, [event])
    return event


async def run(world: World, after: timedelta = timedelta(0)) -> tuple[int, int]:
    """How many were told then: due soon, overdue."""
    if after:
        await world.advance(after)
    ran = await due_dates.tell_due_dates(world.means, SCOPE, {})
    return ran.result["due_soon"], ran.result["overdue"]


def later(event: dict[str, Any], event_type: str, **changes: Any) -> dict[str, Any]:
    """One more about that invoice, as Stripe would send it."""
    data = event["data"]["object"] | changes
    return event | {"id": f"evt_{event_type}", "type": event_type, "data": {"object": data}}


async def test_an_invoice_that_is_paid_by_wire_is_told_of_once_before_and_once_after(
    world: World,
) -> None:
    invoice_id = (await by_wire(world))["data"]["object"]["id"]
    assert await run(world, 22 * DAY) == (0, 0)
    assert await run(world, 2 * DAY) == (1, 0)
    assert await run(world) == (0, 0)
    assert await run(world, 7 * DAY) == (0, 1)
    assert await run(world, DAY) == (0, 0)
    for event_type in (DUE_SOON, OVERDUE):
        (said,) = await told(world, event_type)
        assert (said["id"], said["amount_remaining"], said["payment"]) == (invoice_id, 4900, None)


async def test_one_that_nobody_looked_at_for_long_is_only_overdue(world: World) -> None:
    await by_wire(world)
    assert await run(world, 40 * DAY) == (0, 1)


async def test_stripes_own_events_for_it_change_nothing(world: World) -> None:
    event = await by_wire(world)
    assert await run(world, 31 * DAY) == (0, 1)
    names = ("invoice.will_be_due", "invoice.overdue")
    await deliver(world, [later(event, name) for name in names])
    assert await run(world) == (0, 0)


async def test_another_due_date_is_told_of_again(world: World) -> None:
    event = await by_wire(world)
    assert await run(world, 31 * DAY) == (0, 1)
    due_date = event["created"] + int((60 * DAY).total_seconds())
    await deliver(world, [later(event, "invoice.updated", due_date=due_date)])
    assert await run(world) == (0, 0)
    assert await run(world, 25 * DAY) == (1, 0)
    assert await run(world, 7 * DAY) == (0, 1)


async def test_of_a_paid_invoice_nothing_is_told(world: World) -> None:
    event = await by_wire(world)
    paid = {"status": "paid", "amount_remaining": 0, "amount_paid": 4900}
    await deliver(world, [later(event, "invoice.paid", **paid)])
    assert await run(world, 31 * DAY) == (0, 0)


async def test_money_that_is_here_is_not_overdue(world: World) -> None:
    """Stripe cannot be reached to be told of it."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe("/pay$", "status", code=500, times=100)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    assert await run(world, 31 * DAY) == (0, 0)
