"""The watch: figures of the last hour trip a brake, once, and whoever must know is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from tests.flows.world import SCOPE, World
from twintill.domain.policy import Policy
from twintill.flows import brakes as flow
from twintill.flows.watch import watch
from twintill.store import brakes
from twintill.store.brakes import Brake
from twintill.store.clock import NOW
from twintill.store.tables import attempts, invoices, outgoing_events

STRICT = replace(
    Policy(),
    brake_in_doubt=2,
    brake_config=2,
    brake_charged_min=2,
    brake_declines_min=4,
    brake_declines_history=4,
)


async def run(world: World, policy: Policy = STRICT) -> dict[str, Any]:
    means = replace(world.means, policy=policy, tells_app=True)
    return dict((await watch(means, SCOPE, {})).result)


async def on(world: World) -> list[Brake]:
    async with world.db() as db:
        return await brakes.all_on(db, SCOPE)


async def resume(world: World) -> None:
    async with world.db() as db:
        await flow.resume(db, SCOPE, "sandbox", "looked at it", "person:ada")


async def told(world: World) -> list[tuple[str, Any]]:
    async with world.db() as db:
        c = outgoing_events.c
        rows = await db.execute(select(c.type, c.payload).order_by(c.created_at))
        return [(row.type, row.payload) for row in rows if row.type.startswith("processor.")]


async def outcomes(world: World, count: int, outcome: str, ago: timedelta, **more: Any) -> None:
    """Attempts as they are written, one for each new payment, answered some time ago."""
    for _ in range(count):
        await world.collect(await world.customer())
    async with world.db() as db:
        newest = select(attempts.c.attempt_id).order_by(attempts.c.first_sent_at.desc())
        chosen = attempts.c.attempt_id.in_(newest.limit(count))
        written = {"outcome": outcome, "answered_at": NOW - ago, **more}
        await db.execute(update(attempts).where(chosen).values(written))


MINUTES = timedelta(minutes=10)


async def test_an_ordinary_hour_trips_nothing(world: World) -> None:
    for method in ("card_ok", "card_ok", "card_ok", "card_declines_once"):
        await world.collect(await world.customer(method))
    assert await run(world) == {"tripped": 0, "told": 0, "paused": 0}


async def test_charges_in_doubt_trip_at_the_limit_and_only_once_for_the_same_ones(
    world: World,
) -> None:
    await world.break_processor("/v1/charges", "timeout_before", times=2)
    await world.break_processor("/v1/charges", "status", method="GET", code=500, times=50)
    for _ in range(2):
        await world.collect(await world.customer())
    assert (await run(world))["tripped"] == 0  # they may still be on their way
    await world.advance(timedelta(minutes=3))
    assert (await run(world))["tripped"] == 1
    assert [b.tripped_by for b in await on(world)] == ["tripwire:in_doubt"]
    assert await run(world) == {"tripped": 0, "told": 0, "paused": 1}
    await resume(world)
    assert (await run(world))["paused"] == 0  # the same two, which a person has seen


async def test_charges_refused_for_what_is_not_set_up_trip_when_they_are_several(
    world: World,
) -> None:
    refused = {"error": {"code": "currency_not_supported"}}
    await world.break_processor("/v1/charges$", "status", code=400, body=refused, times=2)
    await world.collect(await world.customer())
    assert await on(world) == []
    assert (await run(world))["tripped"] == 0
    await world.collect(await world.customer())
    await run(world)
    assert [b.tripped_by for b in await on(world)] == ["tripwire:config"]


async def test_a_jump_of_declines_trips_against_the_processors_own_week(world: World) -> None:
    await outcomes(world, 4, "approved", timedelta(days=2))
    await outcomes(world, 4, "declined", MINUTES)
    assert (await run(world, replace(STRICT, brake_declines_history=5)))["tripped"] == 0
    assert (await run(world))["tripped"] == 1
    [brake] = await on(world)
    assert "100 % of 4 charges were declined in the last hour, 0 % in the week" in brake.why
    await resume(world)
    assert (await run(world))["tripped"] == 0


async def test_more_charged_than_was_due_trips(world: World) -> None:
    for _ in range(2):
        await world.collect(await world.customer())
    assert (await run(world))["tripped"] == 0
    async with world.db() as db:
        await db.execute(update(invoices).values(amount_due_minor=3000))
    assert (await run(world))["tripped"] == 1
    [brake] = await on(world)
    assert brake.why.startswith("9800 EUR (minor units) were charged in the last hour")
    await resume(world)
    assert (await run(world))["tripped"] == 0


async def test_what_is_over_an_hour_old_says_nothing(world: World) -> None:
    for _ in range(2):
        await world.collect(await world.customer())
    async with world.db() as db:
        await db.execute(update(invoices).values(amount_due_minor=3000))
    await world.advance(timedelta(minutes=61))
    assert (await run(world))["tripped"] == 0


async def test_a_pause_and_its_end_are_told_once_whoever_caused_them(world: World) -> None:
    await world.customer()
    async with world.db() as db:
        await flow.pause(db, SCOPE, "sandbox", "their status page", "person:ada")
    assert [(await run(world))["told"] for _ in range(2)] == [1, 0]
    await resume(world)
    assert [(await run(world))["told"] for _ in range(2)] == [1, 0]
    paused, resumed = await told(world)
    assert paused[0] == "processor.paused"
    assert (paused[1]["processor"], paused[1]["why"]) == ("sandbox", "their status page")
    assert resumed[0] == "processor.resumed"
    assert (resumed[1]["id"], resumed[1]["resumed_why"]) == (paused[1]["id"], "looked at it")


async def test_a_pause_that_was_over_before_anybody_looked_is_told_too(world: World) -> None:
    await world.customer()
    async with world.db() as db:
        await flow.pause(db, SCOPE, "sandbox", "a mistake", "person:ada")
    await resume(world)
    await run(world)
    assert [kind for kind, _ in await told(world)] == ["processor.paused", "processor.resumed"]
