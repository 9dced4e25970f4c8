"""Disputes: what the bank takes is booked at each step, and credited only when it is lost."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.leaving import cancel, statuses, subscriber
from tests.flows.signing_up import finish, sign_up, subscription_status, telling, told, work
from tests.flows.switching import latest
from tests.flows.test_money_back import ask, notes, reported
from tests.flows.test_refunds import given_back, hear, is_sound, strand, told_by_the_processor
from tests.flows.world import World
from twintill.domain.money_back import DisputeStage
from twintill.domain.payment import Reason, State
from twintill.domain.policy import Fate, LostDispute
from twintill.errors import ConflictError

DAY = timedelta(days=1, minutes=1)


async def dispute(world: World, invoice_id: str, **how: Any) -> str:
    """The customer goes to his bank; its id there."""
    charge_id = (await world.payment(invoice_id)).attempts[0].processor_payment_id
    answer = await world.processor.post(f"/_sandbox/charges/{charge_id}/dispute", json=how)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def then(world: World, dispute_id: str, what: str, **how: Any) -> None:
    answer = await world.processor.post(f"/_sandbox/disputes/{dispute_id}/{what}", json=how)
    assert answer.is_success, answer.text


async def heard(world: World, *kinds: str) -> None:
    for kind in kinds:
        assert await hear(world, await told_by_the_processor(world, f"dispute.{kind}")) == "done"
    await work(world)


async def test_opened_and_lost_it_is_credited(world: World) -> None:
    world = telling(world)
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    held = await world.payment(invoice_id)
    assert (held.state, held.reason, held.ended) == (State.REPORTED, Reason.DISPUTED, False)
    assert (await world.balances())["dispute:withheld"] == 4900
    assert await notes(world, invoice_id) == []
    with pytest.raises(ConflictError, match="dispute holds"):
        await ask(world, invoice_id, 100)
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    lost = await world.payment(invoice_id)
    assert (lost.state, lost.reason, lost.ended) == (State.REFUNDED, Reason.DISPUTE_LOST, True)
    assert (await notes(world, invoice_id), await given_back(world)) == ([4900], [])
    balances = await world.balances()
    assert balances["dispute:withheld"] == balances["credit_note:due"] == 0
    assert balances["stripe:reported"] == 0
    assert len(await told(world, "payment.disputed")) == 1
    assert len(await told(world, "payment.dispute_lost")) == 1


@pytest.mark.parametrize("outcome", ["lost", "accepted", "won"])
async def test_its_end_is_asked_for_when_nobody_tells(world: World, outcome: str) -> None:
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id, withheld=False)
    await heard(world, "opened")
    await then(world, dispute_id, "review")
    await world.advance(DAY)
    await world.work()
    assert (await world.payment(invoice_id)).disputes[0].stage is DisputeStage.UNDER_REVIEW
    await then(world, dispute_id, "withhold")
    await then(world, dispute_id, "resolve", outcome=outcome)
    await world.advance(DAY)
    await world.work()
    payment = await world.payment(invoice_id)
    assert payment.ended
    assert await notes(world, invoice_id) == ([] if outcome == "won" else [4900])
    assert payment.reported_minor == (4900 if outcome == "won" else 0)
    assert await is_sound(world)


async def test_lost_before_it_was_taken(world: World) -> None:
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id, amount=1900, withheld=False)
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    assert await notes(world, invoice_id) == [1900]
    assert (await world.balances())["dispute:withheld"] == -1900
    assert not (await world.payment(invoice_id)).ended
    await then(world, dispute_id, "withhold")
    await heard(world, "withheld", "opened", "lost")
    payment = await world.payment(invoice_id)
    assert (payment.ended, payment.reported_minor) == (True, 3000)
    assert await is_sound(world)


async def test_an_end_told_before_the_report_is_acted_on_after_it(world: World) -> None:
    """Also when the processor cannot be asked then: it was told, and is kept."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=503, times=9)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    await then(world, await dispute(world, invoice_id), "resolve", outcome="lost")
    await world.break_processor("/v1/disputes/", "status", method="GET", code=503, times=9)
    await heard(world, "opened", "lost")
    assert await notes(world, invoice_id) == []
    await world.stripe.delete("/_sandbox/faults")
    await world.advance(timedelta(hours=7))
    await work(world)
    assert await notes(world, invoice_id) == [4900]
    assert (await world.payment(invoice_id)).reason is Reason.DISPUTE_LOST
    assert await is_sound(world)


