"""What tests of other systems' incidents live in: the whole small world, doors included."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.world import World, running_world
from tests.postgres import Database
from tests.web.shop import Shop, open_shop


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    async with open_shop(database) as shop:
        yield shop
