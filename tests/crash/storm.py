"""The database goes away under load: it crashes again and again, or its standby takes over."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from tests.crash import judge
from tests.crash.cases import Case, all_delivered
from tests.crash.crew import Crew, Process, last_words
from tests.crash.pair import Pair, standing_by
from tests.crash.stage import Stage, set_stage, until_it_answers
from tests.postgres import Database, Databases, new_folder
from twintill.sandbox import postgres

_WITHIN_S = 240
_STILL_S = 3.0
_LEASE_S = 100
_LOOK_S = 0.05

Trouble = Callable[[], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Weather:
    """How it went: `wrong` is empty when nothing is."""

    invoices: int
    outages_s: tuple[float, ...]  # each: until the database took statements again
    wrong: tuple[str, ...]
    took_s: float


async def crashes(
    crew: Crew, folder: Path, *, invoices: int, count: int, every_s: float
) -> Weather:
    """An immediate stop of PostgreSQL every few seconds: no checkpoint, connections torn."""
    home = new_folder()
    with postgres.stopped_at_the_end(home, discard=True):
        cluster = await asyncio.to_thread(postgres.start, home, durable=True)
        database = await asyncio.to_thread(_one_database, cluster)
        outages_s: list[float] = []

        async def crash_and_restart() -> None:
            for _ in range(count):
                await asyncio.sleep(every_s)
                began_s = time.monotonic()
                await asyncio.to_thread(postgres.crash, cluster)
                await asyncio.to_thread(postgres.start, home, durable=True)
                outages_s.append(time.monotonic() - began_s)

        async with set_stage(database, crew, folder, webhooks=True) as stage:
            wrong, took_s = await _weather(stage, invoices, crash_and_restart)
    return Weather(invoices, tuple(outages_s), tuple(wrong), took_s)


async def failover(crew: Crew, folder: Path, *, invoices: int, after_s: float) -> Weather:
    """kill -9 of the primary under load; the synchronous standby is promoted."""
    home = new_folder()
    with postgres.stopped_at_the_end(home, discard=True):
        cluster = await asyncio.to_thread(postgres.start, home, durable=True)
        database = await asyncio.to_thread(_one_database, cluster)
        outages_s: list[float] = []
        with standing_by(cluster) as pair:
            await _wait_for_both(pair)
            both = _seen_from_both(pair, database)

            async def lose_the_primary() -> None:
                await asyncio.sleep(after_s)
                began_s = time.monotonic()
                await asyncio.to_thread(pair.kill_the_primary)
                await asyncio.to_thread(pair.promote)
                await _takes_statements(both.url)
                outages_s.append(time.monotonic() - began_s)

            async with set_stage(both, crew, folder, webhooks=True) as stage:
                wrong, took_s = await _weather(stage, invoices, lose_the_primary)
    return Weather(invoices, tuple(outages_s), tuple(wrong), took_s)


async def _weather(stage: Stage, invoices: int, trouble: Trouble) -> tuple[list[str], float]:
    """Invoices are finalized all the while; afterwards everything is judged."""
    customers = [await stage.world.customer() for _ in range(invoices)]
    async with _serving(stage) as processes:
        began_s = time.monotonic()
        troubled = asyncio.create_task(trouble())
        await _finalize_all(stage, customers, troubled)
        try:
            async with asyncio.timeout(_WITHIN_S):
                await all_delivered(stage)
                await _settled(stage)
        except TimeoutError:
            return [f"it never came to rest: {await stage.unfinished()}", *_said(stage)], 0.0
        took_s = time.monotonic() - began_s
        ended = [p.pid for p in processes if p.ended.done()]
        wrong = [f"process {pid} did not outlive it" for pid in ended]
        wrong += await judge.deliveries_kept(stage)
        wrong += await judge.at_the_end(stage, _expected(invoices))
    return wrong + (_said(stage) if wrong else []), took_s


async def _finalize_all(stage: Stage, customers: list[str], troubled: asyncio.Task[None]) -> None:
    """Half of them at once, the rest one by one until the trouble is over."""
    half = len(customers) // 2
    await asyncio.gather(*(stage.world.invoice(c) for c in customers[:half]))
    for customer_id in customers[half:]:
        await stage.world.invoice(customer_id)
        if not troubled.done():
            await asyncio.sleep(0.1)
    await troubled


@contextlib.asynccontextmanager
async def _serving(stage: Stage) -> AsyncIterator[list[Process]]:
    processes = [await stage.start(role) for role in ("web", "worker", "worker")]
    await until_it_answers(f"{stage.web_url}/readyz")
    yield processes
    await stage.dismiss()


async def _settled(stage: Stage) -> None:
    """Nothing is left to do. What lost its database in the middle keeps its lease: time passes."""
    before, since_s = [""], time.monotonic()
    while await stage.is_busy():
        left = await stage.unfinished()
        if left != before:
            before, since_s = left, time.monotonic()
        elif time.monotonic() - since_s > _STILL_S:
            await stage.passes(_LEASE_S)
            since_s = time.monotonic()
        await asyncio.sleep(_LOOK_S)


def _expected(invoices: int) -> Case:
    async def nothing(_: Stage) -> None: ...

    return Case("storm", "", "", nothing, charges=invoices, reported=invoices)


def _said(stage: Stage) -> list[str]:
    return [f"{log.name}: {last_words(log)}" for log in stage.logs]


def _one_database(cluster: postgres.Cluster) -> Database:
    with contextlib.closing(Databases(cluster)) as databases:
        databases.ensure_template()
        return databases.create()


def _seen_from_both(pair: Pair, database: Database) -> Database:
    return replace(database, url=pair.both(database.url), owner_url=pair.both(database.owner_url))


async def _wait_for_both(pair: Pair) -> None:
    """From here on a commit is answered when the standby has it, too."""
    admin = await asyncpg.connect(pair.primary.url("postgres", postgres.SUPERUSER))
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await admin.execute("SELECT pg_reload_conf()")
    asked = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
    async with asyncio.timeout(20):
        while not await admin.fetchval(asked):  # noqa: ASYNC110 -- the state is in the database
            await asyncio.sleep(_LOOK_S)
    await admin.close()


async def _takes_statements(url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
                await (await asyncpg.connect(url)).close()
                return
            await asyncio.sleep(_LOOK_S)
