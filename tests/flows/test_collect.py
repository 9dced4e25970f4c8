"""Collecting: from a finalized invoice to Stripe's own word that it is paid; one charge, ever."""

from dataclasses import replace
from datetime import timedelta

from tests.flows.world import SCOPE, World
from twintill.domain.payment import Outcome, Reason, State
from twintill.flows.look import look
from twintill.ids import payment_id
from twintill.store import payments

BOOKS_OF_ONE = {
    "processor:acct_sandbox:clearing": 4900,
    "customer:unapplied": 0,
    "stripe:reported": -4900,
}


async def test_a_finalized_invoice_is_charged_reported_and_booked(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended) == (State.REPORTED, True)
    assert await world.status(invoice_id) == "paid"
    assert [c["amount"] for c in await world.charges()] == [4900]
    assert await world.balances() == BOOKS_OF_ONE


async def test_a_stale_bell_does_nothing(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    assert await look(world.means, SCOPE, payment_id(SCOPE, invoice_id)) is False
    assert len(await world.charges()) == 1


async def test_the_processors_reference_is_in_the_invoice_before_it_is_paid(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    look = await world.means.stripe.read_invoice(invoice_id)
    payment = await world.payment(invoice_id)
    assert look.our_reference == payment.attempts[0].reference


async def test_a_decline_waits_a_day_and_the_next_try_succeeds(world: World) -> None:
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    declined = await world.payment(invoice_id)
    assert (declined.state, declined.reason) == (State.WAITING, Reason.RETRY)
    await world.advance(timedelta(hours=23))
    assert await world.work() == 0
    await world.advance(timedelta(hours=2))
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert [a.outcome for a in (await world.payment(invoice_id)).attempts] == [
        Outcome.DECLINED,
        Outcome.APPROVED,
    ]


async def test_a_hard_decline_is_never_tried_again(world: World) -> None:
    invoice_id = await world.collect(await world.customer("card_hard_declined"))
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended) == (State.EXHAUSTED, True)


async def test_a_lost_answer_is_looked_up_and_never_charged_again(world: World) -> None:
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.collect(customer_id)
    doubtful = await world.payment(invoice_id)
    assert (doubtful.state, doubtful.reason) == (State.CHARGING, Reason.IN_DOUBT)
    await world.advance(timedelta(seconds=10))
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert len(await world.charges()) == 1
    assert (await world.payment(invoice_id)).attempts[0].sendings == 1


async def test_a_request_that_never_arrived_is_sent_again_under_the_same_key(world: World) -> None:
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_before")
    invoice_id = await world.collect(customer_id)
    await world.advance(timedelta(seconds=10))
    await world.work()
    payment = await world.payment(invoice_id)
    assert await world.status(invoice_id) == "paid"
    assert [(a.n, a.sendings) for a in payment.attempts] == [(1, 2)]
    assert len(await world.charges()) == 1


async def test_a_debit_is_pending_until_the_processor_says_so(world: World) -> None:
    invoice_id = await world.collect(await world.customer("debit_ok"))
    assert (await world.payment(invoice_id)).state is State.PENDING
    assert await world.status(invoice_id) == "open"
    await world.advance(timedelta(days=4))
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_stripe_unreadable_means_wait(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe(f"/v1/invoices/{invoice_id}$", "status", code=500, times=3)
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.reason is Reason.STRIPE_UNREADABLE
    assert await world.charges() == []
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_an_invoice_voided_meanwhile_is_not_charged(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.means.stripe.void(invoice_id, key="test")
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)
    assert await world.charges() == []


async def test_money_that_finds_its_invoice_void_is_stranded(world: World) -> None:
    customer_id = await world.customer("debit_ok")
    invoice_id = await world.collect(customer_id)
    await world.means.stripe.void(invoice_id, key="test")
    await world.advance(timedelta(days=4))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.STRANDED, Reason.INVOICE_VOID)
    assert (payment.ended, payment.parked_why) == (False, None)
    assert (await world.balances())["customer:stranded"] == -4900


async def test_a_lost_answer_to_pay_is_understood_at_the_next_look(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe("/pay$", "reset_after", times=9)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await world.balances() == BOOKS_OF_ONE


async def test_a_report_that_never_reached_pay_does_not_make_a_hand_mark_ours(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    # The last look gets through; the reference does not.
    await world.break_stripe(f"/v1/invoices/{invoice_id}$", "status", code=500, nth=2, times=3)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    await world.means.stripe.pay_out_of_band(invoice_id, "by-hand")
    await world.advance(timedelta(minutes=1))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.COLLECTED, 0)
    assert payment.parked_why is not None


async def test_a_wrong_stripe_key_never_strands(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    refusal = {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}}
    await world.break_stripe("/pay$", "status", code=401, body=refusal)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.stranded_minor) == (State.COLLECTED, 0)


async def test_a_credit_note_during_the_charge_strands_only_the_excess(world: World) -> None:
    customer_id = await world.customer("debit_ok")
    invoice_id = await world.collect(customer_id)
    await world.means.stripe.client.v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": 900}
    )
    await world.advance(timedelta(days=4))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.reported_minor, payment.stranded_minor) == (4000, 900)


async def test_an_amount_below_the_processors_least_is_for_a_person(world: World) -> None:
    processor = world.means.processors["sandbox"]
    dear = replace(processor.capabilities, minimum_minor={"EUR": 5000})
    processor.capabilities = dear  # of this adapter alone
    invoice_id = await world.collect(await world.customer(), amount_minor=4999)
    payment = await world.payment(invoice_id)
    assert "49.99 EUR is less than Sandbox processor takes (50.00 EUR)" in str(payment.parked_why)
    assert (payment.attempts, await world.charges()) == ((), [])


async def test_without_a_method_nothing_is_asked_of_stripe(world: World) -> None:
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    before = len((await world.stripe.get("/_sandbox/requests")).json()["data"])
    await world.work()
    after = len((await world.stripe.get("/_sandbox/requests")).json()["data"])
    assert after == before
    assert (await world.payment(invoice_id)).reason is Reason.NO_METHOD


async def test_never_more_than_the_customer_agreed_to(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id, limit_minor=4899)
    await world.work()
    assert (await world.payment(invoice_id)).reason is Reason.CONSENT
    assert await world.charges() == []


async def test_a_crash_after_the_charge_is_resolved_by_the_next_worker(world: World) -> None:
    """The intent is committed, the request was sent, and the worker died before the answer."""
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    async with world.db() as db:
        assert (await payments.read(db, SCOPE, payment_id(SCOPE, invoice_id))).attempts == ()
    await world.work()
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert len(await world.charges()) == 1


async def test_collecting_one_invoice_takes_three_calls_of_stripe(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    before = len((await world.stripe.get("/_sandbox/requests")).json()["data"])
    await world.work()
    after = len((await world.stripe.get("/_sandbox/requests")).json()["data"])
    assert after - before == 3