async def test_a_note_made_by_hand_for_it_is_no_refund(world: World) -> None:
    """Somebody credits the invoice while the dispute is open: the dispute pays the customer."""
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    await world.means.stripe.client.v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": 4900, "out_of_band_amount": 4900}
    )
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    await world.advance(timedelta(minutes=11))  # who did one side by hand may do the other
    await work(world)
    assert (await notes(world, invoice_id), await given_back(world)) == ([4900], [])
    payment = await world.payment(invoice_id)
    assert payment.ended
    assert await is_sound(world)


async def test_what_had_been_refunded_before_is_lost(world: World) -> None:
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    await world.work()
    dispute_id = await dispute(world, invoice_id, amount=4900)
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    assert sorted(await notes(world, invoice_id)) == [1900, 3000]
    assert (await world.balances())["loss"] == 1900
    assert await is_sound(world)


async def test_by_setting_the_invoice_stays_paid_and_the_loss_is_ours(world: World) -> None:
    policy = replace(world.means.policy, lost_dispute=LostDispute.LOSS)
    world = replace(world, means=replace(world.means, policy=policy))
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id)
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    payment = await world.payment(invoice_id)
    assert (await notes(world, invoice_id), payment.reported_minor) == ([], 4900)
    assert (await world.balances())["loss"] == 4900
    assert await is_sound(world)


async def test_stranded_money_that_is_disputed_does_not_go_back_twice(world: World) -> None:
    invoice_id = await strand(world)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    await world.advance(timedelta(hours=1))
    await world.work()
    assert await given_back(world) == []
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended) == (State.REFUNDED, True)
    assert await is_sound(world)


async def test_a_refund_that_waits_goes_on_when_it_is_won(world: World) -> None:
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    assert await given_back(world) == []
    await then(world, dispute_id, "resolve", outcome="won")
    await heard(world, "won")
    assert [r["amount"] for r in await given_back(world)] == [1900]
    assert await notes(world, invoice_id) == [1900]
    assert await is_sound(world)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
async def test_a_lost_answer_of_the_note_credits_once(world: World, fault: str) -> None:
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id)
    await world.break_stripe("/v1/credit_notes$", fault, times=3, method="POST")
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    await world.advance(timedelta(minutes=1))
    await work(world)
    assert await notes(world, invoice_id) == [4900]
    assert await is_sound(world)


async def test_a_processor_that_does_not_answer_is_asked_the_next_day(world: World) -> None:
    invoice_id = await reported(world)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    await then(world, dispute_id, "resolve", outcome="won")
    await world.break_processor("/v1/disputes/", "status", method="GET", code=503, times=1)
    await world.advance(DAY)
    await world.work()
    assert not (await world.payment(invoice_id)).ended
    await world.advance(DAY)
    await world.work()
    assert (await world.payment(invoice_id)).ended


async def test_an_open_dispute_keeps_no_token(world: World) -> None:
    """It needs none: it is decided at the processor, and what it takes back was charged before."""
    customer_id, subscription_id = await subscriber(world)
    invoice_id = await latest(world, subscription_id)
    dispute_id = await dispute(world, invoice_id)
    await heard(world, "opened")
    await cancel(world, subscription_id)
    assert not (await world.payment(invoice_id)).ended
    assert await statuses(world, customer_id) == {"removed"}
    await then(world, dispute_id, "resolve", outcome="lost")
    await heard(world, "lost")
    assert await notes(world, invoice_id) == [4900]
    assert await is_sound(world)


@pytest.mark.parametrize("fate", [Fate.CANCEL_NOW, Fate.CANCEL_AT_PERIOD_END])
async def test_the_subscription_ends_by_setting(world: World, fate: Fate) -> None:
    policy = replace(world.means.policy, dispute_opened=fate)
    world = replace(world, means=replace(world.means, policy=policy))
    shown = await finish(world, await sign_up(world))
    assert shown.checkout is not None
    assert shown.payment is not None
    await dispute(world, shown.payment.invoice_id)
    await heard(world, "opened")
    await work(world)
    subscription_id = str(shown.checkout.subscription_id)
    status = await subscription_status(world, subscription_id)
    assert status == ("canceled" if fate is Fate.CANCEL_NOW else "active")
    look = await world.means.stripe.read_subscription(subscription_id)
    assert look.ended or look.cancels_at_period_end
