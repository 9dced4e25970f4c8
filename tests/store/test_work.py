"""Leases and bells: who may call the outside for a row, and that no wake-up is lost."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain.payment import Payment, Reason, State
from twintill.ids import Scope
from twintill.store import clock, mirror, payments, work
from twintill.store.doorbell import Bell, Kind, read_bell
from twintill.store.work import PAYMENTS

SCOPE = Scope("acct_1", False)


async def due_payment(db: AsyncConnection, payment_id: str = "pay_1") -> str:
    await mirror.add_customer(db, SCOPE, "cus_1")
    now = await clock.now(db)
    payment = Payment(
        id=payment_id,
        invoice_id=f"in_{payment_id}",
        customer_id="cus_1",
        currency="EUR",
        state=State.WAITING,
        reason=Reason.READY,
        next_look_at=now - timedelta(seconds=10),
    )
    await payments.add(db, SCOPE, payment, "sandbox", now)
    return payment_id


async def bells(db: AsyncConnection) -> list[Bell]:
    rows = await db.execute(text("SELECT entrypoint, payload FROM pgqueuer ORDER BY id"))
    return [read_bell(row.entrypoint, row.payload) for row in rows]


async def test_only_one_holds_it(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await due_payment(db)
    async with engine.begin() as db:
        assert await work.claim(db, PAYMENTS, SCOPE, "pay_1") is not None
    async with engine.begin() as db:
        assert await work.claim(db, PAYMENTS, SCOPE, "pay_1") is None


async def test_a_lease_that_ran_out_may_be_taken_and_its_token_is_stale(
    engine: AsyncEngine,
) -> None:
    async with engine.begin() as db:
        await due_payment(db)
        first = await work.claim(db, PAYMENTS, SCOPE, "pay_1")
        assert first is not None
    async with engine.begin() as db:
        await db.execute(text("UPDATE payments SET lease_until = now() - interval '1 second'"))
        second = await work.claim(db, PAYMENTS, SCOPE, "pay_1")
    async with engine.begin() as db:
        assert second is not None
        assert not await work.keep(db, PAYMENTS, first)
        await work.release(db, PAYMENTS, first)
        assert await work.keep(db, PAYMENTS, second)


async def test_release_rings_when_it_is_due_by_now(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await due_payment(db)
        lease = await work.claim(db, PAYMENTS, SCOPE, "pay_1")
        assert lease is not None
        await work.release(db, PAYMENTS, lease)
        assert await bells(db) == [Bell(Kind.PAYMENT, SCOPE, "pay_1", "sandbox")]


async def test_what_is_not_due_cannot_be_claimed(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await due_payment(db)
        await db.execute(text("UPDATE payments SET next_look_at = now() + interval '1 hour'"))
        assert await work.claim(db, PAYMENTS, SCOPE, "pay_1") is None


async def test_the_sweep_rings_once_in_a_while(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await due_payment(db)
    async with engine.begin() as db:
        assert await work.ring_due(db, PAYMENTS) == 1
        assert await work.ring_due(db, PAYMENTS) == 0


async def test_what_was_looked_at_since_is_rung_for_as_soon_as_it_is_due(
    engine: AsyncEngine,
) -> None:
    """An attempt in doubt is asked for within seconds, also when the sweep had begun its charge."""
    async with engine.begin() as db:
        await due_payment(db)
    async with engine.begin() as db:
        assert await work.ring_due(db, PAYMENTS) == 1
        lease = await work.claim(db, PAYMENTS, SCOPE, "pay_1")
        assert lease is not None
        await db.execute(text("UPDATE payments SET next_look_at = now() + interval '5 s'"))
        await work.release(db, PAYMENTS, lease)
    async with engine.begin() as db:
        assert await work.ring_due(db, PAYMENTS) == 0
        await db.execute(text("UPDATE payments SET next_look_at = now() - interval '3 s'"))
        assert await work.ring_due(db, PAYMENTS) == 1


async def test_begun_reports_are_counted_with_the_claim(engine: AsyncEngine) -> None:
    """So that after a crash nobody mistakes our own `pay` for somebody else's."""
    async with engine.begin() as db:
        await due_payment(db)
        await db.execute(text("UPDATE payments SET state = 'collected'"))
        await work.claim(db, PAYMENTS, SCOPE, "pay_1")
        assert (await payments.read(db, SCOPE, "pay_1")).reports == 1


async def test_nothing_can_be_forgotten(engine: AsyncEngine) -> None:
    with pytest.raises(IntegrityError, match="not_forgotten"):  # noqa: PT012 -- at commit
        async with engine.begin() as db:
            await due_payment(db)
            await db.execute(text("UPDATE payments SET next_look_at = NULL"))


async def test_only_one_attempt_can_be_unresolved(engine: AsyncEngine) -> None:
    insert = (
        "INSERT INTO attempts (stripe_account_id, livemode, attempt_id, payment_id, kind, n, "
        "processor, processor_account_id, amount_minor, currency, reference, idempotency_key, "
        "first_sent_at, outcome) VALUES ('acct_1', false, 'att_{n}', 'pay_1', 'charge', {n}, "
        "'sandbox', 'a', 1, 'EUR', 'r{n}', 'k{n}', now(), '{outcome}')"
    )
    async with engine.begin() as db:
        await due_payment(db)
        await db.execute(text(insert.format(n=1, outcome="declined")))
        await db.execute(text(insert.format(n=2, outcome="no_answer")))
    with pytest.raises(IntegrityError, match="uq_attempts_unresolved"):
        async with engine.begin() as db:
            await db.execute(text(insert.format(n=3, outcome="started")))


async def test_business_time_can_be_shifted_by_the_owner_only(
    engine: AsyncEngine, owner: AsyncEngine
) -> None:
    async with engine.connect() as db:
        before = await clock.now(db)
    async with owner.begin() as db:
        await clock.advance(db, timedelta(days=31))
    async with engine.connect() as db:
        assert await clock.now(db) - before >= timedelta(days=31)
        assert await clock.shift(db) == timedelta(days=31)
