"""The address of the database: several hosts lead to the primary; what says that none is there."""

import asyncio
import contextlib
import gc
import socket
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.postgres import Database
from twintill import worker
from twintill.sandbox import postgres
from twintill.store.database import is_away, open_database
from twintill.web.problems import is_database_down


async def failure(url: str) -> Exception:
    engine = open_database(url)
    try:
        async with engine.connect() as db:
            await db.execute(text("SELECT 1"))
    except Exception as error:  # noqa: BLE001 -- whatever it is
        return error
    finally:
        await engine.dispose()
    raise AssertionError("it connected")


def two_hosts(url: str, wanted: str) -> str:
    """The first one answers nobody."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    head, _, tail = url.rpartition("@")
    return f"{head}@127.0.0.1:{port},{tail}?target_session_attrs={wanted}"


async def test_of_several_hosts_the_one_that_takes_writes_is_used(database: Database) -> None:
    engine = open_database(two_hosts(database.url, "read-write"))
    async with engine.connect() as db:
        assert (await db.execute(text("SELECT 1"))).scalar_one() == 1
    await engine.dispose()


# asyncpg forgets to close the connections to hosts that it did not want.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_no_host_that_takes_writes_is_a_database_that_is_down(database: Database) -> None:
    for url in (two_hosts(database.url, "standby"), f"{database.url}?target_session_attrs=standby"):
        assert is_database_down(await failure(url))
        with pytest.raises(worker.LOST):  # what the worker's own connection says
            await asyncpg.connect(url)
    gc.collect()


async def test_a_server_without_room_is_down_a_wrong_password_is_not(
    private_cluster: postgres.Cluster,
) -> None:
    url = private_cluster.url("postgres")
    admin = await asyncpg.connect(private_cluster.url("postgres", postgres.SUPERUSER))
    await admin.execute(f"ALTER ROLE {postgres.RUNTIME} CONNECTION LIMIT 0")
    assert is_database_down(await failure(url))
    await admin.execute(f"ALTER ROLE {postgres.RUNTIME} CONNECTION LIMIT -1")
    await admin.close()
    guess = url.replace(private_cluster.passwords[postgres.RUNTIME], "guess")
    assert not is_database_down(await failure(guess))


async def test_it_is_down_while_it_starts(private_cluster: postgres.Cluster) -> None:
    folder, url = private_cluster.data_dir.parent, private_cluster.url("postgres")
    postgres.crash(private_cluster)
    starting = asyncio.create_task(asyncio.to_thread(postgres.start, folder, durable=False))
    while not starting.done():
        with contextlib.suppress(AssertionError):
            error = await failure(url)
            assert is_database_down(error) or pytest.fail(repr(error))
    await starting


async def test_a_connection_that_is_cut_while_it_is_set_up_is_away(engine: AsyncEngine) -> None:
    dialect: Any = engine.sync_engine.dialect
    async with engine.connect() as db:
        raw = await db.get_raw_connection()
        assert raw.driver_connection is not None
        await raw.driver_connection.close()
        with pytest.raises(ConnectionResetError) as lost:
            await dialect.setup_asyncpg_json_codec(raw.dbapi_connection)
        await db.invalidate()
    assert is_away(lost.value)
