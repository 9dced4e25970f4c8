"""The worker, with the real dispatcher: bells are answered, lost ones are rung again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy import text

from tests.flows.listening import endpoint, happen, listening, told
from tests.flows.world import (
    PROCESSOR_ACCOUNT,
    PROCESSOR_KEY,
    PROCESSOR_SECRET,
    SCOPE,
    World,
    running_world,
)
from tests.postgres import Database
from twintill import worker
from twintill.domain.outcomes import ChargeOutcome
from twintill.domain.payment import State
from twintill.flows.duties import DUTIES
from twintill.processors import PreparedCharge
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import duties
from twintill.store.outgoing_deliveries import AT_A_TIME

PATIENCE_S = 60  # a busy machine is no reason to fail


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world


@contextlib.asynccontextmanager
async def working(world: World, database: Database, count: int = 1) -> AsyncIterator[None]:
    stop = asyncio.Event()
    runs = [
        asyncio.create_task(
            worker.run(world.means, database_url=database.url, concurrency=4, stop=stop)
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*runs)


async def becomes(state: State, world: World, invoice_id: str) -> None:
    async def is_there() -> bool:
        return (await world.payment(invoice_id)).state is state

    await until(is_there)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():  # noqa: ASYNC110 -- the state is in the database
            await asyncio.sleep(0.05)


async def due(world: World, processor: str = "sandbox") -> str:
    customer_id = await world.customer(processor=processor)
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id, lane=processor)
    return invoice_id


async def test_a_rung_payment_is_collected(world: World, database: Database) -> None:
    invoice_id = await due(world)
    async with working(world, database):
        await becomes(State.REPORTED, world, invoice_id)


async def test_a_lost_bell_is_rung_again_by_the_sweep(world: World, database: Database) -> None:
    invoice_id = await due(world)
    async with world.db() as db:
        await db.execute(text("DELETE FROM pgqueuer"))
    async with working(world, database):
        await becomes(State.REPORTED, world, invoice_id)


async def test_many_bells_and_two_workers_charge_once(world: World, database: Database) -> None:
    invoice_ids = [await due(world) for _ in range(3)]
    async with world.db() as db:
        again = "INSERT INTO pgqueuer (priority, entrypoint, payload, status) "
        again += "SELECT priority, entrypoint, payload, status FROM pgqueuer"
        await db.execute(text(again))
        await db.execute(text(again))
    async with working(world, database, count=2):
        for invoice_id in invoice_ids:
            await becomes(State.REPORTED, world, invoice_id)
    assert len(await world.charges()) == 3


async def test_it_goes_on_after_the_database_cut_every_connection(
    world: World, database: Database
) -> None:
    async with working(world, database):
        await becomes(State.REPORTED, world, await due(world))
        admin = await asyncpg.connect(database.admin_url)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()
        await becomes(State.REPORTED, world, await due(world))


async def test_bells_that_mean_nothing_are_harmless(world: World, database: Database) -> None:
    async with world.db() as db:
        nonsense = "INSERT INTO pgqueuer (priority, entrypoint, payload, status) VALUES "
        nonsense += "(9, 'payment:sandbox', 'rubbish', 'queued'), "
        nonsense += "(9, 'payment:sandbox', 'acct_test|test|pay_unknown', 'queued')"
        await db.execute(text(nonsense))
    invoice_id = await due(world)
    async with working(world, database):
        await becomes(State.REPORTED, world, invoice_id)


async def test_what_recurs_runs_by_itself(world: World, database: Database) -> None:
    async def has_run() -> bool:
        async with world.db() as db:
            return {s.name for s in await duties.standings(db, SCOPE) if s.ran_at} == set(DUTIES)

    async with working(world, database, count=2):
        await until(has_run)


class SlowProcessor(SandboxProcessor):
    """The same processor under another name, whose charges wait until they are let go."""

    name = "slow"
    let_go = asyncio.Event()

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        await self.let_go.wait()
        return await super().charge(prepared)


async def test_a_slow_processor_does_not_starve_another(world: World, database: Database) -> None:
    url = str(world.processor.base_url)
    slow = SlowProcessor(url, PROCESSOR_KEY, (PROCESSOR_SECRET,), PROCESSOR_ACCOUNT)
    slow.let_go.clear()
    both = {**world.means.processors, "slow": slow}
    world = replace(world, means=replace(world.means, processors=both))
    stuck = [await due(world, "slow") for _ in range(6)]  # more than the limit of its lane
    quick = await due(world)
    async with working(world, database):
        await becomes(State.REPORTED, world, quick)
        assert {(await world.payment(i)).state for i in stuck} <= {State.WAITING, State.CHARGING}
        slow.let_go.set()
        for invoice_id in stuck:
            await becomes(State.REPORTED, world, invoice_id)
    await slow.aclose()


async def test_an_app_that_does_not_answer_delays_no_other(
    world: World, database: Database
) -> None:
    world = told(world)
    async with listening() as silent, listening() as alive:
        silent.let_go.clear()
        await endpoint(world, silent.url)
        await endpoint(world, alive.url)
        await happen(world, n=30)
        async with working(world, database):

            async def is_told() -> bool:
                return len(alive.heard) == 30

            await until(is_told)
            assert len(silent.heard) <= AT_A_TIME
            silent.let_go.set()

            async def all_are() -> bool:
                return len(silent.heard) == 30

            await until(all_are)


async def test_payments_of_a_processor_that_left_the_settings_are_looked_at(
    world: World, database: Database
) -> None:
    """Nobody listens to its lane any more; they must end with a person, not in silence."""
    invoice_id = await due(world)
    left = replace(world, means=replace(world.means, processors={}))
    async with working(left, database):

        async def is_told() -> bool:
            return (await left.payment(invoice_id)).unreadable > 0

        await until(is_told)
