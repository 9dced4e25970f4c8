"""A sandbox Stripe for tests: served over real HTTP, with the official client, a clock to move,
an endpoint that receives its webhooks, and Stripe's own contract watching.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.sandbox.contract import ContractChecker
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.serve import running
from twintill.sandbox.stripe import StripeSandbox, StripeSandboxSettings, create_app

START = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
HOUR_S, DAY_S = 3600, 86400
BERLIN = {"country": "DE", "postal_code": "10115", "city": "Berlin", "line1": "Musterstr. 1"}
CUSTOMER_CARD = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}


@dataclass
class Endpoint:
    """A receiver of webhooks; answers 200 unless told otherwise."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    status: int = 200
    deliveries: list[tuple[bytes, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    async def receive(self, request: Request) -> Response:
        body = await request.body()
        self.deliveries.append((body, request.headers["stripe-signature"]))
        self.events.append(await request.json())
        return Response(status_code=self.statuses.pop(0) if self.statuses else self.status)

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type]


@dataclass
class StripeWorld:
    """What a test holds in its hands."""

    url: str
    v1: Any
    admin: httpx.AsyncClient
    clock: ManualClock
    sandbox: StripeSandbox
    checker: ContractChecker
    endpoint: Endpoint

    @property
    def now(self) -> int:
        return int(self.clock._now.timestamp())

    async def advance(self, seconds: float) -> None:
        answer = await self.admin.post("/_sandbox/clock", json={"advance_s": seconds})
        answer.raise_for_status()

    async def tick(self) -> None:
        (await self.admin.post("/_sandbox/tick")).raise_for_status()

    async def fault(self, **fault: Any) -> None:
        (await self.admin.post("/_sandbox/faults", json=fault)).raise_for_status()

    async def pay_hosted(self, invoice_id: str, outcome: str) -> httpx.Response:
        body = {"invoice": invoice_id, "outcome": outcome}
        return await self.admin.post("/_sandbox/pay_hosted", json=body)

    async def listen(self, *types: str, **params: Any) -> Any:
        given = {"url": self.endpoint.url, "enabled_events": list(types or ["*"]), **params}
        return await self.v1.webhook_endpoints.create_async(given)

    async def customer(self, **params: Any) -> Any:
        return await self.v1.customers.create_async(params)

    async def price(self, unit_amount: int = 4900, interval: str = "month", **params: Any) -> Any:
        given: dict[str, Any] = {
            "currency": "eur",
            "product_data": {"name": "Pro"},
            "recurring": {"interval": interval},
            "unit_amount": unit_amount,
        }
        return await self.v1.prices.create_async({**given, **params})

    async def subscribe(self, customer: Any = None, price: Any = None, **params: Any) -> Any:
        """A send_invoice subscription unless told otherwise, with its first invoice expanded."""
        customer = customer or await self.customer()
        price = price or await self.price()
        given: dict[str, Any] = {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "expand": ["latest_invoice"],
        }
        if params.get("collection_method") != "charge_automatically":
            given |= {"collection_method": "send_invoice", "days_until_due": 14}
        return await self.v1.subscriptions.create_async({**given, **params})

    async def open_invoice(self, amount: int = 4900, **params: Any) -> Any:
        """The finalized first invoice of a new subscription."""
        subscription = await self.subscribe(price=await self.price(amount), **params)
        return await self.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)

    async def events(self, **params: Any) -> list[dict[str, Any]]:
        """All events of the account, oldest first."""
        found = await self.v1.events.list_async({"limit": 100, **params})
        return [event.to_dict() for event in found.data][::-1]

    async def types(self) -> list[str]:
        return [event["type"] for event in await self.events()]

    async def calls(self) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = (await self.admin.get("/_sandbox/requests")).json()["data"]
        return data

    def check_contract(self) -> None:
        """Every call, every answer and every event was as Stripe describes it."""
        for event in self.sandbox.world.all("event").values():
            self.checker.check_object(event, "event")
            self.checker.check_object(event["data"]["object"], event["type"])
        assert not self.checker.violations


@contextlib.asynccontextmanager
async def stripe_world(
    settings: StripeSandboxSettings | None = None, start: datetime = START
) -> AsyncIterator[StripeWorld]:
    """A running sandbox Stripe; on leaving, the contract must have been kept."""
    clock, endpoint = ManualClock(start), Endpoint()
    sandbox = create_app(clock, settings or StripeSandboxSettings(seed=1))
    checker = ContractChecker(sandbox)
    receiver = Starlette(routes=[Route("/webhooks", endpoint.receive, methods=["POST"])])
    stripe.enable_telemetry = False
    async with contextlib.AsyncExitStack() as stack:
        endpoint.url = await stack.enter_async_context(running(receiver)) + "/webhooks"
        url = await stack.enter_async_context(running(checker))
        admin = await stack.enter_async_context(
            httpx.AsyncClient(base_url=url, timeout=30, verify=False)
        )
        http = stripe.HTTPXClient(timeout=httpx.Timeout(10), verify_ssl_certs=False)
        stack.push_async_callback(http.close_async)
        v1 = client(url, http).v1
        world = StripeWorld(url, v1, admin, clock, sandbox, checker, endpoint)
        yield world
        world.check_contract()


def client(url: str, http: stripe.HTTPClient, key: str = "sk_test_sandbox") -> stripe.StripeClient:
    """The official client, without retries of its own."""
    return stripe.StripeClient(
        key, base_addresses={"api": url}, http_client=http, max_network_retries=0
    )
