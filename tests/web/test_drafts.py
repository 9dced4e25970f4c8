"""/v1/draft_rules and /v1/invoice_reviews: what is taken, what is shown, what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.flows import drafting as d
from tests.flows.listening import told
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from tests.web.conftest import open_test_doors
from twintill.store import api_keys
from twintill.web.frame import create_app

BIG = {"min_amount": 4000, "currency": "eur", "why": "more than 40 EUR"}


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield told(world)


@pytest.fixture
async def ada(world: World) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(open_test_doors(world.means))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        client.headers.update(await key(world, "ada"))
        yield client


async def key(world: World, owner: str, scope: str = "admin") -> dict[str, str]:
    async with world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, owner, (scope,))
    return {"Authorization": f"Bearer {secret}"}


async def test_a_rule_is_kept_changed_and_removed(ada: httpx.AsyncClient) -> None:
    made = await ada.post("/v1/draft_rules", json=BIG)
    assert made.status_code == 201, made.text
    rule = made.json()
    shown = [rule[name] for name in ("version", "then", "min_amount", "currency", "made_by")]
    assert shown == [1, "hold", 4000, "eur", "api:ada"]
    one = f"/v1/draft_rules/{rule['id']}"
    changed = await ada.patch(one, json={"min_amount": None, "enabled": False})
    assert [changed.json()[name] for name in ("version", "min_amount", "enabled", "why")] == [
        2,
        None,
        False,
        "more than 40 EUR",
    ]
    assert [one["id"] for one in (await ada.get("/v1/draft_rules")).json()["data"]] == [rule["id"]]
    assert (await ada.delete(one)).json()["deleted"] is True
    assert (await ada.get(one)).status_code == 404
    assert (await ada.get("/v1/draft_rules")).json()["data"] == []


async def test_the_secret_of_a_hook_is_shown_once(ada: httpx.AsyncClient) -> None:
    asks = {"then": "ask", "hook_url": "http://127.0.0.1:9/hook", "default": "hold"}
    same = {"Idempotency-Key": "key_1"}
    made = (await ada.post("/v1/draft_rules", json=asks, headers=same)).json()
    assert made["secret"].startswith("whsec_")
    again = (await ada.post("/v1/draft_rules", json=asks, headers=same)).json()
    assert (again["id"], again["secret"]) == (made["id"], None)
    one = f"/v1/draft_rules/{made['id']}"
    assert (await ada.get(one)).json()["secret"] is None
    held = (await ada.patch(one, json={"then": "hold"})).json()
    assert (held["hook_url"], held["secret"]) == (None, None)
    asks_again = await ada.patch(one, json={"then": "ask", "hook_url": asks["hook_url"]})
    assert asks_again.json()["secret"] not in (None, made["secret"])


@pytest.mark.parametrize(
    ("params", "status", "code", "param"),
    [
        ({"min_amount": 1}, 400, "draft_rule_invalid", "currency"),
        ({"then": "ask"}, 400, "draft_rule_invalid", "hook_url"),
        ({"then": "ask", "hook_url": "https://10.0.0.1/"}, 400, "endpoint_refused", "hook_url"),
        ({"customer": "cus_unknown"}, 404, "resource_missing", "customer"),
        ({"add_items": [{"amount": 5}], "currency": "eur"}, 400, "draft_rule_invalid", "add_items"),
        ({"then": "pay"}, 422, "invalid_request", "then"),
        ({"amount": 5}, 422, "invalid_request", "amount"),
    ],
)
async def test_what_could_not_work_is_refused_by_its_field(
    ada: httpx.AsyncClient, params: dict[str, Any], status: int, code: str, param: str
) -> None:
    refused = await ada.post("/v1/draft_rules", json=params)
    body = refused.json()
    assert (refused.status_code, body["code"], body["param"]) == (status, code, param)
    assert (await ada.get("/v1/draft_rules")).json()["data"] == []


async def test_a_held_draft_waits_for_a_second_person_and_is_released_once(
    world: World, ada: httpx.AsyncClient
) -> None:
    await ada.post("/v1/draft_rules", json=BIG)
    invoice_id = await d.subscribed(world, await world.customer())
    judged = (await ada.get(f"/v1/invoices/{invoice_id}/draft_rule")).json()
    assert (judged["then"], judged["total"], judged["untouched"]) == ("hold", 4900, None)
    await d.told(world)
    (review,) = (await ada.get("/v1/invoice_reviews?waiting=true")).json()["data"]
    assert (review["invoice"], review["why"]) == (invoice_id, "more than 40 EUR")
    one = f"/v1/invoice_reviews/{review['id']}"
    item = {"amount": -900, "currency": "eur", "description": "goodwill"}
    changed = (await ada.post(one + "/items", json={"add": [item]})).json()
    assert (changed["total"], changed["changed_by"]) == (4000, "api:ada")
    assert (await ada.post(one + "/release")).json()["code"] == "not_approved"
    assert (await ada.post(one + "/approve")).json()["code"] == "second_person_needed"
    grace = await key(world, "grace", "collect")
    approved = (await ada.post(one + "/approve", headers=grace)).json()
    assert (approved["state"], approved["approved_by"]) == ("approved", "api:grace")
    assert (await ada.post(one + "/release")).json()["state"] == "released"
    assert (await ada.post(one + "/release")).json()["code"] == "already_released"
    await d.told(world)
    assert await world.status(invoice_id) == "paid"


async def test_held_by_hand_and_voided(world: World, ada: httpx.AsyncClient) -> None:
    invoice_id = await d.subscribed(world, await world.customer())
    held = await ada.post(f"/v1/invoices/{invoice_id}/hold", json={"why": "a wrong price?"})
    assert (held.json()["state"], held.json()["held_by"]) == ("held", "api:ada")
    again = await ada.post(f"/v1/invoices/{invoice_id}/hold", json={"why": "a wrong price?"})
    assert (again.status_code, again.json()["code"]) == (409, "already_held")
    same = {"Idempotency-Key": "key_1"}
    one = f"/v1/invoice_reviews/{invoice_id}"
    voided = await ada.post(one + "/void", json={"why": "it was"}, headers=same)
    assert (voided.json()["state"], voided.json()["ended_by"]) == ("voided", "api:ada")
    assert (await ada.post(one + "/void", json={"why": "it was"}, headers=same)).is_success
    assert await world.status(invoice_id) == "void"


async def test_a_held_draft_is_not_finalized_past_the_queue(
    world: World, ada: httpx.AsyncClient
) -> None:
    invoice_id = await d.subscribed(world, await world.customer())
    await ada.post(f"/v1/invoices/{invoice_id}/hold", json={"why": "a wrong price?"})
    for path, method in (("/finalize", "POST"), ("/void", "POST"), ("", "DELETE")):
        refused = await ada.request(method, f"/v1/invoices/{invoice_id}{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "held_for_review"), path
    assert await world.status(invoice_id) == "draft"


async def test_stripes_refusal_of_an_item_comes_with_its_reason(
    world: World, ada: httpx.AsyncClient
) -> None:
    invoice_id = await d.subscribed(world, await world.customer())
    await ada.post(f"/v1/invoices/{invoice_id}/hold", json={"why": "a wrong price?"})
    add = {"add": [{"price": "price_unknown"}]}
    refused = await ada.post(f"/v1/invoice_reviews/{invoice_id}/items", json=add)
    assert (refused.status_code, refused.json()["code"]) == (400, "stripe_refused")
    assert refused.json()["stripe_code"] == "resource_missing"


async def test_rules_are_an_admins_and_reviews_a_collectors(
    world: World, ada: httpx.AsyncClient
) -> None:
    reader, collector = await key(world, "eve", "read"), await key(world, "bob", "collect")
    assert (await ada.post("/v1/draft_rules", json=BIG, headers=collector)).status_code == 403
    path = "/v1/invoice_reviews/rev_1/release"
    assert (await ada.post(path, headers=reader)).status_code == 403
    assert (await ada.post(path, headers=collector)).status_code == 404
