"""A debit fails after Stripe was told of it: credit note, new invoice, and its own collection."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.signing_up import telling, told, work
from tests.flows.test_follow_on import following, invoices
from tests.flows.test_money_back import notes
from tests.flows.test_refunds import hear, is_sound, told_by_the_processor
from tests.flows.world import World
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import ReportWhen

CONFIRMED = timedelta(days=4)


async def reported(world: World, method: str = "debit_ok") -> Payment:
    """A debit that the processor confirmed, and that may still fail."""
    invoice_id = await world.collect(await world.customer(method))
    await world.advance(CONFIRMED)
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.state is State.REPORTED
    return payment


async def fail(world: World, payment: Payment) -> None:
    charge_id = payment.attempts[0].processor_payment_id
    answer = await world.processor.post(f"/_sandbox/charges/{charge_id}/fail_late")
    assert answer.is_success
    await hear(world, await told_by_the_processor(world, "charge.failed_late"))


async def test_it_is_credited_and_collected_anew_a_day_later(world: World) -> None:
    world = telling(world)
    payment = await reported(world)
    await fail(world, payment)
    await work(world)
    first = await world.payment(payment.invoice_id)
    assert (first.state, first.reason, first.ended) == (State.REPORTED, Reason.FAILED_LATE, True)
    assert await notes(world, payment.invoice_id) == [4900]
    again = await following(world, payment)
    assert (again.state, again.reason, again.continues) == (State.WAITING, Reason.RETRY, payment.id)
    await world.advance(timedelta(days=1, minutes=1))
    await work(world)
    await world.advance(CONFIRMED)
    await work(world)
    again = await following(world, payment)
    assert (again.state, again.reported_minor) == (State.REPORTED, 4900)
    balances = await world.balances()
    assert (balances["stripe:reported"], balances["customer:failed"]) == (-4900, 0)
    assert len(await told(world, "payment.failed_late")) == 1
    assert len(await told(world, "payment.followed_on")) == 1


async def test_after_a_hard_failure_the_other_stored_method_is_charged(world: World) -> None:
    payment = await reported(world, "debit_fails_late")
    await world.add_method(payment.customer_id, "card_ok")
    await fail(world, payment)
    await work(world)
    again = await following(world, payment)
    assert again.state is State.REPORTED
    assert again.attempts[0].method_id != payment.attempts[0].method_id
    assert await is_sound(world)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
@pytest.mark.parametrize("call", ["/v1/credit_notes$", "/v1/invoices$", "/v1/invoiceitems$"])
async def test_a_lost_answer_makes_nothing_twice(world: World, call: str, fault: str) -> None:
    payment = await reported(world)
    await world.break_stripe(call, fault, times=3, method="POST")
    await fail(world, payment)
    for _ in range(3):
        await work(world)
        await world.advance(timedelta(minutes=10))
    assert await notes(world, payment.invoice_id) == [4900]
    assert [i.total for i in await invoices(world, payment.customer_id)] == [4900]
    assert await is_sound(world)


async def test_told_twice_it_is_credited_once(world: World) -> None:
    payment = await reported(world)
    await fail(world, payment)
    event: dict[str, Any] = await told_by_the_processor(world, "charge.failed_late")
    await hear(world, event | {"id": "evt_again"})
    await work(world)
    await hear(world, event | {"id": "evt_once_more"})
    await work(world)
    assert await notes(world, payment.invoice_id) == [4900]
    assert len(await invoices(world, payment.customer_id)) == 1


async def test_by_setting_it_is_reported_when_it_is_paid_out(world: World) -> None:
    policy = replace(world.means.policy, report_when=ReportWhen.FINAL)
    world = replace(world, means=replace(world.means, policy=policy))
    invoice_id = await world.collect(await world.customer("debit_ok"))
    await world.advance(CONFIRMED)
    await world.work()
    held = await world.payment(invoice_id)
    assert (held.state, held.reason, held.reports) == (State.COLLECTED, Reason.NOT_FINAL, 0)
    assert await world.status(invoice_id) == "open"
    for _ in range(12):
        await world.advance(timedelta(days=1, minutes=1))
        await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await is_sound(world)
