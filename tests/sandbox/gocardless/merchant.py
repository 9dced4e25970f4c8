"""A merchant of the stand-in GoCardless, written from its documentation, with a webhook door."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response

from twintill.sandbox.clock import ManualClock
from twintill.sandbox.gocardless import create_app, gocardless_settings
from twintill.sandbox.serve import running

START = datetime(2026, 3, 2, 9, tzinfo=UTC)  # a Monday
TOKEN = "sandbox_token_for_tests"
SECRET = "secret_of_the_door"
DAY_S = 86_400
Json = dict[str, Any]


@dataclass(slots=True)
class Door:
    """What the webhooks brought, and what to answer to the next ones."""

    requests: list[tuple[bytes, str]] = field(default_factory=list)  # body, signature
    answers: list[int] = field(default_factory=list)  # used up one by one; then 204

    def events(self) -> list[Json]:
        return [event for body, _ in self.requests for event in json.loads(body)["events"]]

    def actions(self, resource_type: str) -> list[str]:
        events = self.events()
        return [one["action"] for one in events if one["resource_type"] == resource_type]


class Merchant:
    def __init__(self, http: httpx.AsyncClient, door: Door) -> None:
        self.http = http
        self.door = door
        self.today = START

    async def clear(self) -> None:
        """As new, on a Monday at nine; its clock never runs backwards."""
        (await self.http.post("/_sandbox/reset")).raise_for_status()
        self.today = datetime.fromisoformat((await self.behind("tick"))["now"])
        if self.today.weekday():
            await self.pass_days(7 - self.today.weekday())
        self.door.requests.clear()
        self.door.answers.clear()

    async def get(self, path: str, **query: Any) -> Json:
        return _json(await self.http.get(path, params=query))

    async def make(self, collection: str, key: str | None = None, **fields: Any) -> Json:
        """The resource as it was created."""
        answer = await self.ask(collection, key, **fields)
        assert answer.status_code == 201, answer.text
        resource: Json = answer.json()[collection]
        return resource

    async def ask(self, collection: str, key: str | None = None, **fields: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.http.post(f"/{collection}", json={collection: fields}, headers=headers)

    async def act(self, path: str, action: str) -> httpx.Response:
        return await self.http.post(f"/{path}/actions/{action}", json={})

    async def behind(self, path: str, **body: Any) -> Json:
        return _json(await self.http.post(f"/_sandbox/{path}", json=body))

    async def billing_request(self, currency: str = "EUR", **flow: Any) -> tuple[Json, Json]:
        """And a flow for it."""
        request = await self.make("billing_requests", mandate_request={"currency": currency})
        fields = {"redirect_uri": "https://shop.example/back", "exit_uri": "https://shop.example/x"}
        links = {"billing_request": request["id"]}
        return request, await self.make("billing_request_flows", links=links, **(fields | flow))

    async def mandate(self, choice: str = "debit_ok", currency: str = "EUR") -> str:
        request, _ = await self.billing_request(currency)
        await self.behind(f"setup_sessions/{request['id']}/complete", method=choice)
        finished = (await self.get(f"/billing_requests/{request['id']}"))["billing_requests"]
        return str(finished["links"]["mandate_request_mandate"])

    async def payment(self, choice: str = "debit_ok", **fields: Any) -> Json:
        return await self.make("payments", **self.order(await self.mandate(choice), **fields))

    def order(self, mandate: str, **fields: Any) -> Json:
        usual = {"amount": 5000, "currency": "EUR", "metadata": {"ref": "tw-1"}}
        return {**usual, "links": {"mandate": mandate}, **fields}

    async def status(self, payment: Json) -> str:
        return str((await self.get(f"/payments/{payment['id']}"))["payments"]["status"])

    async def refund(self, payment: Json, amount: int, total: int | None = None) -> httpx.Response:
        links = {"payment": payment["id"]}
        total = amount if total is None else total
        return await self.ask(
            "refunds", amount=amount, total_amount_confirmation=total, links=links
        )

    async def pass_days(self, days: float) -> None:
        moved = await self.behind("clock", advance_s=days * DAY_S)
        self.today = datetime.fromisoformat(moved["now"])

    def day(self, days: int) -> str:
        """So many days from now, weekends included."""
        return (self.today + timedelta(days=days)).date().isoformat()

    async def simulate(self, scenario: str, resource_id: str) -> httpx.Response:
        body = {"data": {"links": {"resource": resource_id}}}
        return await self.http.post(f"/scenario_simulators/{scenario}/actions/run", json=body)


@contextlib.asynccontextmanager
async def merchant_of_a_stand_in(**settings: Any) -> AsyncIterator[Merchant]:
    door = Door()
    async with running(_serve(door)) as door_url:
        hook = {"webhook_url": f"{door_url}/hook", "webhook_secret": SECRET}
        times = {"webhook_retries_s": (0.02,), "slow_answer_s": 0.3}
        app = create_app(
            ManualClock(START), gocardless_settings(TOKEN, **hook, **times, **settings)
        )
        headers = {"Authorization": f"Bearer {TOKEN}", "GoCardless-Version": "2015-07-06"}
        async with (
            running(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=10) as http,
        ):
            yield Merchant(http, door)


def error_of(answer: httpx.Response) -> Json:
    error: Json = answer.json()["error"]
    assert error["code"] == answer.status_code
    assert error["request_id"]
    return error


def reason_of(answer: httpx.Response) -> tuple[int, str, str]:
    """The status, the type, and the first reason or field."""
    error = error_of(answer)
    first = error["errors"][0]
    return answer.status_code, error["type"], first.get("reason") or first["field"]


def _json(answer: httpx.Response) -> Json:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else {}


def _serve(door: Door) -> FastAPI:
    app = FastAPI()

    @app.post("/hook")
    async def receive(request: Request) -> Response:
        door.requests.append((await request.body(), request.headers["webhook-signature"]))
        return Response(status_code=door.answers.pop(0) if door.answers else 204)

    return app
