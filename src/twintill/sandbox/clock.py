"""The sandboxes' idea of now: the system's, one moved by hand, or the product's shared one."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Protocol

import asyncpg

QUERY_TIMEOUT_S = 10.0
MIGRATED_WITHIN_S = 30.0
PAUSE_S = 0.2
# What a connection says that the server has ended; which of them is a matter of timing.
_BROKEN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Clock(Protocol):
    """Whoever needs the time asks one of these; the answer is always an aware UTC datetime."""

    async def now(self) -> datetime: ...


class SystemClock:
    """The machine's own time."""

    async def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that stands still until somebody advances it."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(
                "a clock starts at an aware datetime, e.g. datetime(2026, 1, 1, tzinfo=UTC)"
            )
        self._now = start.astimezone(UTC)

    async def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("time only goes forward")
        self._now += timedelta(seconds=seconds)


class SharedClock:
    """The product's virtual clock, as every other process of the sandbox sees it: in the database.

    One connection is kept; when it breaks, the next question opens another.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._connection: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def now(self) -> datetime:
        async with self._one_at_a_time:
            try:
                return await self._ask()
            except asyncpg.UndefinedFunctionError:
                return await self._ask_patiently()
            except (OSError, *_BROKEN):
                await self._drop_connection()
                return await self._ask()

    async def aclose(self) -> None:
        async with self._one_at_a_time:
            await self._drop_connection()

    async def _ask(self) -> datetime:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._database_url, statement_cache_size=0, timeout=QUERY_TIMEOUT_S
            )
        answer = await self._connection.fetchval("SELECT twintill_now()", timeout=QUERY_TIMEOUT_S)
        if not isinstance(answer, datetime):
            raise TypeError(f"twintill_now() answered {answer!r}, not a time")
        return answer.astimezone(UTC)

    async def _ask_patiently(self) -> datetime:
        """Before the first migration there is no clock yet: whoever starts with it waits."""
        async with asyncio.timeout(MIGRATED_WITHIN_S):
            while True:
                try:
                    return await self._ask()
                except asyncpg.UndefinedFunctionError:
                    await asyncio.sleep(PAUSE_S)

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError):
                connection.terminate()
