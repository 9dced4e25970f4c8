"""A sandbox Stripe over real HTTP, and a gateway to it; all that passes is checked by contract."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.contract import ContractChecker
from twintill.domain.invoice import InvoiceLook
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.serve import running
from twintill.sandbox.stripe.app import create_app
from twintill.sandbox.stripe.settings import StripeSandboxSettings
from twintill.stripe_billing.gateway import Gateway, open_gateway

START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
INSTALLATION = "abcdefg2"
OTHER_INSTALLATION = "zzzzzzz7"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The stand-in Stripe and its switches."""

    url: str
    http: httpx.AsyncClient

    async def switch(self, name: str, **given: Any) -> Any:
        answer = await self.http.post(f"/_sandbox/{name}", json=given)
        assert answer.is_success, answer.text
        return answer.json()

    async def requests(self) -> list[dict[str, Any]]:
        listed = (await self.http.get("/_sandbox/requests")).json()["data"]
        return [dict(request) for request in listed]

    async def break_next(self, method: str, path_regex: str, kind: str, **fault: Any) -> None:
        await self.switch(
            "faults", kind=kind, match={"method": method, "path_regex": path_regex}, **fault
        )


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    app = ContractChecker(create_app(ManualClock(START), StripeSandboxSettings(seed=1)))
    async with running(app) as url, httpx.AsyncClient(base_url=url) as http:
        yield Sandbox(url, http)
    assert not app.violations


@pytest.fixture
async def gateway(sandbox: Sandbox) -> AsyncIterator[Gateway]:
    gateway = open_gateway("sk_test_1", sandbox.url, INSTALLATION, False)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def elsewhere(sandbox: Sandbox) -> AsyncIterator[Gateway]:
    """Another copy of Twintill with the same key."""
    gateway = open_gateway("sk_test_1", sandbox.url, OTHER_INSTALLATION, False)
    yield gateway
    await gateway.aclose()


@pytest.fixture
async def customer(gateway: Gateway) -> str:
    return await gateway.create_customer("ada@example.com", "Ada", {}, "op_1", "key_customer")


@pytest.fixture
async def price(gateway: Gateway) -> str:
    """49.00 EUR a month."""
    created = await gateway.client.v1.prices.create_async(
        {
            "currency": "eur",
            "unit_amount": 4900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro"},
        }
    )
    return created.id


@pytest.fixture
async def draft(gateway: Gateway, customer: str, price: str) -> InvoiceLook:
    """The first invoice of a new subscription."""
    subscription = await gateway.create_subscription(
        customer, [(price, 1)], 14, {}, "op_2", "key_subscription"
    )
    assert subscription.first_invoice is not None
    return subscription.first_invoice


@pytest.fixture
async def invoice(gateway: Gateway, draft: InvoiceLook) -> InvoiceLook:
    """The same, open."""
    return await gateway.finalize(draft.invoice_id, "key_finalize")
