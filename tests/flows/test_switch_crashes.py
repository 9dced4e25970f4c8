"""A switch whose worker is killed in any of its calls: another goes on, and one side charges."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.flows.signing_up import PATIENCE_S, work
from tests.flows.switching import (
    begin,
    card,
    open_invoice,
    read,
    subscription,
    to_processor,
    to_stripe,
)
from tests.flows.test_signup_crashes import let_leases_run_out
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.flows import operations as flow
from twintill.flows.switches import SwitchRequest
from twintill.ids import reference
from twintill.store import operations

MOST_CALLS = 40
N = range(1, 5)  # more than any invoice here is tried


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def charged_here_with(world: World, method_id: str, choice: str) -> SwitchRequest:
    """A subscription of ours, on its way to Stripe; a retry of its open invoice waits."""
    customer_id = await world.customer("card_declines_once")
    subscription_id = await subscription(world, customer_id)
    await open_invoice(world, subscription_id)
    await world.work()
    card_there = await card(world, customer_id, f"{method_id}{customer_id}")
    return to_stripe(subscription_id, card_there, choice)


async def charged_at_stripe(world: World, choice: str) -> SwitchRequest:
    """A subscription that Stripe charges, with an open invoice that its card did not pay."""
    name = f"{choice}-{await _now(world)}"
    customer_id = await world.means.stripe.create_customer(None, None, {}, "op_x", name)
    await card(world, customer_id, f"pm_1{customer_id}")
    terms = {"collection_method": "charge_automatically", "days_until_due": None}
    paid_with = {"default_payment_method": f"pm_1{customer_id}"}
    subscription_id = await subscription(world, customer_id, **terms, **paid_with)
    declined = {"default_payment_method": f"pm_1Declined{customer_id}"}
    update = world.means.stripe.client.v1.subscriptions.update_async
    await update(subscription_id, declined)  # type: ignore[arg-type]
    await world.advance(timedelta(days=31))
    return to_processor(subscription_id, await world.add_method(customer_id, "card_ok"), choice)


Make = Callable[[World], Awaitable[SwitchRequest]]
SWITCHES: dict[str, Make] = {
    "charged at Stripe": lambda w: charged_here_with(w, "pm_1Good", "charge_at_stripe"),
    "refused by Stripe": lambda w: charged_here_with(w, "pm_1Declined", "charge_at_stripe"),
    "voided": lambda w: charged_here_with(w, "pm_1Card", "void"),
    "left to Stripe": lambda w: charged_at_stripe(w, "leave"),
    "asked for again": lambda w: charged_at_stripe(w, "reinvoice"),
}


@pytest.mark.parametrize("kind", ["timeout_before", "timeout_after"])
@pytest.mark.parametrize("name", ["charged at Stripe", "refused by Stripe", "asked for again"])
async def test_killed_in_each_of_its_calls_another_goes_on(
    world: World, name: str, kind: str
) -> None:
    """The first worker dies in its first call; each one after it repeats that and dies in the next.

    A step may need two calls: then the next one dies a call later. The payments' own worker looks
    in between: it does not wait for the switch.
    """
    switch_id = await begin(world, await SWITCHES[name](world))
    killed, call, before = 0, 1, ""
    for _ in range(MOST_CALLS):
        killed += await die_in_call(world, switch_id, call, kind)
        stands = await read(world, switch_id)
        if stands.ended_at is not None:
            break
        call = call + 1 if stands.step == before else 2
        before = stands.step
        await world.work()
    assert killed > 5
    await finish(world)
    ended = await read(world, switch_id)
    assert (ended.step, ended.parked_why) == ("done", None)
    await one_side_charged(world)


@pytest.mark.parametrize("name", SWITCHES)
async def test_answers_that_are_lost_or_are_errors_change_nothing(world: World, name: str) -> None:
    request = await SWITCHES[name](world)
    switch_id = await begin(world, request)
    for n in (1, 3, 5, 7):
        await world.break_stripe("/v1/", "reset_after", method=None, nth=n)
        await world.break_stripe("/v1/", "status", method=None, nth=n + 1, code=500, act=True)
    await flow.drive(world.means, SCOPE, switch_id)
    for _ in range(6):
        await world.advance(timedelta(minutes=11))
        await work(world)
    await world.stripe.delete("/_sandbox/faults")
    await finish(world)
    ended = await read(world, switch_id)
    assert (ended.step, ended.parked_why) == ("done", None)
    await one_side_charged(world)


async def die_in_call(world: World, switch_id: str, n: int, kind: str) -> bool:
    """The worker is killed while it waits for the answer of call n; False: it makes fewer."""
    await world.stripe.delete("/_sandbox/faults")
    await world.break_stripe("/v1/", kind, method=None, nth=n)
    async with world.db() as db:
        await operations.ring(db, SCOPE, switch_id)
    look = asyncio.create_task(flow.look(world.means, SCOPE, switch_id))
    while not look.done() and not await _hit(world):
        await asyncio.wait([look], timeout=0.02)
    died = not look.done()
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
    await world.stripe.delete("/_sandbox/faults")
    async with world.db() as db:
        await db.execute(text("UPDATE payments SET lease_until = now() - interval '1 second'"))
    await let_leases_run_out(world)
    return died


async def finish(world: World) -> None:
    """What is left over, and what arrives meanwhile."""
    await work(world)
    await world.advance(timedelta(hours=7))
    await work(world)


async def one_side_charged(world: World) -> None:
    """Of each invoice Stripe or a processor has money, never both; by the books of the two."""
    objects = (await world.stripe.get("/_sandbox/state")).json()["objects"]
    whose = {reference(SCOPE, i["id"], "charge", n): i["id"] for i in objects["invoice"] for n in N}
    ours = Counter(whose[charge["reference"]] for charge in await world.charges())
    theirs = Counter(p["invoice"] for p in objects["invoice_payment"] if p["status"] == "paid")
    both = {i for i in ours if ours[i] and theirs[i]}
    assert not both
    assert max([*ours.values(), *theirs.values()], default=0) <= 1
    method = {i["id"]: i["collection_method"] for i in objects["invoice"]}
    assert all(method[invoice] == "send_invoice" for invoice in ours)


async def _hit(world: World) -> bool:
    faults: list[dict[str, Any]] = (await world.stripe.get("/_sandbox/faults")).json()["data"]
    return any(fault["hits"] for fault in faults)


async def _now(world: World) -> int:
    state: dict[str, Any] = (await world.stripe.get("/_sandbox/state")).json()
    return int(state["now"])
