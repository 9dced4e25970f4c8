"""POST /webhooks/{processor}: batches, their signatures, their poison."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.web.conftest import PROCESSOR_SECRET
from tests.web.test_stripe_webhooks import bells, inbox
from twintill.flows.means import Means

REVOKED: dict[str, Any] = {
    "id": "pev_1",
    "type": "method.revoked",
    "created": "2026-11-22T04:00:00Z",
    "data": {"object": {"token": "tok_1"}},
}


def batch(*events: Any) -> bytes:
    return json.dumps({"events": events}).encode()


async def post(
    client: httpx.AsyncClient, body: bytes, *, at: datetime | None = None, to: str = "sandbox"
) -> httpx.Response:
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    signed = timestamp.encode() + b"." + body
    digest = hmac.new(PROCESSOR_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    headers = {"Sandbox-Signature": f"t={timestamp},v1={digest}"}
    return await client.post(f"/webhooks/{to}", content=body, headers=headers)


async def test_each_event_of_a_batch_has_its_own_row(
    client: httpx.AsyncClient, means: Means
) -> None:
    answer = await post(client, batch(REVOKED, REVOKED | {"id": "pev_2"}))
    rows = await inbox(means)
    assert answer.status_code == 200
    assert [(r.source, r.dedupe_key, r.position, r.state) for r in rows] == [
        ("sandbox:acct_sandbox", "pev_1", 0, "new"),
        ("sandbox:acct_sandbox", "pev_2", 1, "new"),
    ]
    assert await bells(means) == 2


async def test_only_what_is_new_in_a_repeated_batch_counts(
    client: httpx.AsyncClient, means: Means
) -> None:
    await post(client, batch(REVOKED))
    await post(client, batch(REVOKED, REVOKED | {"id": "pev_2"}))
    assert [(r.dedupe_key, r.position) for r in await inbox(means)] == [("pev_1", 0), ("pev_2", 1)]
    assert await bells(means) == 2


async def test_poison_parks_one_event_and_not_its_batch(
    client: httpx.AsyncClient, means: Means
) -> None:
    poison = [{"id": "pev_x"}, 5, REVOKED | {"id": "pev\x00"}, REVOKED | {"id": "p" * 300}]
    assert (await post(client, batch(*poison, REVOKED))).status_code == 200
    assert [r.state for r in await inbox(means)] == [*["parked"] * 4, "new"]


async def test_a_signed_body_that_is_no_batch_is_parked(
    client: httpx.AsyncClient, means: Means
) -> None:
    assert (await post(client, b"\xff")).status_code == 200
    (row,) = await inbox(means)
    assert (row.state, row.body) == ("parked", b"\xff")


async def test_what_is_not_provably_the_processors_is_refused(
    client: httpx.AsyncClient, means: Means
) -> None:
    old, future = (datetime.now(UTC) + timedelta(minutes=m) for m in (-6, 6))
    unsigned = await client.post("/webhooks/sandbox", content=batch(REVOKED))
    answers = [
        unsigned,
        await post(client, batch(REVOKED), at=old),
        await post(client, batch(REVOKED), at=future),
    ]
    assert [a.status_code for a in answers] == [400, 400, 400]
    assert await inbox(means) == []


async def test_a_processor_that_is_not_configured_has_no_door(
    client: httpx.AsyncClient, means: Means
) -> None:
    answer = await post(client, batch(REVOKED), to="nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_missing")
    assert await inbox(means) == []
