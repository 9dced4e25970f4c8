"""The sandboxes' clocks."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.postgres import Database, Databases, migrate
from twintill.sandbox.clock import ManualClock, SharedClock, SystemClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_systems_clock_is_aware() -> None:
    assert (await SystemClock().now()).utcoffset() == timedelta(0)


async def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(START)
    assert await clock.now() == START
    clock.advance(90)
    assert await clock.now() == START + timedelta(seconds=90)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_a_manual_clock_starts_at_an_aware_time() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_the_shared_clock_is_the_databases_and_survives_a_lost_connection(
    database: Database,
) -> None:
    clock = SharedClock(database.url)
    first = await clock.now()
    assert first == pytest.approx(datetime.now(UTC), abs=timedelta(hours=1))
    admin = await asyncpg.connect(database.admin_url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await clock.now() >= first
    await clock.aclose()
    await admin.close()


async def test_whoever_starts_together_with_the_first_migration_waits_for_the_clock(
    databases: Databases,
) -> None:
    empty = databases.create_empty()
    clock = SharedClock(empty.url)
    asked = asyncio.create_task(clock.now())
    await asyncio.to_thread(migrate, empty.owner_url)
    assert (await asked).utcoffset() == timedelta(0)
    await clock.aclose()
    databases.drop(empty)
