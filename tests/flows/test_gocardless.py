"""The engine with GoCardless: accepted now, told days later, and each payment made once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.flows.signing_up import work
from tests.flows.test_money_back import ask, notes
from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from tests.postgres import Database
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.flows import processor_events
from twintill.processors.gocardless import GoCardless
from twintill.processors.reports import EventPage
from twintill.sandbox.clock import SharedClock
from twintill.sandbox.gocardless import create_app, gocardless_settings
from twintill.sandbox.serve import running
from twintill.store import clock

TOKEN, SECRET, CREDITOR = "sandbox_token_of_tests", "secret", "CR000SANDBOX"


@pytest.fixture
async def bank(world: World, database: Database) -> AsyncIterator[World]:
    """The same world, with GoCardless in the place of the sandbox processor."""
    time = SharedClock(database.url)
    app = create_app(time, gocardless_settings(TOKEN))
    headers = {"Authorization": f"Bearer {TOKEN}", "GoCardless-Version": "2015-07-06"}
    async with (
        running(app) as url,
        httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as admin,
    ):
        processor = GoCardless(TOKEN, (SECRET,), CREDITOR, url, admin, 1.5)
        means = replace(world.means, processors={"gocardless": processor})
        yield replace(world, means=means, processor=admin)
    await time.aclose()


async def collect(world: World, method: str = "debit_ok") -> Payment:
    customer_id = await world.customer(None)
    await world.add_method(customer_id, method, "gocardless", CREDITOR)
    return await world.payment(await world.collect(customer_id))


async def pass_days(world: World, days: int) -> None:
    """What is told is taken in each day, all of it again: nothing may depend on hearing once."""
    for _ in range(days):
        await world.advance(timedelta(days=1))
        await hear(world)
        await work(world)


async def hear(world: World) -> None:
    processor: Any = world.means.processors["gocardless"]
    listed = await processor.list_events(await now(world) - timedelta(days=90))
    assert isinstance(listed, EventPage)
    for body in listed.bodies:
        for event in processor.parse_webhook(body):
            async with world.db() as db:
                await processor_events.take_in(db, world.means, SCOPE, processor, event)


async def now(world: World) -> datetime:
    async with world.db() as db:
        return await clock.now(db)


async def again(world: World, payment: Payment) -> Payment:
    return await world.payment(payment.invoice_id)


async def made(world: World) -> list[dict[str, Any]]:
    """GoCardless's book."""
    listed = await world.processor.get("/payments")
    payments: list[dict[str, Any]] = listed.raise_for_status().json()["payments"]
    return payments


async def reported(world: World, method: str = "debit_ok", days: int = 7) -> Payment:
    payment = await collect(world, method)
    await pass_days(world, days)
    payment = await again(world, payment)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900)
    return payment


async def test_a_debit_is_accepted_then_collected_and_reported(bank: World) -> None:
    payment = await collect(bank)
    assert (payment.state, payment.attempts[0].outcome) == (State.PENDING, Outcome.ACCEPTED)
    await pass_days(bank, 12)
    payment = await again(bank, payment)
    assert (payment.state, payment.ended) == (State.REPORTED, True)
    assert await bank.status(payment.invoice_id) == "paid"
    assert payment.receipts[0].finality == "final"
    assert await is_sound(bank)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "timeout_after"])
async def test_a_lost_answer_is_found_or_sent_again_and_made_once(bank: World, fault: str) -> None:
    await bank.break_processor("^/payments$", fault)
    payment = await collect(bank)
    for _ in range(4):
        await bank.advance(timedelta(minutes=1))
        await bank.work()
    payment = await again(bank, payment)
    assert payment.attempts[0].outcome is Outcome.ACCEPTED
    assert [p["amount"] for p in await made(bank)] == [4900]


async def test_what_no_list_shows_yet_is_told_by_its_key(bank: World) -> None:
    """Sent again, the key is refused, and its conflict names the payment that was made."""
    nothing = {"payments": [], "meta": {"cursors": {"before": None, "after": None}, "limit": 500}}
    await bank.break_processor("^/payments$", "reset_after")
    await bank.break_processor(
        "^/payments$", "status", method="GET", code=200, body=nothing, times=2
    )
    payment = await collect(bank)
    await bank.advance(timedelta(minutes=1))
    await bank.work()
    payment = await again(bank, payment)
    attempt = payment.attempts[0]
    assert (attempt.outcome, attempt.sendings) == (Outcome.ACCEPTED, 2)
    assert [p["amount"] for p in await made(bank)] == [4900]


async def test_a_debit_that_fails_is_tried_again_by_us(bank: World) -> None:
    payment = await collect(bank, "debit_fails")
    await pass_days(bank, 6)
    payment = await again(bank, payment)
    first = payment.attempts[0]
    assert (first.outcome, first.decline_kind) == (Outcome.DECLINED, DeclineKind.SOFT)
    assert first.code == "insufficient_funds"


async def test_failed_after_it_was_reported_is_credited_and_collected_anew(bank: World) -> None:
    payment = await collect(bank, "debit_fails_late")
    await pass_days(bank, 20)
    payment = await again(bank, payment)
    assert payment.receipts[0].failed
    assert (payment.state, payment.reason) == (State.REPORTED, Reason.FAILED_LATE)
    assert await notes(bank, payment.invoice_id) == [4900]
    assert await is_sound(bank)


async def test_two_refunds_confirm_their_sum(bank: World) -> None:
    payment = await reported(bank, days=12)
    for n, minor in enumerate((1000, 2500)):
        await ask(bank, payment.invoice_id, minor, f"rfd_{n}")
        await bank.work()
        await pass_days(bank, 6)
    payment = await again(bank, payment)
    assert payment.refunded_minor == 3500
    assert [p["amount_refunded"] for p in await made(bank)] == [3500]
    assert await is_sound(bank)


async def test_a_chargeback_takes_the_money_at_once(bank: World) -> None:
    payment = await reported(bank, days=12)
    charge_id = payment.attempts[0].processor_payment_id
    (await bank.processor.post(f"/_sandbox/charges/{charge_id}/dispute")).raise_for_status()
    await hear(bank)
    await bank.work()
    payment = await again(bank, payment)
    assert [d.withheld for d in payment.disputes] == [True]
    assert (await bank.balances())["dispute:withheld"] == 4900
    assert await is_sound(bank)


async def test_without_a_mandate_nothing_is_tried_again(bank: World) -> None:
    customer_id = await bank.customer(None)
    await bank.add_method(customer_id, "debit_ok", "gocardless", CREDITOR)
    listed = await bank.processor.get("/mandates")
    token = listed.json()["mandates"][0]["id"]
    await bank.processor.post(f"/_sandbox/methods/{token}/revoke_by_customer")
    payment = await bank.payment(await bank.collect(customer_id))
    first = payment.attempts[0]
    assert (first.outcome, first.decline_kind) == (Outcome.DECLINED, DeclineKind.REVOKED)
    assert await made(bank) == []
