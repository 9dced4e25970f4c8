"""The database of all worlds: its clock is the world's, and each world finds it empty."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import asyncpg
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.postgres import Database, Databases, folder_of_this_run
from tests.simulation.loop import Process, opened_by
from twintill.sandbox import postgres
from twintill.store.database import open_database

_GONE_WITHIN_S = 10.0
# Numbers of a sequence are seen by everybody at once, outside any transaction.
_CLOCK = """
CREATE SEQUENCE sim_clock;
GRANT SELECT ON sim_clock TO PUBLIC;
CREATE OR REPLACE FUNCTION twintill_now() RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT 'epoch'::timestamptz + last_value * interval '1 microsecond' FROM sim_clock $$;
CREATE OR REPLACE FUNCTION twintill_wall() RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT 'epoch'::timestamptz + last_value * interval '1 microsecond' FROM sim_clock $$;
"""


class SimDatabase:
    """One connection of its own, on its own loop: it answers while the world stands still."""

    def __init__(self, database: Database, another: Callable[[], Database]) -> None:
        self._another = another
        self._twin: SimDatabase | None = None
        self._url = f"{database.url}?sslmode=disable"
        self._loop = asyncio.new_event_loop()
        self._engines: dict[int, AsyncEngine] = {}
        self._connection = self._run(asyncpg.connect, database.admin_url)
        # A deadlock must have been found before the loop calls anybody blocked.
        self.execute(f"ALTER DATABASE {database.name} SET deadlock_timeout = '1ms'")
        self.execute(_CLOCK)
        tables = self.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        self._tables = [t["tablename"] for t in tables if t["tablename"] != "alembic_version"]
        truncate = f"TRUNCATE {', '.join(self._tables)} RESTART IDENTITY CASCADE"
        self._empty = f"DROP SCHEMA IF EXISTS backup CASCADE; {_unguarded(truncate)}"
        self._truncate = truncate.replace("RESTART IDENTITY ", "")

    def empty(self) -> None:
        self.execute(self._empty)

    def twin(self) -> "SimDatabase":
        """Another one, empty, at the same time of the same world."""
        if self._twin is None:
            self._twin = SimDatabase(self._another(), self._another)
        self._twin.empty()
        return self._twin

    def back_up(self) -> None:
        copies = [f"CREATE TABLE backup.{name} AS TABLE public.{name}" for name in self._tables]
        steps = "; ".join(["CREATE SCHEMA backup", *copies])
        self.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ; {steps}; COMMIT")

    def restore(self) -> None:
        """Everything since `back_up` is gone. Nobody may be connected."""
        copies = [
            f"INSERT INTO public.{name} OVERRIDING SYSTEM VALUE TABLE backup.{name}"
            for name in self._tables
        ]
        self.execute(_unguarded("; ".join([self._truncate, *copies])))

    def set_clock(self, microseconds: int) -> None:
        self._run(self._connection.fetchval, "SELECT setval('sim_clock', $1)", microseconds)
        if self._twin is not None:
            self._twin.set_clock(microseconds)

    def blocked(self, ports: Collection[int]) -> set[int]:
        """Those whose backend waits for a lock that another transaction holds."""
        found = self.fetch(
            "SELECT client_port FROM pg_stat_activity "
            "WHERE client_port = ANY($1::int[]) AND pg_blocking_pids(pid) <> '{}'",
            list(ports),
        )
        return {row["client_port"] for row in found}

    def terminate(self, ports: Collection[int]) -> None:
        """Returns when they are gone, with all that they held."""
        mine = "FROM pg_stat_activity WHERE client_port = ANY($1::int[])"
        self.fetch(f"SELECT pg_terminate_backend(pid) {mine}", list(ports))
        deadline = time.monotonic() + _GONE_WITHIN_S
        while self.fetch(f"SELECT 1 {mine}", list(ports)):
            if time.monotonic() > deadline:
                raise TimeoutError("a terminated backend does not go away")

    def execute(self, sql: str) -> None:
        self._run(self._connection.execute, sql)

    def fetch(self, sql: str, *args: Any) -> list[Any]:
        return list(self._run(self._connection.fetch, sql, *args))

    def refusal(self, sql: str) -> str:
        """Why it is an error; empty when it is none, and it is undone all the same."""
        try:
            self.execute(f"BEGIN; {sql}; SET CONSTRAINTS ALL IMMEDIATE; SELECT 1")
        except asyncpg.PostgresError as error:
            return str(error)
        finally:
            self.execute("ROLLBACK")
        return ""

    def engine(self, process: Process, pool_size: int) -> AsyncEngine:
        """For one process of a world: its connections are lost with it, whoever asked for them.

        Compiling, and asking who the server is, happen only once.
        """
        first = self._first_engine(pool_size)
        pool = first.pool.recreate()
        pool._creator = opened_by(process, pool._invoke_creator)  # type: ignore[assignment]
        engine = Engine(pool, first.dialect, first.url, hide_parameters=True)
        engine._compiled_cache = first._compiled_cache
        return AsyncEngine(engine)

    def close(self) -> None:
        if self._twin is not None:
            self._twin.close()
        self._run(self._connection.close)
        self._loop.close()

    def _first_engine(self, pool_size: int) -> Engine:
        if pool_size not in self._engines:
            self._engines[pool_size] = open_database(self._url, pool_size=pool_size)
            self._run(_greet, self._engines[pool_size])
        return self._engines[pool_size].sync_engine

    def _run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Beside the loop that may be running: it knows nothing of this one meanwhile."""
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            return self._loop.run_until_complete(function(*args))
        finally:
            asyncio._set_running_loop(running)


def _unguarded(sql: str) -> str:
    return f"SET session_replication_role = replica; {sql}; SET session_replication_role = origin;"


async def _greet(engine: AsyncEngine) -> None:
    async with engine.connect():
        pass
    await engine.dispose()


@contextlib.contextmanager
def sim_database(databases: Databases) -> Iterator[SimDatabase]:
    database = databases.create()
    with contextlib.closing(SimDatabase(database, databases.create)) as sim:
        yield sim
    databases.drop(database)


@contextlib.contextmanager
def own_database() -> Iterator[SimDatabase]:
    """Of the run's PostgreSQL; with one of its own where no run has begun."""
    import os
    from pathlib import Path

    from tests.postgres import FOLDER_VARIABLE

    with contextlib.nullcontext() if FOLDER_VARIABLE in os.environ else folder_of_this_run():
        cluster = postgres.start(Path(os.environ[FOLDER_VARIABLE]), durable=False)
        with contextlib.closing(Databases(cluster)) as databases:
            databases.ensure_template()
            with sim_database(databases) as sim:
                yield sim
