"""A backup of the whole database, taken at one moment and restored at another; time goes on."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg

# The clock is the world's, and the migrations are the database's: neither goes back.
_STAYS = ("virtual_clocks", "alembic_version")


@dataclass(frozen=True)
class Backup:
    """Made by `backup`; `restore` throws away everything that was written since."""

    connection: Any  # asyncpg's: of the superuser
    tables: tuple[str, ...]

    async def restore(self) -> None:
        async with self.connection.transaction():
            await self.connection.execute("SET LOCAL session_replication_role = replica")
            await self.connection.execute(f"TRUNCATE {', '.join(self.tables)} CASCADE")
            for table in self.tables:
                await self.connection.execute(
                    f"INSERT INTO {table} SELECT * FROM yesterday.{table}"
                )


@contextlib.asynccontextmanager
async def backup(admin_url: str) -> AsyncIterator[Backup]:
    """Of a database as its superuser sees it."""
    connection = await asyncpg.connect(admin_url)
    try:
        named = await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename <> ALL ($1::text[])",
            _STAYS,
        )
        tables = tuple(row["tablename"] for row in named)
        await connection.execute("CREATE SCHEMA yesterday")
        for table in tables:
            await connection.execute(f"CREATE TABLE yesterday.{table} AS SELECT * FROM {table}")
        yield Backup(connection, tables)
    finally:
        await connection.close()
