"""Our copy of the dispatcher's tables is what the pinned version would install, but its trigger."""

import asyncpg
from pgqueuer import AsyncpgDriver, Queries, QueueManager

from tests.postgres import Database, Databases

COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_name LIKE 'pgqueuer%' ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'pgqueuer%' ORDER BY 1"
TRIGGERS = """
    SELECT tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
    WHERE c.relname LIKE 'pgqueuer%' AND NOT tgisinternal
"""


async def seen(url: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_columns_and_indexes_are_the_same(database: Database, databases: Databases) -> None:
    theirs = databases.create_empty()
    connection = await asyncpg.connect(theirs.owner_url)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()
    for query in (COLUMNS, INDEXES):
        assert await seen(database.url, query) == await seen(theirs.owner_url, query)
    databases.drop(theirs)


async def test_no_trigger_notifies_inside_a_commit(database: Database) -> None:
    assert await seen(database.url, TRIGGERS) == []


async def test_the_dispatcher_accepts_it(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    await QueueManager(Queries(AsyncpgDriver(connection))).verify_structure()
    await connection.close()
