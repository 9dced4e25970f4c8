"""A merchant of the stand-in PayPal, written from PayPal's documents, with a door for webhooks."""

import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import Response

from tests.sandbox.paypal.official import Official
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.paypal import PayPalSandboxSettings, create_app
from twintill.sandbox.serve import running

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
CLIENT, SECRET, WEBHOOK_ID = "a-client", "a-secret", "4JH86294D6297924G"
DAY_S = 86_400
Json = dict[str, Any]


@dataclass(slots=True)
class Letter:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Json:
        event: Json = json.loads(self.body)
        return event


@dataclass(slots=True)
class Merchant:
    http: httpx.AsyncClient
    official: Official
    letters: list[Letter] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)  # statuses for the next webhooks
    _keys: int = 0

    async def clear(self) -> None:
        (await self.http.post("/_sandbox/reset")).raise_for_status()
        self.letters.clear()
        self.refuse.clear()
        await self.log_in()

    async def log_in(self) -> None:
        granted = await self.ask_for_token()
        granted.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {granted.json()['access_token']}"

    async def ask_for_token(self, client: str = CLIENT, secret: str = SECRET) -> httpx.Response:
        basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
        form = {"grant_type": "client_credentials"}
        headers = {"Authorization": f"Basic {basic}"}
        return await self.http.post("/v1/oauth2/token", data=form, headers=headers)

    async def get(self, path: str, **query: Any) -> httpx.Response:
        return self._seen(await self.http.get(path, params=query))

    async def delete(self, path: str) -> httpx.Response:
        return self._seen(await self.http.delete(path))

    async def post(self, path: str, body: Json, key: str | None = None) -> httpx.Response:
        if key is None:
            self._keys += 1
            key = f"key-{self._keys}"
        headers = {"PayPal-Request-Id": key, "Prefer": "return=representation"}
        return self._seen(await self.http.post(path, json=body, headers=headers))

    async def admin(self, path: str, **body: Any) -> Any:
        answer = await self.http.post(f"/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def pass_days(self, days: float) -> None:
        await self.admin("clock", advance_s=days * DAY_S)

    async def told(self) -> list[str]:
        await self.admin("tick")
        return [letter.event["event_type"] for letter in self.letters]

    async def event(self, event_type: str) -> Json:
        await self.admin("tick")
        (found,) = [one.event for one in self.letters if one.event["event_type"] == event_type]
        return found

    async def start_setup(self, key: str | None = None, **fields: Any) -> httpx.Response:
        return await self.post("/v3/vault/setup-tokens", wallet_order(**fields), key)

    async def wallet(self, magic: str) -> str:
        """A payment token of a buyer who behaves so."""
        return str((await self.admin("methods", method=magic))["token"])

    async def charge(
        self, magic: str = "card_ok", key: str | None = None, **unit: Any
    ) -> httpx.Response:
        return await self.charge_wallet(await self.wallet(magic), key, **unit)

    async def charge_wallet(
        self, token: str, key: str | None = None, **unit: Any
    ) -> httpx.Response:
        return await self.post("/v2/checkout/orders", order(token, **unit), key)

    async def capture(self, magic: str = "card_ok", **unit: Any) -> Json:
        """The capture of a charge that PayPal took."""
        answer = await self.charge(magic, **unit)
        assert answer.status_code == 201, answer.text
        return capture_in(answer.json())

    def _seen(self, answer: httpx.Response) -> httpx.Response:
        self.official.look_at(answer)
        return answer


def order(token: str, value: str = "49.00", currency: str = "EUR", **unit: Any) -> Json:
    unit = {"invoice_id": "in_1", "custom_id": "tw-1"} | unit
    amount = {"currency_code": currency, "value": value}
    stored = {
        "payment_initiator": "MERCHANT",
        "usage": "SUBSEQUENT",
        "usage_pattern": "SUBSCRIPTION_PREPAID",
    }
    return {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": amount, **unit}],
        "payment_source": {"paypal": {"vault_id": token, "stored_credential": stored}},
    }


def wallet_order(**fields: Any) -> Json:
    context = {"return_url": "https://shop.example/back?a=1", "cancel_url": "https://shop.example"}
    wallet = {"usage_type": "MERCHANT", "experience_context": context, **fields}
    return {"payment_source": {"paypal": wallet}}


def capture_in(order_shown: Json) -> Json:
    (capture,) = order_shown["purchase_units"][0]["payments"]["captures"]
    assert isinstance(capture, dict)
    return capture


def issue(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"][0]["issue"]


@contextlib.asynccontextmanager
async def merchant_of_a_stand_in(**settings: Any) -> AsyncIterator[Merchant]:
    official = Official()
    door = FastAPI()
    async with running(door) as door_url:
        told = PayPalSandboxSettings(
            api_key=SECRET,
            client_id=CLIENT,
            webhook_url=f"{door_url}/webhook",
            webhook_secret=WEBHOOK_ID,
            slow_answer_s=0.3,
            webhook_retries_s=(0.01,),
            **settings,
        )
        app = create_app(ManualClock(START), told)
        async with (
            running(app) as url,
            httpx.AsyncClient(base_url=url, trust_env=False) as http,
        ):
            merchant = Merchant(http, official)

            @door.post("/webhook")
            async def receive(request: Request) -> Response:
                headers = dict(request.headers)
                merchant.letters.append(Letter(headers, await request.body()))
                return Response(status_code=merchant.refuse.pop(0) if merchant.refuse else 200)

            yield merchant
    assert not official.violations, "\n".join(official.violations)
