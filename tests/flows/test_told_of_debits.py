"""What events of a bank debit come to that name no amount, or say "failed" whatever came before."""

from typing import Any

from tests.flows.test_late_failure import CONFIRMED, reported
from tests.flows.test_money_back import ask
from tests.flows.test_money_back import reported as collected
from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from twintill.domain.outcomes import Declined, DeclineKind, Finality
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.flows import processor_events
from twintill.flows.verdict import Verdict
from twintill.money import Money
from twintill.processors import EventKind, PreparedRefund, ProcessorEvent, RefundRequest

NO_FUNDS = Declined(DeclineKind.SOFT, "insufficient_funds", "No funds.")


async def tell(world: World, payment: Payment, kind: EventKind, **fields: Any) -> Verdict:
    """As a processor tells whose events name its own id, and not always ours."""
    charge_id = payment.attempts[0].processor_payment_id
    event = ProcessorEvent(kind, f"EV-{kind}", kind, processor_payment_id=charge_id, **fields)
    processor = world.means.processors["sandbox"]
    async with world.db() as db:
        return await processor_events.take_in(db, world.means, SCOPE, processor, event)


async def pending(world: World) -> Payment:
    invoice_id = await world.collect(await world.customer("debit_ok"))
    payment = await world.payment(invoice_id)
    assert payment.state is State.PENDING
    return payment


async def test_without_an_amount_all_that_was_asked_for_is_collected(world: World) -> None:
    payment = await pending(world)
    told = await tell(world, payment, EventKind.CHARGE_APPROVED, finality=Finality.PROVISIONAL)
    assert told.state == "done"
    await world.work()
    payment = await world.payment(payment.invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900)
    assert payment.receipts[0].finality is Finality.PROVISIONAL
    await tell(world, payment, EventKind.CHARGE_FINAL, finality=Finality.FINAL)
    payment = await world.payment(payment.invoice_id)
    assert payment.receipts[0].finality is Finality.FINAL
    assert await is_sound(world)


async def test_neither_an_outcome_nor_a_finality_is_for_a_person(world: World) -> None:
    payment = await pending(world)
    assert (await tell(world, payment, EventKind.CHARGE_APPROVED)).state == "parked"
    assert (await world.payment(payment.invoice_id)).state is State.PENDING


async def test_failed_after_it_was_confirmed_is_a_late_failure(world: World) -> None:
    payment = await reported(world)
    await tell(world, payment, EventKind.CHARGE_DECLINED, outcome=NO_FUNDS)
    payment = await world.payment(payment.invoice_id)
    assert payment.reason is Reason.CREDIT_NOTE_DUE
    assert payment.receipts[0].failed
    assert await is_sound(world)


async def test_failed_after_it_was_paid_out_counts_when_it_was_taken_back(world: World) -> None:
    payment = await reported(world)
    await tell(world, payment, EventKind.CHARGE_FINAL, finality=Finality.FINAL)
    await tell(world, payment, EventKind.CHARGE_DECLINED, outcome=NO_FUNDS)
    payment = await world.payment(payment.invoice_id)
    assert payment.attempts[0].outcome is Outcome.APPROVED  # the money is with us
    await tell(world, payment, EventKind.CHARGE_FAILED_LATE, outcome=NO_FUNDS)
    payment = await world.payment(payment.invoice_id)
    assert payment.receipts[0].failed
    assert await is_sound(world)


async def test_told_final_after_it_failed_the_record_decides(world: World) -> None:
    """Of the two, one is older: a wrong guess would report, or give back, what is not there."""
    invoice_id = await world.collect(await world.customer("debit_fails"))
    await world.advance(CONFIRMED)
    payment = await world.payment(invoice_id)
    await tell(world, payment, EventKind.CHARGE_DECLINED, outcome=NO_FUNDS)
    await tell(world, payment, EventKind.CHARGE_FINAL, finality=Finality.FINAL)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.receipts) == (State.PENDING, ())
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.attempts[0].outcome is Outcome.DECLINED
    assert payment.receipts == ()
    assert await is_sound(world)


async def test_a_refund_knows_what_was_given_back_before(world: World) -> None:
    """Some processors refuse one that does not say the sum of all of a charge."""
    processor: Any = world.means.processors["sandbox"]
    asked: list[int] = []
    prepare = processor.prepare_refund

    def noted(request: RefundRequest, key: str) -> PreparedRefund:
        asked.append(request.given_back_minor)
        prepared: PreparedRefund = prepare(request, key)
        return prepared

    processor.prepare_refund = noted
    invoice_id = await collected(world)
    for n, minor in enumerate((1000, 2500)):
        await ask(world, invoice_id, minor, f"rfd_{n}")
        await world.work()
        await world.advance(CONFIRMED)
        await world.work()
    assert asked == [0, 1000]
    assert (await world.payment(invoice_id)).refunded_minor == 3500


async def test_a_part_that_was_taken_back_is_no_failure_of_the_whole(world: World) -> None:
    """Credited and collected anew as a whole, the customer would pay the rest twice."""
    payment = await reported(world)
    fields = {"outcome": NO_FUNDS, "amount": Money(1000, payment.currency)}
    assert (await tell(world, payment, EventKind.CHARGE_FAILED_LATE, **fields)).state == "parked"
    payment = await world.payment(payment.invoice_id)
    assert not payment.receipts[0].failed
    fields = {"outcome": NO_FUNDS, "amount": Money(4900, payment.currency)}
    assert (await tell(world, payment, EventKind.CHARGE_FAILED_LATE, **fields)).state == "done"
    assert (await world.payment(payment.invoice_id)).receipts[0].failed
    assert (await tell(world, payment, EventKind.CHARGE_FAILED_LATE, **fields)).state == "done"
