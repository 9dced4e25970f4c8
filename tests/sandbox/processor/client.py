"""A merchant of the sandbox processor, with a webhook door that answers as it is told."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response

from twintill.sandbox.clock import ManualClock
from twintill.sandbox.processor import ProcessorSandboxSettings, create_app
from twintill.sandbox.serve import running

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
API_KEY = "sandbox_key_for_tests"
SECRET = "whsec_of_the_door"
DAY_S = 86_400
Json = dict[str, Any]


@dataclass(slots=True)
class Door:
    """What the webhooks brought, and what to answer to the next ones."""

    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # used up one by one; then 200

    def events(self) -> list[Json]:
        return [event for body in self.bodies for event in json.loads(body)["events"]]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]


class Client:
    def __init__(self, http: httpx.AsyncClient, door: Door) -> None:
        self.http = http
        self.door = door
        self._keys = 0

    async def clear(self) -> None:
        (await self.http.post("/_sandbox/reset")).raise_for_status()
        self.door.bodies.clear()
        self.door.signatures.clear()
        self.door.answers.clear()

    async def get(self, path: str, **query: Any) -> Json:
        return await _json(await self.http.get(path, params=query))

    async def post(self, path: str, key: str | None = None, **body: Any) -> httpx.Response:
        if key is None:
            self._keys += 1
            key = f"key-{self._keys}"
        return await self.http.post(path, json=body, headers={"Idempotency-Key": key})

    async def admin(self, path: str, **body: Any) -> Json:
        return await _json(await self.http.post(f"/_sandbox/{path}", json=body))

    async def method(self, magic: str) -> Json:
        return await self.admin("methods", method=magic)

    async def charge(self, magic: str = "card_ok", key: str | None = None, **fields: Any) -> Json:
        """The charge as it was answered, approved or declined."""
        return (await self.try_charge(await self.method(magic), key, **fields)).json()  # type: ignore[no-any-return]

    async def try_charge(
        self, method: Json, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        order = {
            "reference": "ref-1",
            "amount": 1000,
            "currency": "EUR",
            "token": method["token"],
            "customer": method["customer"],
        }
        return await self.post("/v1/charges", key, **(order | fields))

    async def refund(self, charge: Json, **fields: Any) -> httpx.Response:
        return await self.post(f"/v1/charges/{charge['id']}/refunds", **fields)

    async def pass_days(self, days: float) -> None:
        await self.admin("clock", advance_s=days * DAY_S)

    async def tick(self) -> None:
        await self.admin("tick")

    async def balance(self, currency: str = "EUR") -> int:
        balances = (await self.get("/v1/balance"))["balances"]
        return sum(one["amount"] for one in balances if one["currency"] == currency)

    async def book(self) -> list[tuple[str, int]]:
        lines = (await self.get("/v1/transactions"))["data"]
        return [(line["type"], line["amount"]) for line in lines]


@contextlib.asynccontextmanager
async def client_of_a_sandbox(**settings: Any) -> AsyncIterator[Client]:
    door = Door()
    async with running(_serve(door)) as door_url:
        fields: Json = {
            "api_key": API_KEY,
            "webhook_url": f"{door_url}/hook",
            "webhook_secret": SECRET,
            "webhook_retries_s": (0.02,),
            "slow_answer_s": 0.5,
        }
        app = create_app(ManualClock(START), ProcessorSandboxSettings(**(fields | settings)))
        auth = {"Authorization": f"Bearer {API_KEY}"}
        async with (
            running(app) as url,
            httpx.AsyncClient(base_url=url, headers=auth, trust_env=False, timeout=10) as http,
        ):
            yield Client(http, door)


async def _json(answer: httpx.Response) -> Json:
    answer.raise_for_status()
    return answer.json()  # type: ignore[no-any-return]


def _serve(door: Door) -> FastAPI:
    app = FastAPI()

    @app.post("/hook")
    async def receive(request: Request) -> Response:
        door.bodies.append(await request.body())
        door.signatures.append(request.headers["sandbox-signature"])
        return Response(status_code=door.answers.pop(0) if door.answers else 200)

    return app
