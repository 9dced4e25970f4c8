"""Money goes back once: a begun note that somebody else made, a restore, tokens that are needed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.flows.leaving import statuses
from tests.flows.signing_up import due_operations, work
from tests.flows.test_follow_on import following
from tests.flows.test_late_failure import fail
from tests.flows.test_late_failure import reported as reported_debit
from tests.flows.test_money_back import GRACE, ask, both, credit_by_hand, reported, told
from tests.flows.test_refunds import give_by_hand, given_back, later
from tests.flows.world import SCOPE, World
from tests.flows.yesterday import backup
from tests.postgres import Database
from twintill.domain.outcomes import Approved
from twintill.flows import drop_tokens, processor_events
from twintill.flows import operations as flow
from twintill.money import Money
from twintill.processors import EventKind, ProcessorEvent


async def test_a_note_that_was_begun_is_not_made_beside_the_one_made_by_hand(world: World) -> None:
    """Stripe is away when ours is made; support makes it by hand, as Stripe's guide says."""
    invoice_id = await reported(world)
    await world.break_stripe("/v1/credit_notes$", "status", code=503, times=4)
    await ask(world, invoice_id, 1900)
    await world.work()
    await world.stripe.delete("/_sandbox/faults")
    await credit_by_hand(world, invoice_id, 1900)
    await told(world, invoice_id)
    for _ in range(4):
        await later(world, GRACE)
    given, credited, _ = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])


async def test_after_a_restore_a_refund_that_was_asked_for_is_not_made_again(
    world: World, database: Database
) -> None:
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    async with backup(database.admin_url) as yesterday:
        await world.work()
        assert await both(world, invoice_id) == ([1900], [1900], await world.payment(invoice_id))
        await yesterday.restore()
    for _ in range(4):
        await later(world, GRACE)
    given, credited, _ = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])


async def test_tokens_wait_for_the_invoice_that_follows_on_the_last_one(world: World) -> None:
    """The last subscription has ended; its last debit fails late."""
    payment = await reported_debit(world)
    await fail(world, payment)
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, payment.customer_id)
    (dropping,) = await due_operations(world)
    await flow.look(world.means, SCOPE, dropping)
    await world.work()  # the credit note; in its commit the follow-on begins, and this one is rung
    await flow.look(world.means, SCOPE, dropping)
    await work(world)
    assert await statuses(world, payment.customer_id) == {"active"}
    await world.advance(timedelta(days=1, minutes=1))
    await work(world)
    assert (await following(world, payment)).attempts


async def test_both_by_hand_where_refunds_cannot_be_listed_is_once(world: World) -> None:
    """Only its webhook tells of the refund: booked, and the credit note of it is not refunded."""
    processor: Any = world.means.processors["sandbox"]
    can = replace(processor.capabilities, finds_refunds=False)
    object.__setattr__(processor, "capabilities", can)
    invoice_id = await reported(world)
    charge_id = (await world.payment(invoice_id)).attempts[0].processor_payment_id
    await give_by_hand(world, invoice_id, 1900)
    await credit_by_hand(world, invoice_id, 1900)
    (refund,) = await given_back(world)
    event = ProcessorEvent(
        EventKind.REFUND_SUCCEEDED,
        "evt_1",
        "refund.succeeded",
        processor_payment_id=charge_id,
        refund_id=refund["id"],
        outcome=Approved(refund["id"], Money(1900, "EUR")),
    )
    async with world.db() as db:
        verdict = await processor_events.take_in(db, world.means, SCOPE, processor, event)
    assert verdict.state == "done"
    await told(world, invoice_id)
    for _ in range(4):
        await later(world, GRACE)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)
    assert payment.refunded_minor == 1900
