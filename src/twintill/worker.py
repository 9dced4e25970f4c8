"""The worker: answers doorbells, and sweeps for what was left lying. The other half of the port.

pgqueuer dispatches the bells; everything that matters is in our rows, so any number of workers on
any number of machines may run, die, or be told twice. It ends when the database goes away: `run`
starts it again. Each processor has its own entrypoint and limit, so a slow one starves nobody.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import httpx
import structlog
from pgqueuer import AsyncpgDriver, Job, Queries, QueueManager
from sqlalchemy.exc import SQLAlchemyError

from twintill.flows import duties, intake, operations, outbound, tell
from twintill.flows.endpoints import App, keep_in_step
from twintill.flows.look import look as look_at_payment
from twintill.flows.means import Means
from twintill.store import work
from twintill.store.doorbell import Bell, Kind, read_bell
from twintill.store.waker import Waker

_log = structlog.get_logger(__name__)

SWEEP_S = 2.0
POLL = timedelta(seconds=1)
RECONNECT_S = 1.0
# Waiting for a stranger's app costs a socket; each endpoint takes a few of these at most.
_TELLING = 20
LOST = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of several hosts none takes writes yet
    SQLAlchemyError,
)


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker process needs besides the means."""

    means: Means
    transport: httpx.AsyncHTTPTransport  # to the user's app
    waker: Waker

    async def answer(self, bell: Bell) -> None:
        """One bell; whatever is due on that row now is done, once."""
        match bell.kind:
            case Kind.INBOX:
                did = await intake.look(self.means, bell.scope, int(bell.row_id))
            case Kind.PAYMENT:
                did = await look_at_payment(self.means, bell.scope, bell.row_id)
            case Kind.OPERATION:
                did = await operations.look(self.means, bell.scope, bell.row_id)
            case Kind.OUTGOING:
                did = await tell.spread(self.means, bell.scope, bell.row_id)
            case Kind.DELIVERY:
                did = await tell.look(self.means, bell.scope, bell.row_id, self.transport)
            case Kind.DUTY:
                did = await duties.look(self.means, bell.scope, bell.row_id)
        if did:
            self.waker.ring()


async def run(
    means: Means,
    *,
    database_url: str,
    concurrency: int,
    stop: asyncio.Event,
    app: App | None = None,
) -> None:
    """Work until `stop` is set, then finish what is in flight.

    `database_url`: a direct connection (LISTEN does not pass a pooler); `concurrency`: looks at a
    time for each kind and processor, over all workers. `app`: what the settings say of the user's.
    """
    async with (
        outbound.open_transport(means.outbound) as transport,
        Waker(means.database).running() as waker,
    ):
        worker = Worker(means, transport, waker)
        sweeper = asyncio.create_task(_sweep(worker, stop))
        try:
            while not stop.is_set():
                try:
                    await _dispatch(worker, app, database_url, concurrency, stop)
                except LOST as error:
                    _log.warning("database_lost", error=str(error), retry_in_s=RECONNECT_S)
                    await _pause(stop, RECONNECT_S)
        finally:
            sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeper


async def _dispatch(
    worker: Worker, app: App | None, database_url: str, concurrency: int, stop: asyncio.Event
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await duties.begin(worker.means)
        await keep_in_step(worker.means, worker.means.scope, app)
        manager = QueueManager(Queries(AsyncpgDriver(connection)))
        for entrypoint in _entrypoints(worker.means):
            limit = max(concurrency, _TELLING) if entrypoint == Kind.DELIVERY else concurrency
            manager.entrypoint(entrypoint, concurrency_limit=limit)(_handler(worker))
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        async with _shutting_down(manager, stop, lost):
            await manager.run(dequeue_timeout=POLL, batch_size=min(10, concurrency))
        if lost.is_set() and not stop.is_set():
            raise ConnectionError("the dispatcher's connection was closed")
    finally:
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.wait_for(connection.close(), timeout=5)


def _entrypoints(means: Means) -> list[str]:
    lanes = [f"{Kind.PAYMENT}:{name}" for name in (*sorted(means.processors), work.NO_LANE)]
    others = (Kind.OPERATION, Kind.OUTGOING, Kind.DELIVERY, Kind.DUTY)
    return [str(Kind.INBOX), *lanes, *map(str, others)]


def _handler(worker: Worker) -> Callable[[Job], Awaitable[None]]:
    async def handle(job: Job) -> None:
        try:
            await worker.answer(read_bell(job.entrypoint, job.payload or b""))
        except (OSError, SQLAlchemyError) as error:
            # The row is still due; the sweep rings again when the database is back.
            _log.warning("look_lost", entrypoint=job.entrypoint, error=str(error))

    return handle


@contextlib.asynccontextmanager
async def _shutting_down(
    manager: QueueManager, stop: asyncio.Event, lost: asyncio.Event
) -> AsyncIterator[None]:
    """Stop claiming when told to, or when the connection is gone; jobs in flight finish."""

    async def watch() -> None:
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(lost.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        manager.shutdown.set()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


async def _sweep(worker: Worker, stop: asyncio.Event) -> None:
    """Ring for rows that are due and that nobody rang for, every few seconds, with jitter."""
    lanes = frozenset((*worker.means.processors, work.NO_LANE))
    while not stop.is_set():
        rung = 0
        for kind in work.ALL:
            try:
                async with worker.means.database.begin() as db:
                    rung += await work.ring_due(db, kind, lanes=lanes)
            except (OSError, SQLAlchemyError) as error:
                _log.warning("sweep_failed", kind=str(kind.kind), error=str(error))
        if rung:
            worker.waker.ring()
        await _pause(stop, SWEEP_S * random.uniform(0.7, 1.3))  # noqa: S311 -- only jitter


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), timeout=seconds)
