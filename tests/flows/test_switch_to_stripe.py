"""From a processor to Stripe: the subscription, its drafts, its open invoices, and the tokens."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.leaving import with_policy
from tests.flows.signing_up import telling, told, work
from tests.flows.switching import (
    arrive,
    begin,
    card,
    latest,
    open_invoice,
    read,
    stripes_charges,
    subscription,
    switch,
    to_processor,
    to_stripe,
)
from tests.flows.world import SCOPE, World
from twintill.domain.facts import PersonSaid, Unparked
from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.domain.payment import Reason, State
from twintill.flows import operations as flow
from twintill.flows.learn import learn
from twintill.store import methods, operations


async def subscriber(world: World, method: str = "card_ok") -> tuple[str, str, str]:
    """(customer, subscription, a card of his at Stripe)"""
    customer_id = await world.customer(method)
    return customer_id, await subscription(world, customer_id), await card(world, customer_id)


async def statuses(world: World, customer_id: str) -> list[str]:
    async with world.db() as db:
        found = await methods.list_of_customer(db, SCOPE, customer_id, removed=True)
    return [method.status for method in found]


async def method_ids(world: World, customer_id: str) -> list[str]:
    async with world.db() as db:
        return [m.id for m in await methods.list_of_customer(db, SCOPE, customer_id)]


def did(operation: Any) -> dict[str, str]:
    return {invoice: one["did"] for invoice, one in operation.data["invoices"].items()}


async def test_stripe_collects_from_the_next_invoice_on_and_the_tokens_go(world: World) -> None:
    world = telling(world)
    customer_id, subscription_id, method_id = await subscriber(world)
    first = await open_invoice(world, subscription_id)
    await work(world)
    done = await switch(world, to_stripe(subscription_id, method_id))
    assert (done.step, done.data["invoices"]) == ("done", {})
    look = await world.means.stripe.read_subscription(subscription_id)
    assert look.collection_method == "charge_automatically"
    assert (look.default_payment_method_id, look.days_until_due) == (method_id, None)
    assert await world.status(first) == "paid"
    assert await statuses(world, customer_id) == ["removed"]
    (event,) = await told(world, "subscription.switched")
    assert (event["subscription"], event["to"]) == (subscription_id, "stripe")


async def test_a_draft_goes_along_and_stripe_charges_it(world: World) -> None:
    _, subscription_id, method_id = await subscriber(world)
    draft = await latest(world, subscription_id)
    done = await switch(world, to_stripe(subscription_id, method_id))
    assert did(done) == {draft: "changed"}
    await world.advance(timedelta(hours=2))
    await arrive(world, draft)
    await work(world)
    assert await world.status(draft) == "paid"
    assert await world.charges() == []


async def test_an_open_invoice_is_finished_with_us_before_the_tokens_go(world: World) -> None:
    customer_id, subscription_id, method_id = await subscriber(world, "card_declined")
    invoice_id = await open_invoice(world, subscription_id)
    await work(world)  # declined: a retry waits
    done = await switch(world, to_stripe(subscription_id, method_id))
    assert (done.step, did(done)) == ("done", {invoice_id: "with_us"})
    assert await statuses(world, customer_id) == ["active"]
    assert await stripes_charges(world, invoice_id) == []
    await world.means.stripe.pay_out_of_band(invoice_id, "by hand")
    await arrive(world, invoice_id)
    await world.advance(timedelta(days=2))
    await work(world)
    assert await statuses(world, customer_id) == ["removed"]


async def test_an_open_invoice_is_charged_at_stripe_and_never_with_us_again(world: World) -> None:
    customer_id, subscription_id, method_id = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    done = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert did(done) == {invoice_id: "charged_at_stripe"}
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.PAID_ELSEWHERE)
    assert await world.charges() == []
    assert len(await stripes_charges(world, invoice_id)) == 1
    assert await statuses(world, customer_id) == ["removed"]


async def test_an_open_invoice_is_voided(world: World) -> None:
    _, subscription_id, method_id = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    done = await switch(world, to_stripe(subscription_id, method_id, "void"))
    assert did(done) == {invoice_id: "voided"}
    assert (await world.payment(invoice_id)).reason is Reason.INVOICE_VOID
    assert await world.charges() == []


async def test_what_stripe_cannot_charge_comes_back_and_is_collected_here(world: World) -> None:
    customer_id, subscription_id, _ = await subscriber(world)
    dead = await card(world, customer_id, "pm_1Declined")
    invoice_id = await open_invoice(world, subscription_id)
    done = await switch(world, to_stripe(subscription_id, dead, "charge_at_stripe"))
    entry = done.data["invoices"][invoice_id]
    assert (entry["did"], entry["refused"]) == ("came_back", "Your card was declined.")
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert len(await world.charges()) == 1
    assert await statuses(world, customer_id) == ["removed"]


async def test_a_charge_that_is_out_is_waited_for_and_reported(world: World) -> None:
    _, subscription_id, method_id = await subscriber(world, "debit_ok")
    invoice_id = await open_invoice(world, subscription_id)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.PENDING
    waits = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert waits.step == "hand"
    await world.advance(timedelta(days=3))
    await work(world)
    done = await read(world, waits.id)
    assert (done.step, did(done)) == ("done", {invoice_id: "closed"})
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await stripes_charges(world, invoice_id) == []


async def test_a_bank_debit_of_stripes_is_waited_for_and_one_that_fails_comes_back(
    world: World,
) -> None:
    customer_id, subscription_id, _ = await subscriber(world)
    debit = await card(world, customer_id, "pm_1SepaDebit")
    invoice_id = await open_invoice(world, subscription_id)
    waits = await switch(world, to_stripe(subscription_id, debit, "charge_at_stripe"))
    assert waits.step == "await"
    assert await world.charges() == []
    await world.stripe.post("/_sandbox/pay_hosted", json={"invoice": invoice_id, "outcome": "fail"})
    await world.advance(timedelta(hours=2))
    await work(world)
    assert did(await read(world, waits.id)) == {invoice_id: "came_back"}
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_the_customer_pays_on_stripes_page_meanwhile(world: World) -> None:
    _, subscription_id, method_id = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    switch_id = await begin(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    await world.break_stripe(f"/v1/invoices/{invoice_id}/pay$", "reset_before", times=3)
    await flow.drive(world.means, SCOPE, switch_id)
    assert (await read(world, switch_id)).step == "act"
    await world.stripe.post("/_sandbox/pay_hosted", json={"invoice": invoice_id})
    await world.advance(timedelta(minutes=1))
    await work(world)
    done = await read(world, switch_id)
    assert (done.step, did(done)) == ("done", {invoice_id: "charged_at_stripe"})
    assert await world.charges() == []


async def test_a_renewal_that_is_finalized_in_the_middle_is_an_open_invoice(world: World) -> None:
    _, subscription_id, method_id = await subscriber(world)
    draft = await latest(world, subscription_id)
    switch_id = await begin(world, to_stripe(subscription_id, method_id, "void"))
    await world.break_stripe(f"/v1/invoices/{draft}$", "reset_before", times=3)
    await flow.drive(world.means, SCOPE, switch_id)
    assert (await read(world, switch_id)).step == "draft"
    await world.means.stripe.finalize(draft, "its-hour-is-over")
    await world.advance(timedelta(minutes=1))
    await work(world)
    assert did(await read(world, switch_id)) == {draft: "voided"}
    assert await world.charges() == []


async def test_an_invoice_that_is_paid_by_wire_is_never_ours_to_charge(world: World) -> None:
    customer_id = await world.customer(None)
    subscription_id = await subscription(world, customer_id)
    method_id = await card(world, customer_id, "pm_1Declined")
    by_wire = await latest(world, subscription_id)
    await world.means.stripe.finalize(by_wire, "sent-out")
    await world.advance(timedelta(days=2))
    await world.add_method(customer_id, "card_ok")
    done = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert did(done) == {by_wire: "not_ours"}
    await arrive(world, by_wire)
    await work(world)
    assert await world.charges() == []


async def test_a_mark_that_arrives_when_its_switch_has_ended_holds_nothing_back(
    world: World,
) -> None:
    """Found by looking for it: the invoice waited for a switch that had ended, for ever."""
    _, subscription_id, method_id = await subscriber(world, "card_declines_once")
    invoice_id = await open_invoice(world, subscription_id)
    await world.work()
    ended = await switch(world, to_stripe(subscription_id, method_id))
    assert ended.step == "done"
    await world.means.stripe.mark_handed_over(invoice_id, ended.id)  # it was slow
    await world.advance(timedelta(days=2))
    await work(world)
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_a_mark_that_no_switch_of_ours_knows_calls_a_person(world: World) -> None:
    """Found by the simulation (month, seed 5): after a restore, the invoice waited for ever."""
    _, subscription_id, _ = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    await world.means.stripe.mark_handed_over(invoice_id, "op_of_a_lost_database")
    await work(world)
    payment = await world.payment(invoice_id)
    assert await world.charges() == []
    assert "op_of_a_lost_database" in (payment.parked_why or "")
    await world.means.stripe.unmark_handed_over(invoice_id)
    await learn(world.means, SCOPE, payment.id, Unparked("took the mark away"))
    await work(world)
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_tokens_that_a_switch_back_needs_are_not_dropped(world: World) -> None:
    """Found by looking for it: they were, between its first step and its second."""
    customer_id, subscription_id, card_id = await subscriber(world)
    (method_id,) = await method_ids(world, customer_id)
    draft = await latest(world, subscription_id)
    switch_id = await begin(world, to_stripe(subscription_id, card_id))
    await flow.drive(world.means, SCOPE, switch_id)  # the tokens are about to go
    assert did(await read(world, switch_id)) == {draft: "changed"}
    back_id = await begin(world, to_processor(subscription_id, method_id))
    await work(world)  # both, in any order
    await world.advance(timedelta(hours=1))
    await work(world)
    assert (await read(world, back_id)).step == "done"
    assert await statuses(world, customer_id) == ["active"]


async def test_one_that_was_given_up_and_written_off_is_left_alone(world: World) -> None:
    """Found by looking for it: it was asked about every five seconds, for ever."""
    world = with_policy(world, retry_pauses=())
    _, subscription_id, method_id = await subscriber(world, "debit_fails")
    invoice_id = await open_invoice(world, subscription_id)
    await world.work()
    waits = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert waits.step == "hand"
    await world.means.stripe.mark_uncollectible(invoice_id, "given-up")  # its event is lost
    await world.advance(timedelta(days=6))
    await work(world)
    done = await read(world, waits.id)
    assert (done.step, did(done)) == ("done", {invoice_id: "closed"})
    assert (await world.payment(invoice_id)).state is State.EXHAUSTED
    assert (await world.means.stripe.read_invoice(invoice_id)).handed_by is None


@pytest.mark.parametrize("what", ["card_no_answer", "parked"])
async def test_neither_one_in_doubt_nor_one_for_a_person_is_handed_over(
    world: World, what: str
) -> None:
    _, subscription_id, method_id = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    if what == "parked":
        async with world.db() as db:
            from sqlalchemy import text

            park = "UPDATE payments SET parked_at = twintill_now(), parked_why = 'look'"
            await db.execute(text(park))
    else:
        await world.break_processor("/v1/charges$", "timeout_after", times=9)
        await world.break_processor("/v1/charges", "reset_before", method="GET", times=9)
        await world.work()
    waits = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert waits.step == "hand"
    assert await stripes_charges(world, invoice_id) == []


async def test_what_a_person_called_not_charged_is_asked_for_before_stripe_may_charge(
    world: World,
) -> None:
    _, subscription_id, method_id = await subscriber(world)
    invoice_id = await open_invoice(world, subscription_id)
    await world.break_processor("/v1/charges$", "timeout_after")
    await world.work()
    payment = await world.payment(invoice_id)
    never = NotSent(NotSentReason.PERSON, "their dashboard is empty", wait_s=7200)
    said = PersonSaid(payment.attempts[0].id, never, "their dashboard is empty", "nothing")
    await learn(world.means, SCOPE, payment.id, said)  # it has arrived, and its webhook is lost
    waits = await switch(world, to_stripe(subscription_id, method_id, "charge_at_stripe"))
    assert await stripes_charges(world, invoice_id) == []
    await world.advance(timedelta(hours=3))  # no copy can arrive any more: it may be handed over
    async with world.db() as db:
        await operations.ring(db, SCOPE, waits.id)
    await flow.look(world.means, SCOPE, waits.id)
    await world.work()
    await world.advance(timedelta(hours=7))
    await work(world)
    assert did(await read(world, waits.id)) == {invoice_id: "closed"}
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert (len(await world.charges()), await stripes_charges(world, invoice_id)) == (1, [])
