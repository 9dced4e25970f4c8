"""What the worlds stand on: who is killed has lost its connections, and a world leaves none."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.database import SimDatabase
from tests.simulation.loop import Process, SimLoop


def _run(sim: SimDatabase, live: Callable[[SimLoop], Awaitable[None]]) -> None:
    async def to_the_end() -> None:
        await live(loop)
        await loop.end()

    with contextlib.closing(SimLoop(random.Random(0), sim, 1)) as loop:
        loop.run_until_complete(to_the_end())


def test_a_killed_process_loses_the_connections_that_others_used_in_its_name(
    sim: SimDatabase,
) -> None:
    async def live(loop: SimLoop) -> None:
        office = Process("office")
        database = sim.engine(office, 1)
        async with database.connect():
            pass
        assert [line.process for line in loop.lines] == [office]
        await loop.kill(office)
        assert not loop.lines
        with pytest.raises(ConnectionRefusedError):
            await database.connect()

    _run(sim, live)


def test_the_end_waits_for_those_who_open_connections_on_their_way_out(sim: SimDatabase) -> None:
    database = sim.engine(Process("stubborn"), 1)

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            async with database.connect():
                pass

    async def live(loop: SimLoop) -> None:
        task = loop.create_task(stubborn())
        await asyncio.sleep(1)
        assert not task.done()

    _run(sim, live)
