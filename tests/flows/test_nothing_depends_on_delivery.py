"""Three days of webhooks lost, all doubled, or all shuffled: the same end."""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events, take_in
from tests.flows.test_catch_up import NOBODY, endpoint
from tests.flows.test_verify import broken
from tests.flows.world import SCOPE, World
from twintill.domain.payment import State
from twintill.flows import duties
from twintill.flows.event_listing import TYPES

STEP = timedelta(days=1)
LOST_FOR = timedelta(hours=72)
DAYS = 6
# The processor's webhooks are lost in all of them: nobody takes its deliveries here.
END = {
    "card_ok": (State.REPORTED, "paid"),
    "card_declines_once": (State.REPORTED, "paid"),
    "debit_ok": (State.REPORTED, "paid"),
    "card_hard_declined": (State.EXHAUSTED, "open"),
    "voided": (State.CANCELED, "void"),
    "paid elsewhere": (State.CANCELED, "paid"),
}
Post = Callable[[World, list[dict[str, Any]], timedelta], Awaitable[None]]


async def in_order(world: World, events: list[dict[str, Any]], age: timedelta) -> None:
    await deliver(world, events)


async def lost(world: World, events: list[dict[str, Any]], age: timedelta) -> None:
    if age > LOST_FOR:
        await deliver(world, events)


async def doubled(world: World, events: list[dict[str, Any]], age: timedelta) -> None:
    await deliver(world, [*events, *events])


async def shuffled(world: World, events: list[dict[str, Any]], age: timedelta) -> None:
    """Each time in another order, and the old ones again between the new."""
    random.Random(age.total_seconds()).shuffle(events)
    await deliver(world, events)


@pytest.mark.parametrize("post", [in_order, lost, doubled, shuffled])
async def test_the_end_is_the_same(world: World, post: Post) -> None:
    await endpoint(world, NOBODY)
    invoices = {name: await world.invoice(await customer(world, name)) for name in END}
    for n in range(int(timedelta(days=DAYS) / STEP)):
        if n > 0:
            await world.advance(STEP)
        if n == 1:
            await close_two(world, invoices)
        await post(world, await stripe_events(world, *TYPES), n * STEP)
        await work(world)
    assert {name: await end(world, i) for name, i in invoices.items()} == END
    assert await world.balances() == {
        "customer:unapplied": 0,
        "processor:acct_sandbox:clearing": 3 * 4900,
        "stripe:reported": -3 * 4900,
    }
    assert await broken(world) == set()


async def customer(world: World, name: str) -> str:
    """Those whose invoice is closed have a method that declines, so that it waits meanwhile."""
    return await world.customer(name if "_" in name else "card_declined")


async def close_two(world: World, invoices: dict[str, str]) -> None:
    await world.means.stripe.void(invoices["voided"], key="test")
    await world.stripe.post("/_sandbox/pay_hosted", json={"invoice": invoices["paid elsewhere"]})


async def work(world: World) -> None:
    """What a worker does by itself."""
    names = ("catch_up", "compare_events", "sweep_invoices")
    await duties.begin(world.means, {name: duties.DUTIES[name] for name in names})
    for name in names:
        while await duties.look(world.means, SCOPE, name):
            pass
    await take_in(world)
    await world.work(limit=60)


async def end(world: World, invoice_id: str) -> tuple[State, str]:
    return (await world.payment(invoice_id)).state, await world.status(invoice_id)
