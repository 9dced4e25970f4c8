"""What tests of worlds share: the database that each of them finds empty."""

from collections.abc import Iterator

import pytest
import structlog

from tests.postgres import Databases
from tests.simulation.database import SimDatabase, sim_database


@pytest.fixture(scope="module")
def sim(databases: Databases) -> Iterator[SimDatabase]:
    logging = structlog.get_config()
    with sim_database(databases) as sim:
        yield sim
    structlog.configure(**logging)
