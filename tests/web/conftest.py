"""The web app for tests: real PostgreSQL, real requests; Stripe and processors are not reached."""

import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from tests.postgres import Database
from twintill.domain.policy import Policy
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import api_keys
from twintill.store.database import open_database
from twintill.store.inbox import Receiver
from twintill.store.migrations import revisions
from twintill.store.vault import Vault
from twintill.store.waker import Waker
from twintill.stripe_billing.gateway import open_gateway
from twintill.web.clock import BusinessClock
from twintill.web.doors import Doors
from twintill.web.frame import create_app

SCOPE = Scope("acct_1TwintillTest", False)
STRIPE_SECRETS = ("whsec_old", "whsec_new")
PROCESSOR_SECRET = "whsec_processor"
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing answers
REVISIONS = revisions()


@contextlib.asynccontextmanager
async def open_test_means(database_url: str) -> AsyncIterator[Means]:
    engine = open_database(database_url)
    gateway = open_gateway("sk_test_x", NOBODY, "abcdefgh", SCOPE.livemode)
    processor = SandboxProcessor(NOBODY, "key", (PROCESSOR_SECRET,), "acct_sandbox")
    yield Means(
        scope=SCOPE,
        installation_id="abcdefgh",
        database=engine,
        stripe=gateway,
        processors={processor.name: processor},
        vault=Vault([b"v" * 32]),
        policy=Policy(),
        public_url="http://testserver",
        tells_app=False,
    )
    await processor.aclose()
    await gateway.aclose()
    await engine.dispose()


@contextlib.asynccontextmanager
async def open_test_doors(means: Means) -> AsyncIterator[Doors]:
    async with (
        Receiver(means.database).running() as receiver,
        Waker(means.database).running() as waker,
    ):
        clock = BusinessClock(means.database, livemode=means.scope.livemode)
        yield Doors(means, STRIPE_SECRETS, clock, receiver, waker, REVISIONS)


@pytest.fixture
async def means(database: Database) -> AsyncIterator[Means]:
    async with open_test_means(database.url) as means:
        yield means


@pytest.fixture
async def app(means: Means) -> AsyncIterator[FastAPI]:
    app = create_app(open_test_doors(means))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Without an API key."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


async def new_key(means: Means, *scopes: str) -> dict[str, str]:
    """The headers of a caller with a new key."""
    async with means.database.begin() as db:
        _, secret = await api_keys.create(db, SCOPE, "tests", scopes)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
async def api(client: httpx.AsyncClient, means: Means) -> httpx.AsyncClient:
    """With an API key that may do everything but administer."""
    client.headers.update(await new_key(means, "read", "collect", "refund"))
    return client
