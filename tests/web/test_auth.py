"""API keys: who gets in, and how far."""

import httpx
import pytest
from fastapi import FastAPI

from tests.web.conftest import SCOPE, new_key
from twintill.flows.means import Means
from twintill.store import api_keys


async def status(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get("/v1/payments", headers=headers)).status_code


async def test_without_a_key_nothing_is_told(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/payments")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize("scope", api_keys.SCOPES)
async def test_any_living_key_may_read(client: httpx.AsyncClient, means: Means, scope: str) -> None:
    assert await status(client, await new_key(means, scope)) == 200


async def test_a_key_of_one_character_less_is_refused(
    client: httpx.AsyncClient, means: Means
) -> None:
    key = await new_key(means, "read")
    assert await status(client, {"Authorization": key["Authorization"][:-1]}) == 401


async def test_a_well_formed_stranger_is_refused(client: httpx.AsyncClient, means: Means) -> None:
    stranger = api_keys._new_secret(SCOPE)
    assert await status(client, {"Authorization": f"Bearer {stranger}"}) == 401


async def test_a_live_key_is_no_key_of_a_test_installation(client: httpx.AsyncClient) -> None:
    live = api_keys._new_secret(SCOPE._replace(livemode=True))
    answer = await client.get("/v1/payments", headers={"Authorization": f"Bearer {live}"})
    assert answer.status_code == 401
    assert "test mode" in answer.json()["detail"]


async def test_a_revoked_key_is_refused_from_the_next_request_on(
    client: httpx.AsyncClient, means: Means
) -> None:
    key = await new_key(means, "read")
    async with means.database.begin() as db:
        (known,) = await api_keys.list_all(db, SCOPE)
        await api_keys.revoke(db, SCOPE, known.id)
    assert await status(client, key) == 401


async def test_a_key_that_may_only_read_cannot_collect(
    app: FastAPI, client: httpx.AsyncClient, means: Means
) -> None:
    answer = await client.post("/v1/signups", json={}, headers=await new_key(means, "read"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
