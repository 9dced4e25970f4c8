"""Requests to Stripe take turns: over real HTTP, and a budget in a real database."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.postgres import Database
from tests.stripe_billing.conftest import INSTALLATION, Sandbox
from tests.stripe_billing.test_failures import INVOICE, refusal
from twintill.domain.changing import BILLED_A_DAY, CHANGED_AN_HOUR
from twintill.domain.invoice import InvoiceLook
from twintill.domain.pace import Limits, Urgency
from twintill.errors import StripeThrottled, StripeUnreadable
from twintill.ids import Scope
from twintill.sandbox.serve import running
from twintill.store.database import open_database
from twintill.store.pace import SharedBudget, reads_today
from twintill.store.tables import stripe_lanes
from twintill.store.work import LEASE
from twintill.stripe_billing import connection
from twintill.stripe_billing.connection import DEADLINE_S, endpoint_of
from twintill.stripe_billing.gateway import Gateway, open_gateway
from twintill.stripe_billing.pace import NEVER_LEFT, PATIENCE_S, Pacer

SCOPE = Scope("acct_test", False)
FAST = Limits(account_per_s=1000, endpoint_per_s=1000)
PAY = "POST /v1/invoices/{id}/pay"


@dataclass
class Counting:
    """A Stripe that answers every request with an invoice, and writes down when it came."""

    arrivals: list[float] = field(default_factory=list)
    answers: list[httpx.Response] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self.arrivals.append(time.monotonic())
        given = self.answers.pop(0) if self.answers else httpx.Response(200, json=INVOICE)
        start = {"type": "http.response.start", "status": given.status_code}
        await send({**start, "headers": given.headers.raw})
        await send({"type": "http.response.body", "body": given.content})

    def most_in_a_second(self) -> int:
        return max(
            sum(begin <= moment < begin + 1 for moment in self.arrivals) for begin in self.arrivals
        )


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database.url, pool_size=3)
    yield engine
    await engine.dispose()


@pytest.fixture
async def counting() -> Counting:
    return Counting()


@pytest.fixture
async def url(counting: Counting) -> AsyncIterator[str]:
    async with running(counting) as url:
        yield url


@contextlib.asynccontextmanager
async def paced(url: str, engine: AsyncEngine, limits: Limits) -> AsyncIterator[Gateway]:
    """A gateway as one more process would have it."""
    pacer = Pacer(SharedBudget(engine, SCOPE, limits))
    gateway = open_gateway("sk_test_1", url, INSTALLATION, False, pace=pacer)
    yield gateway
    await gateway.aclose()
    await pacer.aclose()


async def test_several_processes_together_stay_below_the_limit(
    counting: Counting, url: str, database: Database
) -> None:
    limits, processes = Limits(account_per_s=40, endpoint_per_s=40), 3
    async with contextlib.AsyncExitStack() as stack:
        gateways = []
        for _ in range(processes):
            engine = open_database(database.url, pool_size=2)
            stack.push_async_callback(engine.dispose)
            gateways.append(await stack.enter_async_context(paced(url, engine, limits)))
        await asyncio.gather(*(g.last_look("in_1", 1) for g in gateways for _ in range(35)))
    assert len(counting.arrivals) == processes * 35
    # A block that a busy machine delivers late falls together with the next one of each process.
    assert counting.most_in_a_second() <= 40 + (processes + 1) * limits.block


async def test_each_endpoint_has_a_limit_of_its_own(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    limits = Limits(account_per_s=1000, endpoint_per_s=10)
    async with paced(url, engine, limits) as gateway:
        await asyncio.gather(*(gateway.last_look("in_1", 1) for _ in range(15)))
    assert counting.most_in_a_second() <= 10 + 2


async def test_reports_overtake_charges_and_charges_overtake_reads(engine: AsyncEngine) -> None:
    pacer = Pacer(SharedBudget(engine, SCOPE, Limits(100, 100)))
    went: list[Urgency] = []

    async def go(urgency: Urgency) -> None:
        await pacer.turn(urgency, PAY, within_s=30)
        went.append(urgency)

    least_first = sorted(Urgency, reverse=True)
    await asyncio.gather(*(go(urgency) for urgency in least_first for _ in range(12)))
    await pacer.aclose()
    assert went == sorted(went)
    assert len(went) == 12 * len(Urgency)


async def test_reports_overtake_what_another_process_wants_to_read(database: Database) -> None:
    went: list[Urgency] = []
    reading = asyncio.Event()

    async def go(pacer: Pacer, urgency: Urgency) -> None:
        await pacer.turn(urgency, PAY, within_s=30)
        went.append(urgency)
        reading.set()

    limits = Limits(30, 30)
    engines = [open_database(database.url, pool_size=1) for _ in range(2)]
    here, elsewhere = (Pacer(SharedBudget(engine, SCOPE, limits)) for engine in engines)
    reads = [asyncio.create_task(go(elsewhere, Urgency.READ)) for _ in range(60)]
    await reading.wait()
    await asyncio.gather(*(go(here, Urgency.REPORT) for _ in range(15)))
    read_meanwhile = went.count(Urgency.READ)
    await asyncio.gather(*reads)
    for pacer, engine in zip((here, elsewhere), engines, strict=True):
        await pacer.aclose()
        await engine.dispose()
    assert went.count(Urgency.REPORT) == 15
    assert read_meanwhile < 30


async def test_who_would_wait_too_long_is_sent_away_at_once(engine: AsyncEngine) -> None:
    budget = SharedBudget(engine, SCOPE, FAST)
    pacer = Pacer(budget)
    for _ in range(2):
        await budget.push_back(None)
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(StripeThrottled):
        await pacer.turn(Urgency.REPORT, PAY, within_s=0.5)
    assert loop.time() - began < 0.5
    await pacer.aclose()


async def test_without_a_database_the_call_fails_like_everything_else(url: str) -> None:
    nowhere = open_database("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1)
    async with paced(url, nowhere, FAST) as gateway:
        with pytest.raises(OSError, match="Connect"):
            await gateway.last_look("in_1", 1)
    await nowhere.dispose()


async def test_what_the_client_repeats_takes_another_turn(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    counting.answers = [httpx.Response(500, json={"error": {"message": "No."}})]
    async with paced(url, engine, Limits(1, 1)) as gateway:
        await gateway.last_look("in_1", 1)
    first, second = counting.arrivals
    assert second - first > 0.9


async def test_when_only_the_repetition_never_left_nothing_is_known(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    counting.answers = [httpx.Response(500, json={"error": {"message": "No."}})]
    async with paced(url, engine, Limits(0.1, 0.1)) as gateway:
        with pytest.raises(StripeUnreadable, match="no answer from Stripe, and then"):
            await gateway.pay_out_of_band("in_1", "key")
        with pytest.raises(StripeThrottled) as never_left:
            await gateway.pay_out_of_band("in_1", "key")
    assert never_left.value.code == NEVER_LEFT
    assert len(counting.arrivals) == 1


async def test_waiting_for_a_turn_does_not_count_against_stripe(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    pacer = Pacer(SharedBudget(engine, SCOPE, Limits(2, 2)))
    gateway = open_gateway("sk_test_1", url, INSTALLATION, False, pace=pacer, deadline_s=0.6)
    looks = await asyncio.gather(*(gateway.last_look("in_1", 1) for _ in range(3)))
    assert len(looks) == 3
    await gateway.aclose()
    await pacer.aclose()


async def test_a_call_that_stripe_does_not_answer_still_ends(engine: AsyncEngine) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(30 if scope["type"] == "http" else 0)

    async with running(silent) as url:
        pacer = Pacer(SharedBudget(engine, SCOPE, FAST))
        gateway = open_gateway("sk_test_1", url, INSTALLATION, False, pace=pacer, deadline_s=0.3)
        with pytest.raises(StripeUnreadable, match="no answer from Stripe within"):
            await gateway.last_look("in_1", 1)
        await gateway.aclose()
        await pacer.aclose()


def too_many(reason: str | None, code: str = "rate_limit") -> httpx.Response:
    answer: httpx.Response = refusal(429, code)
    if reason is not None:
        answer.headers["Stripe-Rate-Limited-Reason"] = reason
    return answer


UPDATE = "POST /v1/invoices/{id}"


@pytest.mark.parametrize(
    ("answer", "waits"),
    [
        (too_many("global-rate"), [""]),
        (too_many("global-concurrency"), [""]),
        (too_many("endpoint-rate"), [UPDATE]),
        (too_many("endpoint-concurrency"), [UPDATE]),
        (too_many(None), [""]),
        (too_many("resource-specific"), []),
        (too_many(None, "lock_timeout"), []),
        (refusal(409, "idempotency_key_in_use"), []),
    ],
)
async def test_who_waits_after_too_many(
    counting: Counting, url: str, engine: AsyncEngine, answer: httpx.Response, waits: list[str]
) -> None:
    """A locked object is its caller's affair; a rate that is exceeded is everybody's."""
    counting.answers = [answer, answer, answer]
    async with paced(url, engine, FAST) as gateway:
        with contextlib.suppress(StripeThrottled):
            await gateway.last_look("in_1", 1)
    async with engine.connect() as db:
        rows = (await db.execute(select(stripe_lanes).order_by(stripe_lanes.c.lane))).all()
    assert [row.lane for row in rows if row.pushes] == waits


async def test_a_report_is_not_repeated_into_a_full_stripe(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    counting.answers = [too_many("global-rate")]
    async with paced(url, engine, FAST) as gateway:
        with pytest.raises(StripeThrottled):
            await gateway.pay_out_of_band("in_1", "key")
    assert len(counting.arrivals) == 1


async def test_reads_are_counted_and_writes_are_not(
    counting: Counting, url: str, engine: AsyncEngine
) -> None:
    async with paced(url, engine, FAST) as gateway:
        await gateway.last_look("in_1", 1)
        await gateway.read_invoice("in_1")
        await gateway.read_invoice("in_1")
    async with engine.connect() as db:
        assert await reads_today(db, SCOPE) == 2


async def test_reads_are_counted_without_a_limit_too(
    sandbox: Sandbox, invoice: InvoiceLook, engine: AsyncEngine
) -> None:
    pacer = Pacer(SharedBudget(engine, SCOPE, FAST), limited=False)
    gateway = open_gateway("sk_test_1", sandbox.url, INSTALLATION, False, pace=pacer)
    await gateway.read_invoice(invoice.invoice_id)
    await gateway.aclose()
    await pacer.aclose()
    async with engine.connect() as db:
        assert await reads_today(db, SCOPE) == 1


@pytest.mark.parametrize(
    ("method", "url", "endpoint"),
    [
        ("post", "https://api.stripe.com/v1/invoices/in_1Nq/pay", PAY),
        ("get", "https://api.stripe.com/v1/invoices/in_1Nq?expand[0]=x", "GET /v1/invoices/{id}"),
        ("get", "http://127.0.0.1:1/v1/events", "GET /v1/events"),
        ("get", "http://127.0.0.1:1/prefix/v1/account", "GET /v1/account"),
        ("delete", "https://stripe.test/v1/subscriptions/sub_A", "DELETE /v1/subscriptions/{id}"),
    ],
)  # fmt: skip
def test_an_endpoint_is_what_stripe_counts_as_one(method: str, url: str, endpoint: str) -> None:
    assert endpoint_of(method, url) == endpoint


def test_waiting_and_answering_end_before_the_lease_does() -> None:
    """Three calls of a report in a row; one before a charge, whose lease then begins anew."""
    lease_s = LEASE.total_seconds()
    assert 3 * (PATIENCE_S[Urgency.REPORT] + DEADLINE_S) < lease_s
    assert PATIENCE_S[Urgency.CHARGE] + DEADLINE_S < lease_s


def test_nothing_of_ours_can_reach_the_limits_of_a_single_subscription() -> None:
    """10 invoices a minute, 20 a day, 200 quantities an hour: we hardly make or change them.

    By itself nothing changes what a subscription is for; where somebody asks for that
    (`preview.py`), it is bounded for each (flows/changing.py). An invoice that we make is a
    one-off. Who adds another such call bounds it too, and then changes this test.
    """
    ours = {path.name: path.read_text() for path in Path(connection.__file__).parent.glob("*.py")}
    who: dict[str, set[str]] = {}
    for name, text in ours.items():
        for call in re.findall(r"v1\.(\w+\.\w+)_async", text):
            who.setdefault(call, set()).add(name)
    assert who["subscriptions.create"] == {"subscriptions.py"}
    assert who["subscriptions.update"] == {
        *("subscriptions.py", "switching.py", "taxes.py", "preview.py")
    }
    assert (BILLED_A_DAY, CHANGED_AN_HOUR) <= (10, 200)
    assert who["invoices.create"] == {"one_off.py", "switching.py", "invoicing.py"}
    assert ours["subscriptions.py"].count('"items"') == 1, "of a new one"
    for name in ("switching.py", "taxes.py", "one_off.py"):
        assert not re.search(r'"(items|quantity|proration_behavior)"', ours[name])
    assert '"subscription":' not in ours["one_off.py"]
    assert ours["switching.py"].count('"subscription":') == 1, "in the list of its invoices"
    called = set(who)
    assert "subscriptions.resume" not in called
    assert not [call for call in called if call.startswith("subscription_")]
