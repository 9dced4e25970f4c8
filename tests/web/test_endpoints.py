"""/v1/webhook_endpoints and /v1/events: who may do what, and what is shown once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from standardwebhooks import Webhook

from tests.web.conftest import SCOPE, new_key, open_test_doors
from twintill.flows.means import Means
from twintill.flows.outbound import Outbound
from twintill.store import outgoing
from twintill.web.frame import create_app

URL = "https://app.example/hook"
ALL = "/v1/webhook_endpoints"


async def resolve(host: str, port: int) -> Sequence[str]:
    return ("10.0.0.1",) if host.startswith("inside") else ("93.184.216.34",)


@pytest.fixture
def app(means: Means) -> FastAPI:
    return create_app(open_test_doors(replace(means, outbound=Outbound(resolve=resolve))))


@pytest.fixture
async def admin(app: FastAPI, means: Means) -> Any:
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://testserver",
            headers=await new_key(means, "admin"),
        ) as client,
    ):
        yield client


async def made(admin: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await admin.post(ALL, json={"url": URL, "enabled_events": ["*"], **params})
    assert answer.status_code == 201, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def event(means: Means) -> str:
    async with means.database.begin() as db:
        data = {"id": "pay_1", "object": "payment"}
        return await outgoing.add(db, SCOPE, "payment.collected", "pay_1", data)


async def test_an_endpoint_is_made_changed_listed_and_removed(admin: httpx.AsyncClient) -> None:
    its = await made(admin, enabled_events=["payment.declined"], description="shop")
    assert (its["status"], its["source"], its["enabled_events"]) == (
        "enabled",
        "api",
        ["payment.declined"],
    )
    one = f"{ALL}/{its['id']}"
    changes = {"enabled_events": ["*"], "status": "disabled", "url": f"{URL}/2"}
    changed = (await admin.patch(one, json=changes)).json()
    assert {name: changed[name] for name in changes} == changes
    assert (changed["description"], changed["disabled_why"]) == ("shop", "somebody switched it off")
    listed = (await admin.get(ALL)).json()["data"]
    assert listed == [changed]
    assert (
        'twintill_webhook_endpoints{standing="disabled"} 1.0' in (await admin.get("/metrics")).text
    )
    assert (await admin.delete(one)).json()["deleted"] is True
    assert (await admin.get(one)).status_code == 404
    assert (await admin.get(ALL)).json()["data"] == []


async def test_a_secret_is_shown_once_and_kept_sealed(
    admin: httpx.AsyncClient, means: Means
) -> None:
    key = {"Idempotency-Key": "one"}
    body = {"url": URL, "enabled_events": ["*"]}
    first = (await admin.post(ALL, json=body, headers=key)).json()
    again = (await admin.post(ALL, json=body, headers=key)).json()
    Webhook(first["secret"])  # as its library wants it
    assert again == first | {"secret": None}
    one = f"{ALL}/{first['id']}"
    assert (await admin.get(one)).json()["secret"] is None
    rotated = (await admin.post(f"{one}/rotate", json={"overlap_s": 60}, headers=key)).json()
    assert rotated["code"] == "idempotency_key_reused"
    rotated = (await admin.post(f"{one}/rotate")).json()
    assert rotated["secret"] not in (None, first["secret"])
    assert rotated["former_secret_until"]
    async with means.database.begin() as db:
        for table in ("webhook_endpoints", "api_requests"):
            rows = await db.exec_driver_sql(f"SELECT t::text FROM {table} t")
            stored = str(rows.all())
            assert first["secret"] not in stored
            assert rotated["secret"] not in stored
            hidden = first["secret"].encode().hex()
            assert hidden not in stored


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"url": "http://app.example/hook"}, 400, "endpoint_refused"),
        ({"url": "https://inside.example/hook"}, 400, "endpoint_refused"),
        ({"url": "javascript:alert(1)"}, 400, "endpoint_refused"),
        ({"enabled_events": ["payment.paid"]}, 400, "event_type_unknown"),
        ({"enabled_events": []}, 422, "invalid_request"),
        ({"secret": "whsec_mine"}, 422, "invalid_request"),
        ({"description": "a\x00b"}, 422, "invalid_request"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_its_name(
    admin: httpx.AsyncClient, params: dict[str, Any], status: int, code: str
) -> None:
    given = {"url": URL, "enabled_events": ["*"], **params}
    answer = await admin.post(ALL, json=given)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await admin.get(ALL)).json()["data"] == []


async def test_events_are_listed_and_sent_again(admin: httpx.AsyncClient, means: Means) -> None:
    its = await made(admin)
    event_id = await event(means)
    listed = (await admin.get("/v1/events?type=payment.collected&about=pay_1")).json()["data"]
    assert [one["id"] for one in listed] == [event_id]
    assert (await admin.get("/v1/events?type=payment.declined")).json()["data"] == []
    whole = (await admin.get(f"/v1/events/{event_id}")).json()
    (delivery,) = whole["deliveries"]
    assert (delivery["webhook_endpoint"], delivery["state"]) == (its["id"], "pending")
    again = await admin.post(f"/v1/events/{event_id}/resend", json={"webhook_endpoint": its["id"]})
    assert [one["id"] for one in again.json()["deliveries"]] == [delivery["id"]]
    unknown = await admin.post(f"/v1/events/{event_id}/resend", json={"webhook_endpoint": "we_x"})
    assert (unknown.status_code, unknown.json()["param"]) == (404, "webhook_endpoint")
    assert (await admin.get("/v1/events/evt_unknown")).status_code == 404


async def test_a_test_and_a_recovery_are_asked_for(admin: httpx.AsyncClient, means: Means) -> None:
    await event(means)
    one = f"{ALL}/{(await made(admin))['id']}"
    tested = (await admin.post(f"{one}/test")).json()
    assert (tested["state"], tested["sendings"]) == ("pending", 0)
    recovered = (await admin.post(f"{one}/recover", json={"since": 0})).json()
    assert (recovered["events"], recovered["has_more"]) == (1, False)
    listed = (await admin.get(f"{one}/deliveries?state=pending")).json()["data"]
    assert len(listed) == 2
    await admin.patch(one, json={"status": "disabled"})
    for call, body in (("test", None), ("recover", {"since": 0})):
        refused = await admin.post(f"{one}/{call}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "endpoint_disabled")


async def test_whoever_does_not_administer_may_look_and_no_more(
    admin: httpx.AsyncClient, means: Means
) -> None:
    its = await made(admin)
    event_id = await event(means)
    admin.headers.update(await new_key(means, "collect", "refund"))
    one = f"{ALL}/{its['id']}"
    for path in (ALL, one, f"{one}/deliveries", "/v1/events", f"/v1/events/{event_id}"):
        assert (await admin.get(path)).status_code == 200
    refused = [
        await admin.post(ALL, json={"url": URL, "enabled_events": ["*"]}),
        await admin.patch(one, json={}),
        await admin.delete(one),
        await admin.post(f"{one}/rotate"),
        await admin.post(f"{one}/test"),
        await admin.post(f"{one}/recover", json={"since": 0}),
        await admin.post(f"/v1/events/{event_id}/resend"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 7
