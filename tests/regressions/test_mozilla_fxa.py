"""mozilla/fxa: Stripe's invoices collected by PayPal, our nearest relative, and its incidents.

Beside it those who met the same thing elsewhere: WooPayments, vm0, frappe/press, Kill Bill.
"""

from datetime import timedelta
from itertools import permutations

from sqlalchemy import select

from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import cancel, renew, statuses, subscriber
from tests.flows.signing_up import its_checkout, show, sign_up, work
from tests.flows.test_money_back import GRACE, credit_by_hand
from tests.flows.test_refunds import given_back
from tests.flows.world import SCOPE, World
from tests.regressions.stories import (
    causes,
    dies_with_the_answer,
    its_charge,
    opened,
    sent,
    tell,
    told_stripe,
)
from twintill.domain.facts import Unparked
from twintill.domain.payment import Outcome, Reason, State
from twintill.flows.learn import learn
from twintill.store.tables import payments as payments_table

PAID = {"error": {"type": "invalid_request_error", "message": "Invoice is already paid"}}


async def test_fxa_9345_a_key_that_was_answered_no_is_not_used_for_the_next_try(
    world: World,
) -> None:
    """The answer to a failed attempt came again under its key, and was taken for the new one's."""
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    await world.advance(timedelta(days=1, hours=1))
    await world.work()
    keys = [request["idempotency_key"] for request in await sent(world)]
    assert len(set(keys)) == 2
    first, second = (await world.payment(invoice_id)).attempts
    assert first.processor_payment_id != second.processor_payment_id
    (receipt,) = (await world.payment(invoice_id)).receipts
    assert receipt.attempt_id == second.id
    marked = await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)
    assert marked.metadata is not None
    assert marked.metadata["twintill_processor_payment_id"] == second.processor_payment_id


async def test_fxa_9345_a_sign_up_does_not_live_on_stripes_stored_failure(world: World) -> None:
    """Stripe answers its own 500 for a day under the key that met it."""
    await world.break_stripe("/v1/subscriptions$", "status", code=500, times=1)
    signup_id = await sign_up(world)
    for _ in range(3):
        await world.advance(timedelta(minutes=15))
        await work(world)
    checkout = await its_checkout(world, signup_id)
    listed = await world.means.stripe.client.v1.subscriptions.list_async({"status": "all"})
    assert [subscription.id for subscription in listed.data] == [checkout.subscription_id]
    assert (await show(world, signup_id)).payment is not None


async def test_fxa_9325_a_charge_whose_id_we_could_not_write_down_is_found_by_our_reference(
    world: World,
) -> None:
    """Charged; then the own write failed, and the transaction's id was nowhere."""
    invoice_id = await opened(world)
    await dies_with_the_answer(world, invoice_id)
    (unknown,) = (await world.payment(invoice_id)).attempts
    assert unknown.processor_payment_id is None
    await world.work()
    (charge,) = await world.charges()
    (found,) = (await world.payment(invoice_id)).attempts
    assert (found.id, found.processor_payment_id) == (unknown.id, charge["charge"])
    assert await world.status(invoice_id) == "paid"
    assert len(await sent(world)) == 1


async def test_fxa_9325_what_the_webhook_told_first_is_not_booked_again(world: World) -> None:
    invoice_id = await opened(world)
    await dies_with_the_answer(world, invoice_id)
    (charge,) = await world.charges()
    await tell(world, "charge.succeeded", await its_charge(world, charge["charge"]))
    await world.work()
    assert len((await world.payment(invoice_id)).receipts) == 1
    assert await world.status(invoice_id) == "paid"
    assert len([c for c in await causes(world) if c.startswith("collected:")]) == 1


async def test_fxa_pr_20741_the_processors_id_is_in_the_invoice_before_it_is_paid(
    world: World,
) -> None:
    """Written at the same time as the payment, it was lost; the refund then had nothing to find."""
    invoice_id = await world.collect(await world.customer())
    calls = await told_stripe(world, invoice_id)
    own = [path for method, path in calls if method == "POST"]
    assert own[-2:] == [f"/v1/invoices/{invoice_id}", f"/v1/invoices/{invoice_id}/pay"]


async def test_fxa_pr_20741_without_the_id_in_the_invoice_nothing_is_paid(world: World) -> None:
    invoice_id = await opened(world)
    path = f"/v1/invoices/{invoice_id}$"
    await world.break_stripe(path, "status", code=500, nth=2, times=9)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    paths = [path for _, path in await told_stripe(world, invoice_id)]
    assert not [path for path in paths if path.endswith("/pay")]


