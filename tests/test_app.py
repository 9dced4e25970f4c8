"""The wiring: whose database it is, and what must not start."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import respx
from pydantic import SecretStr
from sqlalchemy import select

from tests.postgres import Database, Databases
from tests.test_settings import environment
from twintill.app import app_to_tell, identify, open_means, open_settings_database
from twintill.app.serving import create_web
from twintill.errors import SettingsError
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.serve import running
from twintill.sandbox.stripe import StripeSandboxSettings
from twintill.sandbox.stripe import create_app as create_stripe
from twintill.settings import Settings, read_settings
from twintill.store import clock
from twintill.store.tables import stripe_lanes

ACCOUNT = "acct_1Sandbox"
SILENT = "http://127.0.0.1:9"

__all__ = ["environment"]  # an autouse fixture: the settings' environment and nothing else


@pytest.fixture
async def stripe() -> AsyncIterator[str]:
    """Where a Stripe answers, whose account is ACCOUNT."""
    settings = StripeSandboxSettings(account_id=ACCOUNT)
    async with running(create_stripe(ManualClock(datetime.now(UTC)), settings)) as url:
        yield url


@pytest.fixture
def settings(database: Database, stripe: str) -> Settings:
    return with_changes(read_settings(), url=database.url, stripe=stripe)


def with_changes(settings: Settings, *, url: str = "", stripe: str = "", **more: str) -> Settings:
    changes: dict[str, object] = dict(more)
    if url:
        changes["database_url"] = SecretStr(url)
    if stripe:
        changes["stripe_api_base"] = stripe
    return settings.model_copy(update=changes)


async def refusal(settings: Settings) -> str:
    with pytest.raises(SettingsError) as refused:
        async with open_means(settings):
            pass
    return str(refused.value)


async def test_the_first_start_takes_the_keys_account_and_an_id_for_good(
    settings: Settings,
) -> None:
    async with open_means(settings) as first:
        pass
    async with open_means(settings) as second:
        pass
    assert first.scope == (ACCOUNT, False)
    assert second.installation_id == first.installation_id
    assert set(first.processors) == {"sandbox"}


async def test_calls_to_stripe_take_turns_at_the_pace_of_the_settings(settings: Settings) -> None:
    slow = settings.model_copy(update={"stripe_calls_per_s": 50.0, "stripe_reads_per_day": 7})
    async with open_means(slow) as means:
        assert means.stripe_reads_per_day == 7
        await means.stripe.account_id()
        async with means.database.connect() as db:
            lanes = (await db.execute(select(stripe_lanes.c.lane))).scalars().all()
    assert sorted(lanes) == ["", "GET /v1/account"]


async def test_a_database_belongs_to_one_account(settings: Settings) -> None:
    async with open_means(settings):
        pass
    other = with_changes(settings, stripe=SILENT, stripe_account_id="acct_1Other")
    assert f"belongs to the Stripe account {ACCOUNT}" in await refusal(other)


async def test_without_stripe_it_starts_when_the_account_is_known(settings: Settings) -> None:
    async with open_means(settings):
        pass
    async with open_means(with_changes(settings, stripe=SILENT)) as means:
        assert means.scope.stripe_account_id == ACCOUNT


async def test_without_stripe_a_first_start_needs_the_accounts_id(settings: Settings) -> None:
    silent = with_changes(settings, stripe=SILENT)
    assert "TWINTILL_STRIPE_ACCOUNT_ID" in await refusal(silent)
    async with open_means(with_changes(silent, stripe_account_id="acct_1Said")) as means:
        assert means.scope.stripe_account_id == "acct_1Said"


async def test_a_key_of_another_account_than_said_is_refused(settings: Settings) -> None:
    said = await refusal(with_changes(settings, stripe_account_id="acct_1Other"))
    assert "acct_1Other" in said
    assert ACCOUNT in said


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_may_not_read_its_account_needs_its_id(
    settings: Settings, status: int
) -> None:
    shy = with_changes(settings, stripe="http://stripe.test")
    body = {"error": {"type": "invalid_request_error", "message": "No permission."}}
    with respx.mock:
        respx.get("http://stripe.test/v1/account").mock(httpx.Response(status, json=body))
        assert "TWINTILL_STRIPE_ACCOUNT_ID" in await refusal(shy)
        async with open_means(with_changes(shy, stripe_account_id="acct_1Said")) as means:
            assert means.scope.stripe_account_id == "acct_1Said"


async def test_the_ledgers_owner_is_refused(settings: Settings, database: Database) -> None:
    for url in (database.owner_url, database.admin_url):
        assert "owner of the ledger" in await refusal(with_changes(settings, url=url))


async def test_a_database_that_lacks_migrations_is_refused(
    settings: Settings, databases: Databases
) -> None:
    empty = databases.create_empty()
    assert "run `twintill migrate`" in await refusal(with_changes(settings, url=empty.url))
    databases.drop(empty)


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody:x@127.0.0.1:9/none", "postgresql://nobody:hunter2@127.0.0.1:{port}/none"],
)
async def test_a_database_that_does_not_let_us_in_is_named(
    settings: Settings, database: Database, url: str
) -> None:
    port = database.url.rpartition(":")[2].partition("/")[0]
    said = await refusal(with_changes(settings, url=url.format(port=port)))
    assert said.startswith("TWINTILL_DATABASE_URL")
    assert "hunter2" not in said


async def test_a_shifted_clock_is_refused_with_a_live_key(
    settings: Settings, database: Database
) -> None:
    owner = open_settings_database(with_changes(settings, url=database.owner_url))
    async with owner.begin() as db:
        await clock.advance(db, timedelta(days=31))
    await owner.dispose()
    live = settings.model_copy(update={"stripe_api_key": SecretStr("sk_live_4711")})
    engine = open_settings_database(live)
    with pytest.raises(SettingsError, match="clock was moved"):
        await identify(live, engine)
    await engine.dispose()
    async with open_means(settings):
        pass  # a test key is welcome


async def test_the_web_app_serves_with_what_the_settings_say(settings: Settings) -> None:
    app = create_web(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
    ):
        assert (await client.get("/readyz")).status_code == 200


def test_the_users_app_is_told_when_it_says_where(settings: Settings) -> None:
    assert app_to_tell(settings) is None
    told = settings.model_copy(
        update={
            "app_webhook_url": "https://app.example.com",
            "app_webhook_secret": SecretStr("whsec_1"),
        }
    )
    app = app_to_tell(told)
    assert app is not None
    assert (app.url, app.secret) == ("https://app.example.com", "whsec_1")
    assert "whsec_1" not in repr(app)
