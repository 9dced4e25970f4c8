"""The connection to PostgreSQL: one engine a process, made at start-up and passed along."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InterfaceError,
    InternalError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

# A transaction of ours never waits on the network, so these are generous; a stuck one must not
# hold a row for ever.
_TIMEOUTS = {
    "lock_timeout": "10s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
}


# SQLSTATE classes of what passes: no connection, conflict, no room, not ready or locked, shut down.
_PASSING = frozenset(("08", "40", "53", "55", "57"))


def open_database(url: str, *, pool_size: int = 10, pgbouncer: bool = False) -> AsyncEngine:
    """An engine for `postgresql://...`, as libpq writes it: several hosts, with commas between, and
    `target_session_attrs=read-write` lead to whichever of them is the primary.

    `pgbouncer`: a pooler in transaction mode stands between, where neither prepared statements nor
    session settings survive; both statement caches are switched off.
    """
    options: dict[str, Any] = {"server_settings": {**_TIMEOUTS, "application_name": "twintill"}}
    if pgbouncer:
        options = {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,  # errors are logged; what was to be stored is not for logs
        # The driver reads the address itself, as for the dispatcher's own connection: SQLAlchemy
        # knows another form for several hosts, and none for libpq's other words (sslmode).
        connect_args={"dsn": url, **options},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    dialect: Any = engine.sync_engine.dialect
    dialect.setup_asyncpg_json_codec = _or_reset(dialect.setup_asyncpg_json_codec)
    dialect.setup_asyncpg_jsonb_codec = _or_reset(dialect.setup_asyncpg_jsonb_codec)
    return engine


def _or_reset(set_up: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """A connection that is cut while it is set up is away like any other.

    The driver's own error, which SQLAlchemy does not translate there, is none that callers know.
    """

    async def connect(connection: Any) -> None:
        try:
            await set_up(connection)
        except asyncpg.InterfaceError as error:
            raise ConnectionResetError(str(error)) from error

    return connect


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """A connection that the server has closed is replaced, not handed out.

    The driver hears of it by itself: asking the server at each checkout (`pool_pre_ping`) would
    cost three round trips.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def is_away(error: BaseException) -> bool:
    """The connection or the server is gone, for now: the same may be tried again.

    What was being committed may have been: only for what may be written twice.
    """
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        lost = isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
        # The driver's own words, without a state: of several hosts none takes writes yet.
        nowhere = isinstance(error, InternalError) and not state
        return lost or nowhere or state[:2] in _PASSING
    return isinstance(error, OSError | PoolTimeout)


Row = Mapping[str, Any]

__all__ = ["AsyncConnection", "AsyncEngine", "Row", "is_away", "open_database"]
