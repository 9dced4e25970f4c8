"""/v1/inbox: what is parked is seen, tried again by one call, and only by who may."""

import httpx
import pytest

from tests.web.conftest import SCOPE, new_key
from twintill.flows import intake
from twintill.flows.means import Means
from twintill.store import inbox
from twintill.store.inbox import InboxState

BODY = b'{"object": "event", "id": "evt_poison"}'


@pytest.fixture
async def parked(means: Means) -> None:
    """Three events that nobody could read."""
    events = tuple(
        inbox.Event(f"evt_{n}", "unreadable", None, n, InboxState.PARKED, "unreadable: no type")
        for n in range(3)
    )
    async with means.database.begin() as db:
        await inbox.receive(db, [inbox.Delivery(SCOPE, "stripe", {}, BODY, "unreadable", events)])


@pytest.mark.usefixtures("parked")
async def test_parked_events_are_listed_newest_first(
    client: httpx.AsyncClient, means: Means
) -> None:
    client.headers.update(await new_key(means, "read"))
    first = (await client.get("/v1/inbox/parked", params={"limit": 2})).json()
    assert [e["event"] for e in first["data"]] == ["evt_2", "evt_1"]
    assert (first["has_more"], first["data"][0]["why"]) == (True, "unreadable: no type")
    behind = {"starting_after": first["data"][-1]["id"]}
    rest = (await client.get("/v1/inbox/parked", params=behind)).json()
    assert ([e["event"] for e in rest["data"]], rest["has_more"]) == (["evt_0"], False)


@pytest.mark.usefixtures("parked")
async def test_one_call_tries_it_again_and_it_is_parked_again_when_nothing_has_changed(
    client: httpx.AsyncClient, means: Means
) -> None:
    client.headers.update(await new_key(means, "admin"))
    event = (await client.get("/v1/inbox/parked")).json()["data"][0]["id"]
    again = await client.post(f"/v1/inbox/{event}/replay")
    assert (again.status_code, again.json()["state"]) == (200, "new"), again.text
    assert event not in await ids(client)
    await intake.look(means, SCOPE, event)
    assert event in await ids(client)


async def ids(client: httpx.AsyncClient) -> list[int]:
    return [e["id"] for e in (await client.get("/v1/inbox/parked")).json()["data"]]


@pytest.mark.usefixtures("parked")
async def test_what_is_not_parked_is_not_found_and_reading_alone_may_not_replay(
    client: httpx.AsyncClient, means: Means
) -> None:
    client.headers.update(await new_key(means, "admin"))
    assert (await client.post("/v1/inbox/4711/replay")).status_code == 404
    client.headers.update(await new_key(means, "read"))
    event = (await ids(client))[0]
    assert (await client.post(f"/v1/inbox/{event}/replay")).status_code == 403
