"""The demo's PostgreSQL: one cluster that is kept, a fresh database for every run."""

import asyncio
import contextlib
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from twintill.sandbox import postgres
from twintill.store import clock
from twintill.store.database import open_database

_PREFIX = "demo_"


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """Its addresses, as the role that runs the product and as the one that owns the tables."""

    name: str
    port: int
    url: str
    owner_url: str

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        """What somebody with a SQL prompt sees, as the runtime role."""
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    async def now(self) -> datetime:
        """Business time: the one clock that all processes share."""
        rows = await self.fetch("SELECT twintill_now() AS now")
        moment: datetime = rows[0]["now"]
        return moment

    async def advance(self, by: timedelta) -> None:
        """As `twintill sandbox clock advance` does it."""
        engine = open_database(self.owner_url, pool_size=1)
        try:
            async with engine.begin() as db:
                await clock.advance(db, by)
        finally:
            await engine.dispose()


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[postgres.Cluster]:
    """What the demo writes need not outlive a power cut."""
    with postgres.running(folder, durable=False) as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def fresh_database(cluster: postgres.Cluster) -> AsyncIterator[DemoDatabase]:
    """An empty one; it and those that earlier runs left behind are dropped in the end."""
    name = f"{_PREFIX}{secrets.token_hex(4)}"
    await asyncio.to_thread(postgres.ensure_database, cluster, name)
    try:
        owner_url = cluster.url(name, postgres.OWNER)
        yield DemoDatabase(name, cluster.port, cluster.url(name), owner_url)
    finally:
        await _drop_all(cluster)


async def _drop_all(cluster: postgres.Cluster) -> None:
    connection = await asyncpg.connect(cluster.url("postgres", postgres.SUPERUSER))
    try:
        for row in await connection.fetch("SELECT datname FROM pg_database"):
            if re.fullmatch(rf"{_PREFIX}[0-9a-f]+", row["datname"]):
                await connection.execute(f"DROP DATABASE {row['datname']} WITH (FORCE)")
    finally:
        await connection.close()
