"""The pace of real collecting: one call at a time for an invoice, and what "too many" does."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.world import INSTALLATION, SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.pace import Limits, unused
from twintill.domain.payment import Reason, State
from twintill.flows.look import look
from twintill.flows.means import Means
from twintill.ids import payment_id
from twintill.store import pace
from twintill.store.clock import wall
from twintill.store.database import open_database
from twintill.store.pace import SharedBudget
from twintill.stripe_billing.gateway import open_gateway
from twintill.stripe_billing.pace import Pacer

_INVOICE = re.compile(rb"in_[0-9A-Za-z]+")


@dataclass
class Watch:
    """Which calls about which invoice were under way at the same time."""

    under_way: list[tuple[bytes, str]] = field(default_factory=list)
    beside: list[tuple[str, str]] = field(default_factory=list)  # of one invoice
    most: int = 0  # of all invoices
    watching: bool = False

    def __call__(self, app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
                await app(scope, receive, send)
                return
            body = (await receive()).get("body", b"")
            found = _INVOICE.search(scope["path"].encode() + b" " + body)
            with self._passing(found[0] if found else b"", scope["path"]):
                await asyncio.sleep(0.03)  # long enough to meet another one
                await app(scope, _again(body), send)

        return watched

    @contextlib.contextmanager
    def _passing(self, invoice: bytes, path: str) -> Any:
        if not self.watching or not invoice:
            yield
            return
        self.beside += [(path, other) for its, other in self.under_way if its == invoice]
        self.under_way.append((invoice, path))
        self.most = max(self.most, len(self.under_way))
        try:
            yield
        finally:
            self.under_way.remove((invoice, path))


def _again(body: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def watched(database: Database, watch: Watch) -> AsyncIterator[World]:
    async with running_world(database, watch=watch) as world:
        yield world


async def test_no_call_for_an_invoice_runs_beside_another_for_it(
    watched: World, watch: Watch, database: Database
) -> None:
    """Two workers are told of each payment again and again; at Stripe and at the processor."""
    invoices = []
    for _ in range(3):
        customer_id = await watched.customer()
        invoices.append(await watched.invoice(customer_id))
        await watched.open_payment(invoices[-1], customer_id)
    other_database = open_database(database.url, pool_size=4)
    workers = [watched.means, replace(watched.means, database=other_database)]

    async def keep_looking(means: Means, invoice_id: str) -> None:
        for _ in range(12):
            await look(means, SCOPE, payment_id(SCOPE, invoice_id))
            await asyncio.sleep(0.01)

    watch.watching = True
    await asyncio.gather(*(keep_looking(w, i) for w in workers for i in invoices for _ in range(2)))
    watch.watching = False
    await other_database.dispose()
    assert watch.beside == []
    assert watch.most > 1
    assert len(await watched.charges()) == 3
    assert [await watched.status(invoice_id) for invoice_id in invoices] == ["paid"] * 3


@contextlib.asynccontextmanager
async def paced(world: World) -> AsyncIterator[World]:
    """The same world, with a gateway that takes turns."""
    pacer = Pacer(SharedBudget(world.means.database, SCOPE, Limits(80, 20)))
    url = str(world.stripe.base_url)
    stripe = open_gateway("sk_test_1", url, INSTALLATION, False, pace=pacer)
    yield replace(world, means=replace(world.means, stripe=stripe))
    await stripe.aclose()
    await pacer.aclose()


async def opened(world: World) -> str:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    return invoice_id


async def test_too_many_before_the_charge_means_wait_and_charges_nothing(world: World) -> None:
    invoice_id = await opened(world)
    async with paced(world) as slowly:
        await world.break_stripe(f"/v1/invoices/{invoice_id}$", "status", code=429)
        await slowly.work()
        waiting = await world.payment(invoice_id)
        assert (waiting.state, waiting.reason) == (State.WAITING, Reason.STRIPE_UNREADABLE)
        assert waiting.attempts == ()
        await world.advance(timedelta(minutes=1))
        await slowly.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert len(await world.charges()) == 1


async def test_too_many_at_the_report_keeps_the_money_and_reports_later(world: World) -> None:
    invoice_id = await opened(world)
    async with paced(world) as slowly:
        await world.break_stripe("/pay$", "status", code=429)
        await slowly.work()
        assert (await world.payment(invoice_id)).state is State.COLLECTED
        await world.advance(timedelta(minutes=1))
        await slowly.work()
    assert await world.status(invoice_id) == "paid"
    assert len(await world.charges()) == 1


async def test_a_report_whose_turn_never_came_does_not_make_a_hand_mark_ours(world: World) -> None:
    """Nothing was sent: who marks the invoice then is somebody else, and perhaps paid twice."""
    invoice_id = await opened(world)
    async with paced(world) as slowly:
        await slowly.means.stripe.last_look(invoice_id, 1)  # makes the lanes
        async with world.db() as db:
            now = await wall(db)
            full = unused(now + timedelta(hours=1))
            await pace._add(db, SCOPE, ["POST /v1/invoices/{id}/pay"])
            await pace._write(db, SCOPE, {"POST /v1/invoices/{id}/pay": full})
        await slowly.work()
        assert (await world.payment(invoice_id)).state is State.COLLECTED
    paths = [r["path"] for r in (await world.stripe.get("/_sandbox/requests")).json()["data"]]
    assert not [path for path in paths if path.endswith("/pay")]
    await world.means.stripe.pay_out_of_band(invoice_id, "by-hand")
    await world.advance(timedelta(minutes=1))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.COLLECTED, 0)
    assert payment.parked_why is not None
