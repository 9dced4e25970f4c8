"""A small real world for tests of flows: PostgreSQL, both sandboxes over HTTP, one shared clock."""

import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.postgres import Database
from tests.sandbox.contract import ContractChecker
from twintill.domain.invoice import InvoiceLook
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import Policy
from twintill.flows.look import look as look_at_payment
from twintill.flows.means import Means
from twintill.ids import Scope, new_id, payment_id
from twintill.processors.sandbox import SandboxProcessor
from twintill.sandbox.clock import SharedClock
from twintill.sandbox.processor import ProcessorSandboxSettings
from twintill.sandbox.processor.app import create_app as create_processor
from twintill.sandbox.serve import running
from twintill.sandbox.stripe import StripeSandboxSettings
from twintill.sandbox.stripe import create_app as create_stripe
from twintill.store import clock, ledger, methods, mirror, payments
from twintill.store.clock import NOW, WALL
from twintill.store.database import open_database
from twintill.store.tables import payments as payments_table
from twintill.store.vault import Vault
from twintill.stripe_billing.gateway import open_gateway

SCOPE = Scope("acct_test", False)
PROCESSOR_ACCOUNT = "acct_sandbox"
PROCESSOR_KEY = "sandbox_key_1"
PROCESSOR_SECRET = "whsec_sandbox_1"
INSTALLATION = "abcdefg2"
# The processor's time-out in tests: lost answers are cheap, and a busy machine loses none.
ANSWER_WITHIN_S = 1.5


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a flow touches, and the switches of the two outside parties."""

    means: Means
    owner_url: str
    stripe: httpx.AsyncClient  # /_sandbox of the sandbox Stripe
    processor: httpx.AsyncClient

    @contextlib.asynccontextmanager
    async def db(self) -> AsyncIterator[AsyncConnection]:
        async with self.means.database.begin() as db:
            yield db

    async def advance(self, by: timedelta) -> None:
        """Business time moves for the database and both sandboxes, and they catch up."""
        owner = open_database(self.owner_url, pool_size=1)
        async with owner.begin() as db:
            await clock.advance(db, by)
        await owner.dispose()
        await self.stripe.post("/_sandbox/tick")
        await self.processor.post("/_sandbox/tick")

    async def customer(self, method: str | None = "card_ok", processor: str = "sandbox") -> str:
        """A Stripe customer of ours, with a stored method of this kind (None: without one)."""
        key = new_id("key")
        customer_id = await self.means.stripe.create_customer(None, None, {}, "op_test", key)
        async with self.db() as db:
            await mirror.add_customer(db, SCOPE, customer_id)
        if method is not None:
            await self.add_method(customer_id, method, processor)
        return customer_id

    async def add_method(
        self,
        customer_id: str,
        kind: str,
        processor: str = "sandbox",
        account_id: str = PROCESSOR_ACCOUNT,
    ) -> str:
        made = (await self.processor.post("/_sandbox/methods", json={"method": kind})).json()
        new = methods.NewMethod(
            setup_session_id=made["token"],
            customer_id=customer_id,
            processor=processor,
            processor_account_id=account_id,
            processor_customer_id=made["customer"],
            token=made["token"],
            kind=made["kind"],
            display=made["display"],
        )
        async with self.db() as db:
            added = await methods.add(db, self.means.vault, SCOPE, new)
        assert added is not None
        return added

    async def invoice(
        self, customer_id: str, amount_minor: int = 4900, currency: str = "eur"
    ) -> str:
        """A finalized one-off `send_invoice` invoice in Stripe."""
        v1 = self.means.stripe.client.v1
        invoice = await v1.invoices.create_async(
            {
                "customer": customer_id,
                "collection_method": "send_invoice",
                "days_until_due": 30,
                "currency": currency,
            }
        )
        await v1.invoice_items.create_async(
            {
                "customer": customer_id,
                "invoice": invoice.id,
                "amount": amount_minor,
                "currency": currency,
            }
        )
        await v1.invoices.finalize_invoice_async(invoice.id)
        return str(invoice.id)

    async def open_payment(
        self, invoice_id: str, customer_id: str, lane: str = "sandbox", **changes: Any
    ) -> Payment:
        """As intake does it when the invoice's event arrives."""
        look = await self.means.stripe.read_invoice(invoice_id)
        async with self.db() as db:
            now = await clock.now(db)
            await mirror.saw_invoice(db, SCOPE, _mirrored(customer_id, look))
            opened = replace(_new_payment(customer_id, look, now), **changes)
            await payments.open_and_ring(db, SCOPE, opened, lane, now)
        return opened

    async def payment(self, invoice_id: str) -> Payment:
        async with self.db() as db:
            return await payments.read(db, SCOPE, payment_id(SCOPE, invoice_id))

    async def work(self, limit: int = 20) -> int:
        """Look at payments until none is due (now; not later); how many looks it took."""
        for count in range(limit):
            due = await self._due()
            if due is None:
                return count
            await look_at_payment(self.means, SCOPE, due)
        raise AssertionError("the payments never come to rest")

    async def collect(self, customer_id: str, amount_minor: int = 4900) -> str:
        """One invoice, from finalized to wherever it comes to rest."""
        invoice_id = await self.invoice(customer_id, amount_minor)
        await self.open_payment(invoice_id, customer_id)
        await self.work()
        return invoice_id

    async def charges(self) -> list[dict[str, Any]]:
        """The processor's book."""
        headers = {"authorization": f"Bearer {PROCESSOR_KEY}"}
        listed = await self.processor.get("/v1/transactions", headers=headers)
        return [t for t in listed.json()["data"] if t["type"] == "charge"]

    async def balances(self) -> dict[str, int]:
        async with self.db() as db:
            return {b.account: b.amount_minor for b in await ledger.balances(db, SCOPE)}

    async def status(self, invoice_id: str) -> str:
        return (await self.means.stripe.read_invoice(invoice_id)).status.value

    async def break_processor(self, path_regex: str, kind: str, **fault: Any) -> None:
        await _break(self.processor, path_regex, kind, fault)

    async def break_stripe(self, path_regex: str, kind: str, **fault: Any) -> None:
        await _break(self.stripe, path_regex, kind, fault)

    async def _due(self) -> str | None:
        c = payments_table.c
        async with self.db() as db:
            found = await db.execute(
                select(c.payment_id)
                .where(
                    c.next_look_at <= NOW,
                    c.ended_at.is_(None),
                    c.parked_at.is_(None),
                    or_(c.lease_until.is_(None), c.lease_until < WALL),
                )
                .order_by(c.next_look_at)
                .limit(1)
            )
            due: str | None = found.scalar_one_or_none()
            return due


