"""An engine on a fresh database, as the runtime role sees it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.postgres import Database
from twintill.store.database import open_database


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database.url, pool_size=3)
    yield engine
    await engine.dispose()


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database.owner_url, pool_size=1)
    yield engine
    await engine.dispose()
