"""Duties: each runs when it is due, once, in whichever worker; failing, it goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from tests.flows.world import SCOPE, World
from twintill.flows import duties
from twintill.flows.duty import Duty, Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import duties as rows
from twintill.store import work
from twintill.store.duties import Standing
from twintill.store.work import DUTIES

HOUR = timedelta(hours=1)
Act = Callable[[], Awaitable[None]]


class Counting:
    """A duty that counts, in its cursor and here, and does something during its run."""

    def __init__(self, act: Act | None = None) -> None:
        self.runs = 0
        self.act = act

    async def __call__(self, means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
        self.runs += 1
        if self.act is not None:
            await self.act()
        n = cursor.get("n", 0) + 1
        return Ran(HOUR, {"n": n}, {"n": n})


async def look(world: World, duty: Duty) -> bool:
    known = {"count": duty}
    await duties.begin(world.means, known)
    return await duties.look(world.means, SCOPE, "count", known)


async def standing(world: World, name: str = "count") -> Standing:
    async with world.db() as db:
        return next(s for s in await rows.standings(db, SCOPE) if s.name == name)


async def test_it_runs_at_once_and_then_when_it_is_due(world: World) -> None:
    duty = Counting()
    assert await look(world, duty)
    assert not await look(world, duty)
    await world.advance(HOUR)
    assert await look(world, duty)
    seen = await standing(world)
    assert (seen.result, seen.failures) == ({"n": 2}, 0)


async def test_after_a_month_without_workers_it_runs_once(world: World) -> None:
    duty = Counting()
    await look(world, duty)
    await world.advance(timedelta(days=31))
    assert await look(world, duty)
    assert not await look(world, duty)
    assert duty.runs == 2


async def test_of_many_workers_one_runs_it(world: World) -> None:
    duty = Counting(lambda: asyncio.sleep(0.2))
    known = {"count": duty}
    await duties.begin(world.means, known)
    did = await asyncio.gather(*(duties.look(world.means, SCOPE, "count", known) for _ in range(3)))
    assert sorted(did) == [False, False, True]
    assert duty.runs == 1


async def test_a_failure_is_said_and_tried_again_with_the_same_cursor(world: World) -> None:
    duty = Counting()
    await look(world, duty)
    await world.advance(HOUR)

    async def fail() -> None:
        raise ValueError("out of order")

    duty.act = fail
    for _ in range(3):
        assert await look(world, duty)
        assert not await look(world, duty)
        await world.advance(timedelta(minutes=5))
    failing = await standing(world)
    assert (failing.failures, failing.last_error) == (3, "ValueError: out of order")
    duty.act = None
    assert await look(world, duty)
    again = await standing(world)
    assert (again.result, again.failures, again.last_error) == ({"n": 2}, 0, None)


async def test_a_worker_that_dies_of_it_does_not_take_the_others_along_at_once(
    world: World,
) -> None:
    """The try was counted before the run, and its pause written."""
    await duties.begin(world.means, {"count": Counting()})
    async with world.db() as db:
        assert await rows.claim(db, SCOPE, "count", [HOUR]) is not None
    async with world.db() as db:
        await db.execute(text("UPDATE duties SET lease_until = now() - interval '1 s'"))
        assert await work.claim(db, DUTIES, SCOPE, "count") is None
    await world.advance(HOUR)
    assert await look(world, Counting())


async def test_who_rings_during_a_run_gets_another(world: World) -> None:
    async def ring() -> None:
        async with world.db() as db:
            await rows.ring(db, SCOPE, "count")

    assert await look(world, Counting(ring))
    assert await look(world, Counting())
    assert not await look(world, Counting())


async def test_a_run_that_lost_its_lease_writes_nothing(world: World) -> None:
    async def lose() -> None:
        async with world.db() as db:
            await db.execute(text("UPDATE duties SET lease_token = gen_random_uuid()"))

    await look(world, Counting(lose))
    assert (await standing(world)).result is None


async def test_a_duty_of_a_newer_version_is_left_to_it(world: World) -> None:
    await duties.begin(world.means, {"of_tomorrow": Counting()})
    assert not await duties.look(world.means, SCOPE, "of_tomorrow")
    async with world.db() as db:
        assert await work.claim(db, DUTIES, SCOPE, "of_tomorrow") is not None


async def test_all_that_this_version_knows_can_run(world: World) -> None:
    await duties.begin(world.means)
    for name in duties.DUTIES:
        assert await duties.look(world.means, SCOPE, name)
        assert (await standing(world, name)).last_error is None
