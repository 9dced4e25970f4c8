"""How Alembic reaches the database: through asyncpg, as the owner role, one migrator at a time.

The address is, in this order: `config.attributes["url"]`, `alembic -x url=...`, and the
environment's TWINTILL_MIGRATE_DATABASE_URL. A caller inside an event loop runs Alembic in a thread.
"""

import asyncio
import os
from typing import Any

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from twintill.errors import SettingsError
from twintill.store.tables import metadata

_ONE_AT_A_TIME = text("SELECT pg_advisory_lock(hashtextextended('twintill migrations', 0))")


def run() -> None:
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", literal_binds=True, **_OPTIONS)
        with context.begin_transaction():
            context.run_migrations()
    else:
        asyncio.run(_migrate_online(_url()))


async def _migrate_online(url: str) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", connect_args={"dsn": url}, poolclass=pool.NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


def _migrate(connection: Connection) -> None:
    # Two machines deploying at once: the second waits, then finds nothing left to do. The lock
    # belongs to the session and ends with it.
    connection.execute(_ONE_AT_A_TIME)
    connection.commit()
    context.configure(connection=connection, transaction_per_migration=True, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def _ours(_object: Any, name: str | None, kind: str, *_more: Any) -> bool:
    """Leaves out the dispatcher's tables: pgqueuer's own, created by a migration of raw SQL."""
    return not (kind == "table" and (name or "").startswith("pgqueuer"))


def _url() -> str:
    given = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get(
        "url"
    )
    url = given or os.environ.get("TWINTILL_MIGRATE_DATABASE_URL")
    if not url:
        raise SettingsError(
            "TWINTILL_MIGRATE_DATABASE_URL is not set: migrations run as the owner of the tables, "
            "e.g. postgresql://twintill_owner:secret@127.0.0.1:5432/twintill"
        )
    return str(url)


_OPTIONS: dict[str, Any] = {
    "target_metadata": metadata,
    "include_object": _ours,
    "compare_type": True,
    "compare_server_default": True,
}

run()
