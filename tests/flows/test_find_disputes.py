"""Disputes of which no webhook told are found by a duty, and followed as any other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.flows.signing_up import telling, told, work
from tests.flows.test_disputes import dispute, then
from tests.flows.test_money_back import notes, reported
from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.flows.duty import Ran
from twintill.flows.find_disputes import find_disputes
from twintill.processors import DisputePage
from twintill.processors.sandbox import SandboxProcessor

FOUND_NOTHING = {"listed": 0, "found": 0, "not_ours": 0, "failed": 0, "not_asked": 0}


async def look(world: World, cursor: Mapping[str, Any] | None = None) -> Ran:
    """A whole pass; nobody brings webhooks here."""
    ran = await find_disputes(world.means, SCOPE, cursor or {})
    while not ran.again_in:
        ran = await find_disputes(world.means, SCOPE, ran.cursor)
    await work(world)
    return ran


class OneAtATime(SandboxProcessor):
    """The same, with small pages."""

    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        page = await super().list_disputes(opened_since, after)
        assert isinstance(page, DisputePage)
        rest = page.disputes[1:]
        return DisputePage(page.disputes[:1], page.disputes[0].dispute_id if rest else None)


async def test_one_that_nobody_told_of_is_found_once(world: World) -> None:
    world = telling(world)
    invoice_id = await reported(world)
    assert (await look(world)).result == FOUND_NOTHING
    await dispute(world, invoice_id)
    ran = await look(world)
    assert ran.result == {**FOUND_NOTHING, "listed": 1, "found": 1}
    (its,) = (await world.payment(invoice_id)).disputes
    assert (its.stage, its.withheld) == (DisputeStage.OPENED, True)
    assert (await look(world, ran.cursor)).result == {**FOUND_NOTHING, "listed": 1}
    assert len(await told(world, "payment.disputed")) == 1


async def test_one_that_is_lost_by_then_is_credited(world: World) -> None:
    invoice_id = await reported(world)
    await then(world, await dispute(world, invoice_id), "resolve", outcome="lost")
    await look(world)
    assert await notes(world, invoice_id) == [4900]
    assert await is_sound(world)


async def test_a_processor_that_does_not_answer_is_asked_for_the_same_time_again(
    world: World,
) -> None:
    before = await look(world)
    invoice_id = await reported(world)
    await dispute(world, invoice_id)
    await world.break_processor("/v1/disputes$", "status", method="GET", code=503)
    failed = await look(world, before.cursor)
    assert (failed.result["not_asked"], failed.cursor) == (1, before.cursor)
    await world.advance(timedelta(days=40))
    assert (await look(world, failed.cursor)).result["found"] == 1


async def test_those_of_other_charges_are_counted_and_left_alone(world: World) -> None:
    """Somebody sells with the same account, and without us."""
    invoice_id = await reported(world)
    await dispute(world, invoice_id)
    async with world.db() as db:
        await db.exec_driver_sql("UPDATE attempts SET processor_payment_id = 'chg_of_ours'")
    assert (await look(world)).result["not_ours"] == 1


async def test_a_long_list_is_read_page_by_page(world: World) -> None:
    invoices = [await reported(world) for _ in range(3)]
    for invoice_id in invoices:
        await dispute(world, invoice_id)
    url, key = str(world.processor.base_url), "sandbox_key_1"
    small = OneAtATime(url, key, ("whsec_1",), "acct_sandbox", world.processor)
    world = replace(world, means=replace(world.means, processors={"sandbox": small}))
    assert (await look(world)).result == {**FOUND_NOTHING, "listed": 3, "found": 3}