@contextlib.asynccontextmanager
async def running_world(
    database: Database,
    answer_within_s: float = ANSWER_WITHIN_S,
    watch: Callable[[Any], Any] = lambda app: app,
) -> AsyncIterator[World]:
    """Both sandboxes up, and the means to talk to them; Stripe's is held to its contract.

    `watch`: ASGI middleware around each of them, for who wants to see what passes.
    """
    time = SharedClock(database.url)
    stripe = ContractChecker(create_stripe(time, StripeSandboxSettings(seed=1)))
    processor = create_processor(
        time, ProcessorSandboxSettings(api_key=PROCESSOR_KEY, slow_answer_s=answer_within_s * 2)
    )
    async with (
        running(watch(stripe)) as stripe_url,
        running(watch(processor)) as processor_url,
        _client(stripe_url) as stripe_admin,
        _client(processor_url) as processor_admin,
        _client() as adapters,
    ):
        means = _means(database.url, stripe_url, processor_url, answer_within_s, adapters)
        try:
            yield World(means, database.owner_url, stripe_admin, processor_admin)
        finally:
            await means.stripe.aclose()
            await means.database.dispose()
    await time.aclose()
    assert not stripe.violations, stripe.violations


def _new_payment(customer_id: str, look: InvoiceLook, now: datetime) -> Payment:
    return Payment(
        id=payment_id(SCOPE, look.invoice_id),
        invoice_id=look.invoice_id,
        customer_id=customer_id,
        currency=look.currency,
        state=State.WAITING,
        reason=Reason.READY,
        next_look_at=now,
        due_at=look.due_at,
    )


def _client(base_url: str = "") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=base_url, trust_env=False, verify=_tls_context())


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Nothing here speaks TLS; reading the machine's certificates was a fifth of a test's time."""
    return ssl.create_default_context()


def _means(
    database_url: str,
    stripe_url: str,
    processor_url: str,
    answer_within_s: float,
    client: httpx.AsyncClient,
) -> Means:
    processor = SandboxProcessor(
        processor_url,
        PROCESSOR_KEY,
        (PROCESSOR_SECRET,),
        PROCESSOR_ACCOUNT,
        timeout_s=answer_within_s,
        client=client,
    )
    return Means(
        scope=SCOPE,
        installation_id=INSTALLATION,
        database=open_database(database_url, pool_size=4),
        stripe=open_gateway("sk_test_1", stripe_url, INSTALLATION, False),
        processors={"sandbox": processor},
        vault=Vault([b"k" * 32]),
        policy=Policy(),
        public_url="http://127.0.0.1:8000",
        tells_app=False,
    )


def _mirrored(customer_id: str, look: InvoiceLook) -> dict[str, Any]:
    return {
        "invoice_id": look.invoice_id,
        "customer_id": customer_id,
        "subscription_id": None,
        "number": None,
        "status": look.status.value,
        "collection_method": look.collection_method,
        "billing_reason": "manual",
        "currency": look.currency,
        "amount_due_minor": look.amount_due_minor,
        "amount_paid_minor": look.amount_paid_minor,
        "amount_remaining_minor": look.amount_remaining_minor,
        "due_at": look.due_at,
    }


async def _break(
    client: httpx.AsyncClient, path_regex: str, kind: str, fault: dict[str, Any]
) -> None:
    match = {"path_regex": path_regex, "method": fault.pop("method", "POST"), "times": 1}
    match |= {k: fault.pop(k) for k in ("times", "nth") if k in fault}
    answer = await client.post("/_sandbox/faults", json={"kind": kind, "match": match, **fault})
    assert answer.is_success, answer.text
