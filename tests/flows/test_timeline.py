"""The story of one invoice, as every side wrote it, in one order."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import renew, subscriber
from tests.flows.signing_up import telling
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.timeline import Line, Source
from twintill.flows import invoice_standing, timeline
from twintill.flows.invoice_standing import WholeInvoice
from twintill.store import invoice_actions
from twintill.store.invoice_actions import Action

DAY = timedelta(days=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database) as world:
        yield telling(world)


async def story(world: World, invoice_id: str) -> list[Line]:
    async with world.db() as db:
        told = await timeline.read(db, SCOPE, world.means.policy, invoice_id)
    assert not told.truncated
    return told.lines


async def standing(world: World, invoice_id: str) -> WholeInvoice:
    async with world.db() as db:
        return await invoice_standing.read(db, SCOPE, world.means.policy, invoice_id)


def kinds(lines: list[Line], *sources: Source) -> list[str]:
    return [line.kind for line in lines if line.source in sources]


async def test_declined_then_collected_across_all_sides(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.invoice(customer_id)
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await world.work()
    whole = await standing(world, invoice_id)
    assert whole.follows is not None
    assert "Declined once" in whole.words
    assert "the schedule waits a day after decline 1" in whole.words
    planned = [line for line in await story(world, invoice_id) if line.planned]
    assert [line.kind for line in planned] == ["timer.next_try", "timer.due"]

    await world.add_method(customer_id, "card_ok")
    deed = Action("act_1", "held", "person:ada", invoice_id, customer_id, "asked us to wait")
    async with world.db() as db:
        await invoice_actions.add(db, SCOPE, deed)
    await world.advance(DAY)
    await world.work()
    lines = await story(world, invoice_id)
    assert kinds(lines, Source.STRIPE) == ["invoice.finalized"]
    assert kinds(lines, Source.PERSON) == ["held"]
    assert kinds(lines, Source.PROCESSOR)[0] == "charge.declined"
    assert [line.at for line in lines if not line.planned] == sorted(
        line.at for line in lines if not line.planned
    )
    assert len({line.id for line in lines}) == len(lines)


async def test_collected_and_reported_with_its_bookings(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await world.work()
    await deliver(world, await stripe_events(world, "invoice.paid"))
    lines = await story(world, invoice_id)
    told = [(line.source.value, line.kind) for line in lines]
    in_order = [
        ("stripe", "invoice.finalized"),
        ("twintill", "charge.sent"),
        ("processor", "charge.approved"),
        ("ledger", "collected"),
        ("ledger", "reported"),
        ("twintill", "payment.reported"),
        ("stripe", "invoice.paid"),
    ]
    assert [one for one in told if one in in_order] == in_order
    (collected,) = [line for line in lines if line.kind == "collected"]
    assert "49.00 EUR" in collected.text
    whole = await standing(world, invoice_id)
    assert whole.words == "Paid: 49.00 EUR collected, and Stripe was told."


async def test_what_became_of_the_subscription_in_its_time(world: World) -> None:
    await subscriber(world, "card_declined")
    (changed,) = await stripe_events(world, "customer.subscription.created")
    invoice_id = await renew(world)
    past_due = changed["data"]["object"] | {"status": "past_due"}
    event = changed | {
        "id": "evt_past_due",
        "type": "customer.subscription.updated",
        "data": {"object": past_due},
    }
    await deliver(world, [event])
    whole = await standing(world, invoice_id)
    assert whole.subscription is not None
    assert whole.subscription.status == "past_due"
    assert whole.subscription.changes[-1].actor == "evt_past_due"
    assert "Its subscription is past_due since" in whole.words
    assert "past_due" in kinds(await story(world, invoice_id), Source.STRIPE)


async def test_one_that_nobody_collects_has_a_story_too(world: World) -> None:
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    whole = await standing(world, invoice_id)
    assert "nobody charges it" in whole.words
    assert kinds(await story(world, invoice_id), Source.STRIPE) == ["invoice.finalized"]
    await world.advance(31 * DAY)
    assert (await standing(world, invoice_id)).overdue
