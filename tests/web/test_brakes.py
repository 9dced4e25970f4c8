"""/v1/brakes: who may see, pause and resume, and what is said of a pause."""

import httpx
import pytest

from tests.web.conftest import SCOPE, new_key
from twintill.flows.means import Means
from twintill.store import methods, mirror

WHY = {"why": "their status page says that they are down"}


@pytest.fixture
async def admin(client: httpx.AsyncClient, means: Means) -> httpx.AsyncClient:
    client.headers.update(await new_key(means, "admin"))
    new = methods.NewMethod("ses_1", "cus_1", "sandbox", "acct_1", "pc_1", "tok_1", "card", {})
    async with means.database.begin() as db:
        await mirror.add_customer(db, SCOPE, "cus_1")
        await methods.add(db, means.vault, SCOPE, new)
    return client


async def test_a_processor_is_paused_and_resumed(admin: httpx.AsyncClient) -> None:
    paused = await admin.post("/v1/brakes/sandbox/pause", json=WHY)
    assert paused.status_code == 200, paused.text
    assert (paused.json()["paused"], paused.json()["paused_by"]) == (True, "api:tests")
    assert 'twintill_processor_paused{processor="sandbox"} 1.0' in await figures(admin)
    listed = (await admin.get("/v1/brakes")).json()["data"]
    assert [(b["id"], b["why"]) for b in listed] == [(paused.json()["id"], WHY["why"])]
    resumed = (await admin.post("/v1/brakes/sandbox/resume", json={"why": "up again"})).json()
    assert (resumed["id"], resumed["paused"]) == (paused.json()["id"], False)
    assert (resumed["resumed_why"], resumed["payments_waiting"]) == ("up again", 0)
    assert 'twintill_processor_paused{processor="sandbox"} 0.0' in await figures(admin)


async def figures(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text


async def test_what_makes_no_sense_is_refused_with_a_sentence(admin: httpx.AsyncClient) -> None:
    refused = [
        await admin.post("/v1/brakes/sandbx/pause", json=WHY),
        await admin.post("/v1/brakes/sandbox/resume", json=WHY),
        await admin.post("/v1/brakes/sandbox/pause", json={"why": ""}),
    ]
    assert [answer.status_code for answer in refused] == [404, 409, 422]
    assert "'sandbx'" in refused[0].json()["detail"]
    await admin.post("/v1/brakes/sandbox/pause", json=WHY)
    again = await admin.post("/v1/brakes/sandbox/pause", json={"why": "another reason"})
    assert again.status_code == 409
    assert WHY["why"] in again.json()["detail"]


async def test_whoever_may_only_collect_may_look(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/brakes")).json() == {"object": "list", "data": []}
    assert (await api.post("/v1/brakes/sandbox/pause", json=WHY)).status_code == 403
