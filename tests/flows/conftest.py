"""The world that tests of flows live in."""

from collections.abc import AsyncIterator

import pytest

from tests.flows.world import World, running_world
from tests.postgres import Database


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield world
