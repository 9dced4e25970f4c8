"""What a crash, a kept failure or somebody beside us must not do to drafts and money by hand."""

from datetime import datetime, timedelta

import pytest

from tests.flows import drafting as d
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import work
from tests.flows.switching import latest
from tests.flows.test_by_hand import cheque, later, undo
from tests.flows.test_credit import left, pay_out
from tests.flows.test_invoicing import amount, asker
from tests.flows.test_partial import follow, rest_of
from tests.flows.test_tax import GOOD, arrive, taxed
from tests.flows.world import SCOPE, World
from twintill.domain.drafting import Item, Then, Verb
from twintill.domain.invoicing import Step
from twintill.domain.payment import State
from twintill.errors import ConflictError, StripeUnreadable
from twintill.flows import asking_invoicing as ask
from twintill.flows import credit, tax
from twintill.flows import operations as operating
from twintill.flows.asking_invoicing import NewInvoice
from twintill.flows.credit import Use
from twintill.ids import derived_id, new_id
from twintill.store import clock


async def test_undone_the_invoice_of_who_paid_by_wire_is_not_charged(world: World) -> None:
    """A method that came after it was sent out: nobody agreed that we collect it."""
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await world.advance(timedelta(days=1))
    await world.add_method(customer_id, "card_ok")
    hand = await cheque(world, invoice_id)
    await undo(world, hand)
    await later(world, timedelta(days=2))
    assert await world.charges() == []
    assert (await world.payment(invoice_id)).state is State.WAITING
    await cheque(world, invoice_id, reference="CHQ 2")
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_the_rest_of_what_was_paid_by_cheque_is_not_charged(world: World) -> None:
    """Nor is the new invoice: a method that came later was not given for it."""
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await cheque(world, invoice_id, 3000)
    await world.work()
    await follow(world)
    rest_id = await rest_of(world, invoice_id)
    await world.add_method(customer_id, "card_ok")
    await later(world, timedelta(days=2))
    assert await world.charges() == []
    await cheque(world, rest_id, 1900, "CHQ 2")
    await world.work()
    assert await world.status(rest_id) == "paid"


@pytest.mark.parametrize(
    ("deed", "path", "status"),
    [
        (Step.VOID, "/void$", "void"),
        (Step.MARK_UNCOLLECTIBLE, "/mark_uncollectible$", "uncollectible"),
    ],
)
async def test_a_failure_that_stripe_keeps_does_not_stand_in_the_way(
    world: World, deed: Step, path: str, status: str
) -> None:
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await world.break_stripe(path, "status", code=500)
    operation_id = new_id("op")
    with pytest.raises(StripeUnreadable):
        await ask.act_on(asker(world, operation_id), invoice_id, deed)
    await world.advance(timedelta(hours=1))
    await operating.drive(world.means, SCOPE, operation_id)
    assert await world.status(invoice_id) == status


async def test_made_in_spite_of_a_failure_that_stripe_keeps(world: World) -> None:
    customer_id = await world.customer(None)
    wanted = NewInvoice(customer_id, [amount(4900)], currency="EUR")
    await world.break_stripe("/finalize$", "status", code=500)
    operation_id = new_id("op")
    with pytest.raises(StripeUnreadable):
        await ask.make_invoice(asker(world, operation_id), wanted)
    await world.advance(timedelta(hours=1))
    made = await ask.make_invoice(asker(world, operation_id), wanted)
    assert await world.status(str(made.invoice_id)) == "open"


async def test_mended_tax_does_not_finalize_what_somebody_changes_in_the_queue(
    world: World,
) -> None:
    customer_id, subscription_id = await taxed(world, address={**GOOD, "postal_code": "00001"})
    await world.advance(timedelta(hours=2))
    await arrive(world)
    invoice_id = await latest(world, subscription_id)
    await d.held_by_hand(world, invoice_id)
    change = await d.asked(world, invoice_id, Verb.CHANGE, add=[Item("Setup", 500, "EUR")])
    await world.break_stripe("/add_lines$", "status", code=503, times=9)
    await operating.look(world.means, SCOPE, change)
    await tax.locate(world.means, SCOPE, customer_id, key=new_id("loc"), address=GOOD)
    await work(world)
    assert await world.status(invoice_id) == "draft"


async def test_items_whose_answer_was_lost_are_not_called_missing_when_the_window_is_over(
    world: World,
) -> None:
    """Somebody would add them a second time by hand."""
    customer_id = await world.customer()
    await d.rule(world, then=Then.PROCEED, currency="EUR", items=(Item("Setup", 500, "EUR"),))
    invoice_id = await d.subscribed(world, customer_id)
    await deliver(world, await stripe_events(world, "invoice.created"))
    await world.break_stripe("/add_lines$", "reset_after", times=9)
    await operating.look(world.means, SCOPE, derived_id("dwn", SCOPE, invoice_id))
    finalizes_at = (await d.window(world, invoice_id)).data["finalizes_at"]
    async with world.db() as db:
        left = datetime.fromisoformat(finalizes_at) - await clock.now(db)
    await world.advance(left - timedelta(seconds=10))
    await work(world)
    assert await d.deeds(world, invoice_id) == [("rule:drl", "items_added")]
    assert (await d.draft(world, invoice_id))["total"] == 5400


async def test_what_is_paid_out_in_another_currency_is_not_known_by_the_same_reference(
    world: World,
) -> None:
    hand = await left(world)
    assert await pay_out(world, hand, 600) == (600, False)
    dollars = Use(hand.customer_id, "USD", "he asked", "person:ada", 600)
    with pytest.raises(ConflictError) as why:
        await credit.pay_out(world.means, SCOPE, dollars, "SEPA 1")
    assert why.value.code == "reference_used"
