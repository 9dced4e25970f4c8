"""An invoice that is closed under a pending charge: cancelled at the processor while that works."""

from datetime import timedelta

from tests.flows.events import deliver, stripe_events
from tests.flows.world import World
from twintill.domain.payment import Outcome, Reason, State


async def voided_under_a_debit(world: World) -> str:
    invoice_id = await world.collect(await world.customer("debit_ok"))
    assert (await world.payment(invoice_id)).state is State.PENDING
    await world.means.stripe.void(invoice_id, key="void")
    return invoice_id


async def test_a_debit_is_cancelled_when_its_invoice_is_voided(world: World) -> None:
    invoice_id = await voided_under_a_debit(world)
    await deliver(world, await stripe_events(world, "invoice.voided"))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)
    assert (payment.ended, payment.attempts[0].code) == (True, "withdrawn")
    await world.advance(timedelta(days=8))
    assert await world.charges() == []


async def test_too_late_to_cancel_it_is_collected_and_goes_back(world: World) -> None:
    invoice_id = await voided_under_a_debit(world)
    await world.advance(timedelta(days=4))
    await deliver(world, await stripe_events(world, "invoice.voided"))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.attempts[0].outcome) == (State.STRANDED, Outcome.APPROVED)


async def test_what_only_the_event_says_cancels_nothing(world: World) -> None:
    invoice_id = await world.collect(await world.customer("debit_ok"))
    (told,) = await stripe_events(world, "invoice.finalized")
    told["data"]["object"]["status"] = "void"
    await deliver(world, [{**told, "id": "evt_liar", "type": "invoice.voided"}])
    await world.work()
    assert (await world.payment(invoice_id)).state is State.PENDING


async def test_marked_as_paid_by_hand_it_is_not_cancelled_and_a_person_compares(
    world: World,
) -> None:
    """Somebody saw the debit and took it for money that had come: cancelled, none would come."""
    invoice_id = await world.collect(await world.customer("debit_ok"))
    await world.means.stripe.pay_out_of_band(invoice_id, key="by hand, in the Dashboard")
    await deliver(world, await stripe_events(world, "invoice.paid"))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.PENDING
    await world.advance(timedelta(days=8))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.unapplied_minor) == (State.COLLECTED, 4900)
    assert "marked paid by somebody else" in str(payment.parked_why)
