"""Nothing depends on a processor's deliveries either: what it could not bring is fetched."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.flows.asking import TellsEvents, with_processor
from tests.flows.events import take_in
from tests.flows.test_refunds import told_by_the_processor
from tests.flows.world import SCOPE, World
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.domain.payment import State
from twintill.flows import arrivals, catch_up_processors
from twintill.flows.duty import Ran
from twintill.processors.reports import EventPage
from twintill.store import inbox
from twintill.store.inbox import Delivery
from twintill.store.tables import deliveries
from twintill.store.tables import inbox as inbox_table

NOTHING = {"listed": 0, "found": 0, "not_ours": 0, "failed": 0, "not_asked": 0}


@pytest.fixture
def asked(world: World) -> World:
    return with_processor(world, TellsEvents)


async def step(world: World, cursor: Mapping[str, Any] | None = None) -> Ran:
    return await catch_up_processors.catch_up_processors(world.means, SCOPE, cursor or {})


async def look(world: World, cursor: Mapping[str, Any] | None = None) -> Ran:
    """A whole pass, and what follows from it."""
    ran = await step(world, cursor)
    while not ran.again_in:
        ran = await step(world, ran.cursor)
    await take_in(world)
    await world.work()
    return ran


async def came(world: World) -> list[tuple[str, str, str | None]]:
    c = inbox_table.c
    async with world.db() as db:
        rows = await db.execute(select(c.type, c.state, c.note).order_by(c.inbox_id))
        return [(row.type, row.state, row.note) for row in rows]


async def pending(world: World) -> str:
    """A bank debit, collected days later; nobody brings its webhook here."""
    invoice_id = await world.collect(await world.customer("debit_ok"))
    assert (await world.payment(invoice_id)).state is State.PENDING
    return invoice_id


async def test_what_no_webhook_brought_is_found_once(asked: World) -> None:
    invoice_id = await pending(asked)
    first = await look(asked)
    await asked.advance(timedelta(days=20))
    ran = await look(asked, first.cursor)
    assert ran.result["found"] > 0
    assert (await asked.payment(invoice_id)).state is State.REPORTED
    rows = await came(asked)
    assert (await look(asked, ran.cursor)).result["found"] == 0
    assert await came(asked) == rows


async def test_what_was_delivered_is_not_stored_again(asked: World) -> None:
    await pending(asked)
    await asked.advance(timedelta(days=3))
    sender = asked.means.processors["sandbox"]
    event = await told_by_the_processor(asked, "charge.succeeded")
    body = json.dumps({"events": [event]}).encode()
    source = arrivals.source_of(sender)
    verdict, found = arrivals.read_processor(sender, body)
    async with asked.db() as db:
        await inbox.receive(db, [Delivery(SCOPE, source, {}, body, verdict, found)])
    ran = await look(asked)
    assert ran.result["listed"] == ran.result["found"] + 1
    async with asked.db() as db:
        rows = await db.execute(select(func.count()).select_from(deliveries))
        assert rows.scalar_one() == ran.result["listed"]


async def test_an_event_of_a_payment_that_is_not_ours_is_kept_and_ignored(asked: World) -> None:
    await pending(asked)
    async with asked.db() as db:
        await db.exec_driver_sql("UPDATE attempts SET reference = 'x', processor_payment_id = 'y'")
    await asked.advance(timedelta(days=3))
    await look(asked)
    told = {(state, note) for _, state, note in await came(asked)}
    assert ("ignored", "no attempt of ours has this reference") in told


async def test_an_event_that_cannot_be_read_is_parked_once(asked: World) -> None:
    class Mad(TellsEvents):
        async def list_events(
            self, since: datetime, after: str | None = None
        ) -> EventPage | NoAnswer | NotSent:
            return EventPage((b'{"events": [{"id": 7}]}', b"what?"))

    world = with_processor(asked, Mad)
    first = await look(world)
    assert first.result == {**NOTHING, "listed": 2, "failed": 2}
    assert (await look(world, first.cursor)).result == {**NOTHING, "listed": 2}
    assert {state for _, state, _ in await came(world)} == {"parked"}


async def test_an_outage_longer_than_any_redelivery_is_healed(asked: World) -> None:
    invoice_id = await pending(asked)
    cursor = (await look(asked)).cursor
    await asked.break_processor("/v1/events", "status", method="GET", code=503)
    await asked.advance(timedelta(days=60))
    failed = await look(asked, cursor)
    assert (failed.result["not_asked"], failed.cursor) == (1, cursor)
    await look(asked, failed.cursor)
    assert (await asked.payment(invoice_id)).state is State.REPORTED


async def test_who_dies_between_the_page_and_its_cursor_takes_it_in_again(asked: World) -> None:
    """The page was committed; the duty's cursor was not."""
    await pending(asked)
    await asked.advance(timedelta(days=3))
    first = await step(asked)
    again = await step(asked)
    assert (first.result["found"], again.result["found"]) == (2, 0)
    assert first.cursor["after"] == again.cursor["after"] is not None
    assert (await look(asked, again.cursor)).result["listed"] == len(await came(asked))


async def test_a_processor_out_of_the_settings_ends_its_pass(asked: World) -> None:
    await pending(asked)
    await asked.advance(timedelta(days=3))
    first = await step(asked)
    alone = replace(asked, means=replace(asked.means, processors={}))
    assert (await step(alone, first.cursor)).again_in == catch_up_processors.EVERY