async def test_fxa_pr_20741_events_of_one_second_in_any_order_lose_no_id(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    before = (await world.payment(invoice_id)).attempts
    events = await stripe_events(world, "invoice.updated", "invoice.paid")
    same_second = [event | {"created": events[-1]["created"]} for event in events][-3:]
    for n, order in enumerate(permutations(same_second)):
        await deliver(world, [event | {"id": f"{event['id']}{n}"} for event in order])
    await world.work()
    after = await world.payment(invoice_id)
    assert after.attempts == before
    assert after.attempts[0].processor_payment_id is not None
    assert after.state is State.REPORTED


async def test_fxa_pr_20741_a_credit_note_made_in_stripe_is_paid_back_after_a_cancellation(
    world: World,
) -> None:
    """The mirror had lost the transaction's id, so nothing was paid, and nobody was told.

    Here the metadata is empty, the subscription over and the method gone; our own rows know.
    """
    customer_id, subscription_id = await subscriber(world)
    invoice_id = await renew(world)
    emptied = dict.fromkeys(await _marks(world, invoice_id), "")
    await cancel(world, subscription_id)
    await world.means.stripe.client.v1.invoices.update_async(invoice_id, {"metadata": emptied})
    assert await _marks(world, invoice_id) == {}
    assert await statuses(world, customer_id) == {"removed"}
    minor = (await world.payment(invoice_id)).reported_minor
    await credit_by_hand(world, invoice_id, minor)
    await deliver(world, await stripe_events(world, "credit_note.created"))
    await world.work()
    await world.advance(GRACE)
    await world.work()
    assert [refund["amount"] for refund in await given_back(world)] == [minor]
    assert (await world.payment(invoice_id)).state is State.REFUNDED


async def test_fxa_pr_12455_already_paid_is_never_an_error_that_gives_the_money_back(
    world: World,
) -> None:
    """`pay` answered 400, and the invoice was paid: by our call, or just before it by hand?

    One answer cannot tell: nothing is stranded, a person is asked, and goes on.
    """
    invoice_id = await opened(world)
    await world.break_stripe("/pay$", "status", code=400, body=PAID, act=True)
    await world.work()
    unclear = await world.payment(invoice_id)
    assert unclear.parked_why is not None
    assert (unclear.state, unclear.stranded_minor) == (State.COLLECTED, 0)
    await learn(world.means, SCOPE, unclear.id, Unparked("it was us"), actor="person:ada")
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert len(await world.charges()) == 1


async def test_woopayments_pr_3287_already_paid_is_not_believed_while_the_invoice_is_open(
    world: World,
) -> None:
    invoice_id = await opened(world)
    await world.break_stripe("/pay$", "status", code=400, body=PAID)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.COLLECTED, 0)
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_vm0_32124_a_report_whose_answer_was_lost_is_not_an_error_the_second_time(
    world: World,
) -> None:
    invoice_id = await opened(world)
    await world.break_stripe("/pay$", "reset_after", times=9)
    await world.work()
    await world.advance(timedelta(minutes=1))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.parked_why) == (State.REPORTED, None)
    assert len([c for c in await causes(world) if c.startswith("reported:")]) == 1


async def test_frappe_press_pr_1285_what_was_collected_is_reported_until_stripe_says_paid(
    world: World,
) -> None:
    """Not marked as paid, the invoice was charged by Stripe, too."""
    invoice_id = await opened(world)
    await world.break_stripe("/pay$", "status", code=503, times=12)
    for _ in range(6):
        await world.work()
        assert (await world.payment(invoice_id)).state is not State.WAITING
        await world.advance(timedelta(minutes=31))
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert len(await world.charges()) == 1


async def test_frappe_press_pr_1285_an_invoice_that_stripe_charges_is_never_charged_by_us(
    world: World,
) -> None:
    customer_id = await world.customer()
    v1 = world.means.stripe.client.v1
    invoice = await v1.invoices.create_async(
        {"customer": customer_id, "collection_method": "charge_automatically", "currency": "eur"}
    )
    await v1.invoice_items.create_async(
        {"customer": customer_id, "invoice": invoice.id, "amount": 4900, "currency": "eur"}
    )
    await v1.invoices.finalize_invoice_async(invoice.id)
    # As if an event had still shown it as ours.
    await world.open_payment(invoice.id, customer_id)
    await world.work()
    assert await world.charges() == []


async def test_kill_bill_1832_a_debit_that_comes_back_gets_its_next_try(world: World) -> None:
    """Pending became failed, and no retry was scheduled."""
    invoice_id = await world.collect(await world.customer("debit_fails"))
    assert (await world.payment(invoice_id)).state is State.PENDING
    await world.advance(timedelta(days=10))
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.attempts[0].outcome is Outcome.DECLINED
    assert (payment.state, payment.reason) == (State.WAITING, Reason.RETRY)
    async with world.db() as db:
        due = (await db.execute(select(payments_table.c.next_look_at))).scalar_one()
    assert due is not None


async def _marks(world: World, invoice_id: str) -> dict[str, str]:
    invoice = await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)
    return invoice.metadata.to_dict() if invoice.metadata else {}
