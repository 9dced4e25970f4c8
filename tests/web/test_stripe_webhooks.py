"""POST /webhooks/stripe: what is refused, what is stored, what is answered."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.postgres import Database
from tests.web.conftest import SCOPE, STRIPE_SECRETS
from twintill.flows.means import Means
from twintill.sandbox import postgres
from twintill.store import clock
from twintill.store.database import open_database
from twintill.stripe_billing.signature import sign

EVENT: dict[str, Any] = {
    "object": "event",
    "id": "evt_1",
    "type": "product.created",
    "created": 1790000000,
    "livemode": False,
    "data": {"object": {"object": "product", "id": "prod_1"}},
}
FOLDERS = Path(__file__).parents[1] / "data" / "stripe"


def body_of(**changes: Any) -> bytes:
    return json.dumps(EVENT | changes).encode()


async def post(
    client: httpx.AsyncClient,
    body: bytes,
    *,
    secret: str = STRIPE_SECRETS[0],
    at: datetime | None = None,
) -> httpx.Response:
    signed = sign(body, secret, at or datetime.now(UTC))
    return await client.post("/webhooks/stripe", content=body, headers={"Stripe-Signature": signed})


async def inbox(means: Means) -> list[Any]:
    async with means.database.connect() as db:
        return list(
            await db.exec_driver_sql(
                "SELECT * FROM inbox JOIN deliveries "
                "USING (stripe_account_id, livemode, delivery_id) ORDER BY inbox_id"
            )
        )


async def bells(means: Means) -> int:
    async with means.database.connect() as db:
        return int((await db.exec_driver_sql("SELECT count(*) FROM pgqueuer")).scalar_one())


async def counted(client: httpx.AsyncClient, verdict: str) -> bool:
    line = f'twintill_webhooks_total{{source="stripe",verdict="{verdict}"}} 1.0'
    return line in (await client.get("/metrics")).text


@pytest.mark.parametrize("secret", STRIPE_SECRETS)
async def test_an_event_signed_with_any_of_our_secrets_is_stored_and_rings(
    client: httpx.AsyncClient, means: Means, secret: str
) -> None:
    answer = await post(client, body_of(), secret=secret)
    (row,) = await inbox(means)
    assert answer.status_code == 200
    assert (row.state, row.dedupe_key, row.type, row.object_id) == (
        "new",
        "evt_1",
        "product.created",
        "prod_1",
    )
    assert (row.body, row.verdict) == (body_of(), "verified")
    assert await bells(means) == 1
    assert await counted(client, "verified")


# Made when the test runs, not when it is collected: minutes may lie between.
BAD_SIGNATURES: dict[str, Callable[[datetime], str | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: "",
    "nonsense": lambda _: "t=1,v1=00",
    "stranger": lambda now: sign(body_of(), "whsec_stranger", now),
    "other body": lambda now: sign(body_of(id="evt_2"), STRIPE_SECRETS[0], now),
    "old": lambda now: sign(body_of(), STRIPE_SECRETS[0], now - timedelta(minutes=6)),
    "future": lambda now: sign(body_of(), STRIPE_SECRETS[0], now + timedelta(minutes=6)),
}


@pytest.mark.parametrize("kind", BAD_SIGNATURES)
async def test_what_is_not_provably_stripes_is_refused_counted_and_not_stored(
    client: httpx.AsyncClient, means: Means, kind: str
) -> None:
    signature = BAD_SIGNATURES[kind](datetime.now(UTC))
    headers = {} if signature is None else {"Stripe-Signature": signature}
    answer = await client.post("/webhooks/stripe", content=body_of(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "signature_refused")
    assert await inbox(means) == []
    assert await counted(client, "refused")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}",
        b'{"object": "event", "id": "evt_1"}',
        body_of(id="evt\x00"),
        body_of(id=["evt_1"]),
        body_of(created="\ud800"),
        body_of(data={"object": {"object": "invoice", "id": "in_1", "amount_due": "much"}}),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_signed_but_unreadable_is_kept_raw_parked_and_acknowledged(
    client: httpx.AsyncClient, means: Means, body: bytes
) -> None:
    answers = [await post(client, body), await post(client, body)]
    (row,) = await inbox(means)  # the same bytes again are the same event
    assert [a.status_code for a in answers] == [200, 200]
    assert (row.state, row.body, row.verdict) == ("parked", body, "unreadable")
    assert row.parked_why.startswith("unreadable: ")
    assert await bells(means) == 0


@pytest.mark.parametrize(
    "changes", [{"livemode": True}, {"account": "acct_connected"}], ids=["mode", "account"]
)
async def test_what_is_of_somebody_else_is_recorded_and_ignored(
    client: httpx.AsyncClient, means: Means, changes: dict[str, Any]
) -> None:
    assert (await post(client, body_of(**changes))).status_code == 200
    (row,) = await inbox(means)
    assert (row.state, row.verdict) == ("ignored", "ignored")
    assert row.note.startswith("of ")
    assert await bells(means) == 0


async def test_our_own_account_may_be_named(client: httpx.AsyncClient, means: Means) -> None:
    await post(client, body_of(account=SCOPE.stripe_account_id))
    assert [row.state for row in await inbox(means)] == ["new"]


async def test_a_duplicate_is_acknowledged_and_does_nothing(
    client: httpx.AsyncClient, means: Means
) -> None:
    later = datetime.now(UTC) + timedelta(seconds=2)
    answers = [await post(client, body_of()), await post(client, body_of(), at=later)]
    assert [a.status_code for a in answers] == [200, 200]
    assert len(await inbox(means)) == 1
    assert await bells(means) == 1
    assert await counted(client, "duplicate")


async def test_events_at_once_are_each_stored_before_they_are_acknowledged(
    client: httpx.AsyncClient, means: Means
) -> None:
    answers = await asyncio.gather(*(post(client, body_of(id=f"evt_{n}")) for n in range(50)))
    assert {a.status_code for a in answers} == {200}
    assert {row.dedupe_key for row in await inbox(means)} == {f"evt_{n}" for n in range(50)}


@pytest.mark.parametrize("folder", ["events", "events_pre_basil", "events_thin"])
async def test_real_events_of_every_shape_are_taken(
    client: httpx.AsyncClient, means: Means, folder: str
) -> None:
    bodies = [path.read_bytes() for path in sorted((FOLDERS / folder).glob("*.json"))]
    answers = [await post(client, body) for body in bodies]
    assert bodies
    assert {a.status_code for a in answers} == {200}
    assert "parked" not in {row.state for row in await inbox(means)}


async def test_a_sandbox_that_has_just_moved_time_is_believed(
    client: httpx.AsyncClient, database: Database
) -> None:
    assert (await post(client, body_of())).status_code == 200
    owner = open_database(database.owner_url, pool_size=1)
    async with owner.begin() as db:
        await clock.advance(db, timedelta(days=31))
    await owner.dispose()
    await asyncio.sleep(0.06)
    moved = datetime.now(UTC) + timedelta(days=31)
    assert (await post(client, body_of(id="evt_2"), at=moved)).status_code == 200
    assert (await post(client, body_of(id="evt_3"))).status_code == 400


async def test_while_the_database_is_down_nothing_is_acknowledged(
    private_cluster: postgres.Cluster,
) -> None:
    from tests.postgres import migrate
    from tests.web.conftest import open_test_doors, open_test_means
    from twintill.web.frame import create_app

    # A database of its own: other tests crash this cluster too.
    postgres.ensure_database(private_cluster, "doors")
    migrate(private_cluster.url("doors", postgres.OWNER))
    async with open_test_means(private_cluster.url("doors")) as means:
        app: FastAPI = create_app(open_test_doors(means))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
        ):
            before = await post(client, body_of())
            postgres.crash(private_cluster)
            down = [await post(client, body_of(id=f"evt_{n}")) for n in (2, 3)]
            postgres.start(private_cluster.data_dir.parent, durable=False)
            again = [await post(client, body_of(id=f"evt_{n}")) for n in (1, 2, 3)]
            assert [row.dedupe_key for row in await inbox(means)] == ["evt_1", "evt_2", "evt_3"]
    assert [a.status_code for a in (before, *down, *again)] == [200, 503, 503, 200, 200, 200]
