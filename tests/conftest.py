"""What all tests may ask for: a PostgreSQL cluster, and a fresh migrated database."""

import contextlib
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import stripe
import structlog

from tests.postgres import FOLDER_VARIABLE, Database, Databases, folder_of_this_run, new_folder
from twintill.sandbox import postgres

# A busy machine is no reason to fail: no test is a matter of time.
hypothesis.settings.register_profile("twintill", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("twintill")

# Stripe's client waits that long, and twice, before it asks again: nothing else happens meanwhile.
stripe.HTTPClient.INITIAL_DELAY = 0.02

# A picture of each frame with its variables takes seconds: meanwhile nothing else would run.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Collecting garbage every few hundred objects is a tenth of the time, and finds nothing.
gc.set_threshold(100_000, 50, 50)

_RUN = pytest.StashKey[contextlib.ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return  # an xdist worker: the run's folder is there already
    run = config.stash[_RUN] = contextlib.ExitStack()
    run.enter_context(folder_of_this_run())


def pytest_unconfigure(config: pytest.Config) -> None:
    if _RUN in config.stash:
        config.stash[_RUN].close()


@pytest.fixture(scope="session")
def cluster() -> postgres.Cluster:
    """The run's PostgreSQL, shared by all workers: not for tests that stop or crash it."""
    return postgres.start(Path(os.environ[FOLDER_VARIABLE]), durable=False)


@pytest.fixture(scope="session")
def databases(cluster: postgres.Cluster) -> Iterator[Databases]:
    with contextlib.closing(Databases(cluster)) as databases:
        databases.ensure_template()
        yield databases


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    """A migrated, empty database for this test alone."""
    database = databases.create()
    yield database
    databases.drop(database)


@pytest.fixture(scope="session")
def mortal_folder() -> Iterator[Path]:
    folder = new_folder()
    with postgres.stopped_at_the_end(folder, discard=True):
        yield folder


@pytest.fixture
def private_cluster(mortal_folder: Path) -> postgres.Cluster:
    """A PostgreSQL to be crashed, stopped and started at will; the next test starts it again."""
    return postgres.start(mortal_folder, durable=False)
