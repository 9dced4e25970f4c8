"""Intake: events are hints. What is ours is collected; what is not is recorded and left alone."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import text

from tests.flows.events import deliver, stripe_events, take_in
from tests.flows.world import (
    PROCESSOR_ACCOUNT,
    PROCESSOR_KEY,
    PROCESSOR_SECRET,
    SCOPE,
    World,
)
from twintill.domain.payment import State
from twintill.flows import intake
from twintill.flows.means import Means
from twintill.processors import ProcessorEvent
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import inbox, inbox_rows, mirror

INVOICE_EVENTS = ("invoice.created", "invoice.updated", "invoice.finalized", "invoice.paid")


async def test_a_finalized_invoice_of_ours_is_collected(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    await deliver(world, await stripe_events(world, *INVOICE_EVENTS))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_doubled_and_shuffled_events_collect_once(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    events = await stripe_events(world, *INVOICE_EVENTS)
    doubled = [*events, *events]
    random.Random(7).shuffle(doubled)
    await deliver(world, doubled)
    await world.work()
    await deliver(world, events)
    await world.work()
    assert len(await world.charges()) == 1
    assert await world.status(invoice_id) == "paid"


async def test_the_event_of_our_own_report_changes_nothing(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    await deliver(world, await stripe_events(world, "invoice.paid"))
    assert await world.work() == 0
    assert (await world.payment(invoice_id)).ended


async def test_a_customer_who_pays_by_wire_is_never_touched(world: World) -> None:
    customer_id = await world.means.stripe.create_customer(None, None, {}, "op", "wire")
    await world.invoice(customer_id)
    verdicts = await deliver(world, await stripe_events(world, "invoice.finalized"))
    assert verdicts == [("ignored", "not a customer of ours")]
    async with world.db() as db:
        assert await mirror.open_payments_of(db, SCOPE, customer_id) == []


async def test_a_known_customer_without_a_method_pays_by_wire(world: World) -> None:
    await world.invoice(await world.customer(None))
    verdicts = await deliver(world, await stripe_events(world, "invoice.finalized"))
    assert verdicts == [("ignored", "the customer has no payment method with us (pays by wire)")]


async def test_an_invoice_that_stripe_collects_is_left_to_stripe(world: World) -> None:
    customer_id = await world.customer()
    v1 = world.means.stripe.client.v1
    invoice = await v1.invoices.create_async(
        {"customer": customer_id, "collection_method": "charge_automatically", "currency": "eur"}
    )
    await v1.invoice_items.create_async(
        {"customer": customer_id, "invoice": invoice.id, "amount": 4900, "currency": "eur"}
    )
    await v1.invoices.finalize_invoice_async(invoice.id)
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await world.work()
    assert await world.charges() == []


async def test_a_voided_invoice_ends_its_payment(world: World) -> None:
    customer_id = await world.customer("card_declines_once")
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.means.stripe.void(invoice_id, key="test")
    await deliver(world, await stripe_events(world, "invoice.voided"))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.CANCELED


async def test_a_poisonous_event_is_parked_and_blocks_nobody(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    events = await stripe_events(world, "invoice.finalized")
    poison = {**events[0], "id": "evt_poison", "data": {"object": {"object": "invoice", "id": 7}}}
    states = [state for state, _ in await deliver(world, [poison, *events])]
    assert states == ["parked", "done"]
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_the_other_mode_is_ignored(world: World) -> None:
    await world.invoice(await world.customer())
    event = (await stripe_events(world, "invoice.finalized"))[0]
    verdicts = await deliver(world, [{**event, "livemode": True}])
    assert verdicts == [("ignored", "of the other mode (livemode)")]


class KilledError(BaseException):
    """The end of the process: nobody catches it, nothing more is written."""


class Deadly(SandboxProcessor):
    """An adapter that some event takes down, and the process with it."""

    well = False

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        if not self.well:
            raise KilledError
        return super().parse_webhook(body)


async def test_an_event_that_ends_its_worker_is_parked_after_a_few(world: World) -> None:
    """A process that dies writes nothing: the try is counted, in a commit, before it begins."""
    deadly = Deadly("http://127.0.0.1:9", PROCESSOR_KEY, (PROCESSOR_SECRET,), PROCESSOR_ACCOUNT)
    means = replace(world.means, processors={"sandbox": deadly})
    async with world.db() as db:
        source = f"sandbox:{PROCESSOR_ACCOUNT}"
        event = inbox.Event("evt_1", "charge.succeeded")
        await inbox.receive(db, [inbox.Delivery(SCOPE, source, {}, b"{}", "verified", (event,))])
        inbox_id = (await db.execute(text("SELECT inbox_id FROM inbox"))).scalar_one()
    # The first is not counted: what goes well costs nothing more.
    assert [await _dies(world, means, inbox_id) for _ in range(7)] == [True] * 6 + [False]
    async with world.db() as db:
        (row,) = await inbox_rows.list_parked(db, SCOPE, 10)
        assert row.parked_why == "its worker ended without a word, 5 times"
        await inbox_rows.replay(db, SCOPE, inbox_id)
    deadly.well = True
    assert not await _dies(world, means, inbox_id)
    async with world.db() as db:
        assert await inbox_rows.hold(db, SCOPE, inbox_id) is None
    await deadly.aclose()


async def test_what_the_sweep_rang_for_is_taken_in_all_the_same(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    async with world.db() as db:
        event = (await stripe_events(world, "invoice.finalized"))[0]
        body = json.dumps(event).encode()
        row = inbox.Event(event["id"], event["type"])
        await inbox.receive(db, [inbox.Delivery(SCOPE, "stripe", {}, body, "verified", (row,))])
        await db.execute(text("UPDATE inbox SET rung_at = now()"))
    await take_in(world)
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def _dies(world: World, means: Means, inbox_id: int) -> bool:
    """Whether it took a worker down; the sweep has rung for it again afterwards."""
    try:
        await intake.look(means, SCOPE, inbox_id)
    except KilledError:
        async with world.db() as db:
            ran_out = "UPDATE inbox SET rung_at = now(), lease_until = now() - interval '1 s'"
            await db.execute(text(ran_out))
        return True
    return False
