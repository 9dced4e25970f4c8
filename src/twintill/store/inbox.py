"""Receiving: raw deliveries and their events become durable, in one statement, before any 2xx."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.ids import Scope
from twintill.store.doorbell import PRIORITY, Kind

_BATCH_MAX = 64
# Two connections: one batch is prepared while another waits for the disk.
_FLUSHERS = 2


class InboxState(StrEnum):
    NEW = "new"  # for the worker
    IGNORED = "ignored"  # recorded, nothing to do
    PARKED = "parked"  # for a person


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a delivery; `position` is its place in the body."""

    dedupe_key: str | None
    type: str
    object_id: str | None = None
    position: int = 0
    state: InboxState = InboxState.NEW
    note: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified request, as it came."""

    scope: Scope
    source: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    verdict: str
    events: Sequence[Event]


async def receive(db: AsyncConnection, deliveries: Sequence[Delivery]) -> list[int]:
    """Store them in one statement; per delivery, how many of its events are new to us.

    An event that came before (same source and key) is not stored again; a key of None always is.
    The bells of new events ring in the same statement; waking the dispatchers is the caller's.
    """
    events = [(n, event) for n, d in enumerate(deliveries, 1) for event in d.events]
    parameters = (
        [d.scope.stripe_account_id for d in deliveries],
        [d.scope.livemode for d in deliveries],
        [d.source for d in deliveries],
        [json.dumps(dict(d.headers)) for d in deliveries],
        [d.body for d in deliveries],
        [d.verdict for d in deliveries],
        [n for n, _ in events],
        [e.dedupe_key for _, e in events],
        [e.type for _, e in events],
        [e.object_id for _, e in events],
        [e.position for _, e in events],
        [e.state.value for _, e in events],
        [e.note for _, e in events],
        [e.occurred_at for _, e in events],
    )
    return [row.new for row in await db.exec_driver_sql(_RECEIVE, parameters)]


class Receiver:
    """Lets concurrent deliveries share a commit: alone, one goes at once; while a statement is
    under way, arrivals gather for the next."""

    def __init__(
        self, engine: AsyncEngine, *, batch_max: int = _BATCH_MAX, flushers: int = _FLUSHERS
    ) -> None:
        self._engine = engine
        self._batch_max, self._flushers = batch_max, flushers
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def receive(self, delivery: Delivery) -> int:
        """Returns when it is durable: how many of its events are new to us.

        Raises what the database raises; then nothing is known to be stored.
        """
        waiting = _Waiting(delivery, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(waiting)
        return await waiting.new

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Receiver"]:
        tasks = [asyncio.create_task(self._run()) for _ in range(self._flushers)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while not self._waiting.empty():
                self._waiting.get_nowait().new.cancel()

    async def _run(self) -> None:
        line = _Line(self._engine)
        try:
            while True:
                batch = [await self._waiting.get()]
                while len(batch) < self._batch_max and not self._waiting.empty():
                    batch.append(self._waiting.get_nowait())
                await _flush(line, batch)
        finally:
            await line.close()


@dataclass(frozen=True, slots=True)
class _Waiting:
    delivery: Delivery
    new: asyncio.Future[int]


class _Line:
    """One connection, kept open: checking it out of the pool costs as much as the statement."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def receive(self, deliveries: Sequence[Delivery]) -> list[int]:
        try:
            return await receive(await self._open(), deliveries)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # The database was restarted meanwhile. Had it stored them, the keys keep them single.
        await self.close()
        return await receive(await self._open(), deliveries)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(SQLAlchemyError, OSError):
                await connection.close()

    async def _open(self) -> AsyncConnection:
        if self._connection is None:
            connection = await self._engine.connect()
            # One statement is one transaction: autocommit saves two round trips.
            self._connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        return self._connection


async def _flush(line: _Line, batch: list[_Waiting]) -> None:
    """Tell everybody who waits what became of theirs."""
    try:
        news = await line.receive([w.delivery for w in batch])
    except DBAPIError as error:
        if error.connection_invalidated or len(batch) == 1:
            _fail(batch, error)
            return
        for one in batch:  # one of them cannot be stored: its neighbours can
            await _flush(line, [one])
    except asyncio.CancelledError:
        _fail(batch, None)
        raise
    except Exception as error:  # noqa: BLE001 -- each request that waits answers for itself
        _fail(batch, error)
    else:
        for waiting, new in zip(batch, news, strict=True):
            if not waiting.new.done():
                waiting.new.set_result(new)


def _fail(batch: list[_Waiting], error: Exception | None) -> None:
    for waiting in batch:
        if waiting.new.done():
            continue
        if error is None:
            waiting.new.cancel()
        else:
            waiting.new.set_exception(error)


_BELL = f"{PRIORITY[Kind.INBOX]}, '{Kind.INBOX}'"
# Numbers are drawn before the insert, so that events can name their delivery in one statement.
_RECEIVE = f"""
WITH given AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('deliveries', 'delivery_id')) AS delivery_id, d.*
    FROM unnest($1::text[], $2::bool[], $3::text[], $4::text[], $5::bytea[], $6::text[])
         WITH ORDINALITY AS d (stripe_account_id, livemode, source, headers, body, verdict, n)
), stored AS (
    INSERT INTO deliveries (stripe_account_id, livemode, delivery_id, source, received_at,
                            headers, body, verdict)
    SELECT stripe_account_id, livemode, delivery_id, source, twintill_now(), headers::jsonb,
           body, verdict
    FROM given
), arrived AS (
    INSERT INTO inbox (stripe_account_id, livemode, delivery_id, source, dedupe_key, type,
                       object_id, position, state, note, occurred_at, created_at,
                       next_look_at, ended_at, parked_at, parked_why)
    SELECT stripe_account_id, livemode, delivery_id, source, dedupe_key, type,
           object_id, position, state, note, occurred_at, twintill_now(),
           CASE state WHEN 'new' THEN twintill_now() END,
           CASE state WHEN 'ignored' THEN twintill_now() END,
           CASE state WHEN 'parked' THEN twintill_now() END,
           CASE state WHEN 'parked' THEN note END
    FROM unnest($7::int[], $8::text[], $9::text[], $10::text[], $11::int[], $12::text[],
                $13::text[], $14::timestamptz[])
         AS e (n, dedupe_key, type, object_id, position, state, note, occurred_at)
    JOIN given USING (n)
    ORDER BY n, position
    ON CONFLICT DO NOTHING
    RETURNING stripe_account_id, livemode, delivery_id, inbox_id, state
), rung AS (
    INSERT INTO pgqueuer (priority, entrypoint, payload, status)
    SELECT {_BELL},
           convert_to(concat_ws('|', stripe_account_id,
                                CASE WHEN livemode THEN 'live' ELSE 'test' END, inbox_id),
                      'UTF8'),
           'queued'
    FROM arrived WHERE state = 'new'
)
SELECT given.n, count(arrived.inbox_id)::int AS new
FROM given LEFT JOIN arrived USING (delivery_id)
GROUP BY given.n ORDER BY given.n
"""  # noqa: S608 -- only constants of ours
