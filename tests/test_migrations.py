"""The migrations: an empty database reaches the schema that the code describes."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from tests.postgres import REPOSITORY, Database, Databases, migrate


def test_the_tables_in_code_and_the_migrated_ones_are_the_same(database: Database) -> None:
    config = Config(REPOSITORY / "alembic.ini")
    config.attributes["url"] = database.owner_url
    with ThreadPoolExecutor(1) as apart:
        apart.submit(command.check, config).result()


def test_migrating_again_does_nothing(database: Database) -> None:
    migrate(database.owner_url)


def test_two_machines_that_migrate_at_once_take_turns(databases: Databases) -> None:
    empty = databases.create_empty()
    upgrade = [sys.executable, "-m", "alembic", "-x", f"url={empty.owner_url}", "upgrade", "head"]
    machines = [subprocess.Popen(upgrade, cwd=REPOSITORY) for _ in range(2)]
    assert [machine.wait() for machine in machines] == [0, 0]
    databases.drop(empty)


async def test_the_runtime_role_cannot_change_the_schema(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("CREATE TABLE mine (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("DROP TABLE payments")
    await connection.close()
