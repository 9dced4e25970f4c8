"""Waking the dispatchers: one coalesced NOTIFY after commits, never inside one.

A NOTIFY in a transaction serialises its commit with all others in the cluster; so the transaction
only writes the bell's row, and this sends at most `per_s` notifications a second from a connection
of its own. A lost one costs a poll interval, nothing else.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.store.work import wake

_log = structlog.get_logger(__name__)


class Waker:
    """Call `ring()` after a commit that enqueued something."""

    def __init__(self, engine: AsyncEngine, *, per_s: int = 20) -> None:
        self._engine = engine
        self._pause_s = 1 / per_s
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Waker"]:
        task = asyncio.create_task(self._run())
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            try:
                async with self._engine.connect() as connection:
                    autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
                    await wake(autocommit)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("wake_failed", error=str(error))
            await asyncio.sleep(self._pause_s)
