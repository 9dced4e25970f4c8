"""Health, readiness, figures."""

import httpx

from tests.postgres import Database, Databases
from tests.web.conftest import open_test_doors, open_test_means
from twintill.flows import duties
from twintill.flows.means import Means
from twintill.store import duties as duty_rows
from twintill.store.inbox import Delivery, Event, InboxState, receive
from twintill.web.frame import create_app


async def test_it_is_ready_when_the_database_has_our_tables(client: httpx.AsyncClient) -> None:
    answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "migrations": "ok"}


async def ready_with(url: str) -> httpx.Response:
    async with open_test_means(url) as means:
        app = create_app(open_test_doors(means))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
        ):
            return await client.get("/readyz")


async def test_it_is_not_ready_before_the_migrations(databases: Databases) -> None:
    empty = databases.create_empty()
    answer = await ready_with(empty.url)
    databases.drop(empty)
    assert answer.status_code == 503
    assert "twintill migrate" in answer.json()["migrations"]


async def test_a_database_ahead_of_us_is_ready(database: Database) -> None:
    async with open_test_means(database.owner_url) as means, means.database.begin() as db:
        await db.exec_driver_sql("UPDATE alembic_version SET version_num = '29991231_01'")
    assert (await ready_with(database.url)).status_code == 200


async def test_the_figures_tell_what_is_due_and_what_is_parked(
    client: httpx.AsyncClient, means: Means
) -> None:
    events = (Event("a", "x"), Event("b", "x"), Event("c", "x", state=InboxState.PARKED))
    async with means.database.begin() as db:
        await receive(db, [Delivery(means.scope, "stripe", {}, b"", "verified", events)])
    figures = (await client.get("/metrics")).text
    assert 'twintill_work_due{kind="inbox"} 2.0' in figures
    assert 'twintill_work_parked{kind="inbox"} 1.0' in figures
    assert "twintill_database_up 1.0" in figures
    assert "twintill_stripe_reads_today 0.0" in figures
    assert "twintill_stripe_reads_left 330.0" in figures


async def test_the_figures_tell_how_the_duties_stand(
    client: httpx.AsyncClient, means: Means
) -> None:
    await duties.begin(means)
    await duties.look(means, means.scope, "purge_answers")
    async with means.database.begin() as db:
        await duty_rows.begin(db, means.scope, ["never_ran"])
    figures = (await client.get("/metrics")).text
    assert 'twintill_duty_age_seconds{duty="never_ran"}' in figures
    assert 'twintill_duty_failures{duty="purge_answers"} 0.0' in figures
    assert 'twintill_duty_result{duty="purge_answers",figure="purged"} 0.0' in figures
