"""The world that collecting is measured in: both sandboxes, the web process, workers, customers."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks import stage
from benchmarks.stage import Part, Stage, free_port, wait_for_port, wait_for_word
from twintill.ids import Scope
from twintill.store import methods, mirror
from twintill.store.database import open_database
from twintill.store.vault import Vault
from twintill.stripe_billing.gateway import Gateway, open_gateway

SCOPE = Scope(stage.ACCOUNT, False)
_PROCESSOR_ACCOUNT = "acct_sandbox"
# As the webhook's page says: all of the invoice, and the ends of customers and subscriptions.
_INVOICE = "created deleted finalization_failed finalized marked_uncollectible overdue paid"
_INVOICE_TOO = "payment_action_required payment_failed payment_succeeded sent updated voided"
_HEARS = (
    *(f"invoice.{what}" for what in f"{_INVOICE} {_INVOICE_TOO}".split()),
    *(f"customer.subscription.{what}" for what in ("created", "updated", "deleted")),
    "customer.deleted",
)
_DRIVERS = ("/finalize",)  # the calls that are not Twintill's
_NOBODY = "bbbbbbbb"


@dataclass
class World:
    """Everything that the driver of the benchmark touches."""

    stage: Stage
    database: AsyncEngine
    admin: asyncpg.Connection
    stripe: Gateway
    stripe_admin: httpx.AsyncClient
    processor_admin: httpx.AsyncClient
    parts: dict[str, Part]
    workers: list[Part] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def working(self, count: int) -> Iterator[None]:
        """So many worker processes, ready; stopped at the end."""
        self.workers = [self.stage.start("worker") for _ in range(count)]
        try:
            for worker in self.workers:
                wait_for_word(worker, "working")
            yield
        finally:
            for worker in self.workers:
                stage.stop(worker)

    async def add_customers(self, count: int) -> None:
        """Each with a stored method that is approved at once."""
        vault = Vault([stage.ENCRYPTION_KEY_BYTES])
        for n in range(count):
            customer_id = await self.stripe.create_customer(None, None, {}, "op_bench", f"c{n}")
            made = await self.processor_admin.post("/_sandbox/methods", json={"method": "card_ok"})
            method = made.raise_for_status().json()
            async with self.database.begin() as db:
                await mirror.add_customer(db, SCOPE, customer_id)
                await methods.add(db, vault, SCOPE, _new_method(customer_id, method))
            self.customers.append(customer_id)

    async def draft(self, n: int) -> str:
        """An invoice of the n-th customer, not finalized yet."""
        v1, customer = self.stripe.client.v1, self.customers[n]
        invoice = await v1.invoices.create_async(
            {
                "customer": customer,
                "collection_method": "send_invoice",
                "days_until_due": 30,
                "currency": "eur",
                "auto_advance": False,
            }
        )
        await v1.invoice_items.create_async(
            {"customer": customer, "invoice": invoice.id, "amount": 4900, "currency": "eur"}
        )
        return invoice.id

    async def finalize(self, invoice_id: str) -> None:
        await self.stripe.client.v1.invoices.finalize_invoice_async(invoice_id)

    async def reported(self) -> int:
        return await self._count("SELECT count(*) FROM payments WHERE state = 'reported'")

    async def has_reported(self, count: int) -> bool:
        return await self.reported() >= count

    async def is_quiet(self) -> bool:
        """Every webhook was delivered and taken in, every bell answered."""
        await self.stripe_admin.post("/_sandbox/tick")
        await self.processor_admin.post("/_sandbox/tick")
        left = await self._count(
            "SELECT (SELECT count(*) FROM inbox WHERE ended_at IS NULL) "
            "+ (SELECT count(*) FROM pgqueuer) "
            "+ (SELECT count(*) FROM payments WHERE lease_token IS NOT NULL)"
        )
        return left == 0

    async def events(self) -> int:
        return await self._count("SELECT count(*) FROM inbox")

    async def commits(self) -> int:
        """As PostgreSQL counts them; a session tells of its own with some delay."""
        return await self._count(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        )

    async def forget_calls(self) -> None:
        await self.stripe_admin.delete("/_sandbox/requests")

    async def stripe_calls(self) -> Counter[str]:
        """By kind, without ids, and without those of the driver."""
        listed = (await self.stripe_admin.get("/_sandbox/requests")).json()["data"]
        kinds = (f"{call['method']} {_without_ids(call['path'])}" for call in listed)
        return Counter(kind for kind in kinds if not kind.endswith(_DRIVERS))

    def cpu_s(self) -> dict[str, float]:
        used = {name: part.cpu_s() for name, part in self.parts.items()}
        workers = sum(worker.cpu_s() for worker in self.workers)
        return {**used, "workers": workers, "PostgreSQL": self.stage.postgres_cpu_s()}

    async def _count(self, query: str) -> int:
        return int(await self.admin.fetchval(query))


@contextlib.asynccontextmanager
async def open_world(the_stage: Stage) -> AsyncIterator[World]:
    """Both sandboxes and the web process, started; workers come later."""
    async with contextlib.AsyncExitStack() as closing:
        web = free_port()
        stripe_url, parts = await _start_sandboxes(the_stage, closing, web)
        processor_url = the_stage.environment["TWINTILL_SANDBOX_PROCESSOR_URL"]
        parts["web"] = the_stage.start("web", web, "shared", 0)
        wait_for_port(parts["web"], web)
        database = open_database(the_stage.url, pool_size=2)
        closing.push_async_callback(database.dispose)
        admin = await the_stage.admin()
        closing.push_async_callback(admin.close)
        gateway = open_gateway(stage.STRIPE_KEY, stripe_url, _NOBODY, livemode=False)
        closing.push_async_callback(gateway.aclose)
        yield World(
            the_stage,
            database,
            admin,
            gateway,
            await closing.enter_async_context(httpx.AsyncClient(base_url=stripe_url, timeout=30)),
            await closing.enter_async_context(
                httpx.AsyncClient(base_url=processor_url, timeout=30)
            ),
            parts,
        )


async def _start_sandboxes(
    the_stage: Stage, closing: contextlib.AsyncExitStack, web: int
) -> tuple[str, dict[str, Part]]:
    stripe, processor = free_port(), free_port()
    webs = f"http://127.0.0.1:{web}/webhooks"
    secret = stage.PROCESSOR_SECRET
    parts = {
        "sandbox Stripe": the_stage.start("stripe", stripe, stage.ACCOUNT),
        "sandbox processor": the_stage.start(
            "processor", processor, stage.PROCESSOR_KEY, f"{webs}/sandbox", secret
        ),
    }
    wait_for_port(parts["sandbox Stripe"], stripe)
    wait_for_port(parts["sandbox processor"], processor)
    stripe_url = f"http://127.0.0.1:{stripe}"
    gateway = open_gateway(stage.STRIPE_KEY, stripe_url, _NOBODY, livemode=False)
    closing.push_async_callback(gateway.aclose)
    hears: Any = list(_HEARS)
    endpoint = await gateway.client.v1.webhook_endpoints.create_async(
        {"url": f"{webs}/stripe", "enabled_events": hears}
    )
    assert endpoint.secret is not None
    the_stage.environment |= {
        "TWINTILL_STRIPE_API_BASE": stripe_url,
        "TWINTILL_STRIPE_WEBHOOK_SECRETS": endpoint.secret,
        "TWINTILL_SANDBOX_PROCESSOR_URL": f"http://127.0.0.1:{processor}",
    }
    return stripe_url, parts


def _new_method(customer_id: str, made: dict[str, object]) -> methods.NewMethod:
    display = made["display"]
    assert isinstance(display, dict)
    return methods.NewMethod(
        setup_session_id=str(made["token"]),
        customer_id=customer_id,
        processor="sandbox",
        processor_account_id=_PROCESSOR_ACCOUNT,
        processor_customer_id=str(made["customer"]),
        token=str(made["token"]),
        kind=str(made["kind"]),
        display=display,
    )


def _without_ids(path: str) -> str:
    return "/".join(
        "{id}" if "_" in part and part[-1].isalnum() and any(c.isdigit() for c in part) else part
        for part in path.split("/")
    )
