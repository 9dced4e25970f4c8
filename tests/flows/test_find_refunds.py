"""Refunds of which no webhook told are found by a duty, and followed as any other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.flows.test_money_back import GRACE, ask, notes, reported
from tests.flows.test_refunds import REFUNDS, give_by_hand, given_back, is_sound, later
from tests.flows.world import SCOPE, World
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.domain.payment import State
from twintill.flows.duty import Ran
from twintill.flows.find_refunds import find_refunds
from twintill.processors import RefundPage
from twintill.processors.sandbox import SandboxProcessor

FOUND_NOTHING = {"listed": 0, "found": 0, "not_ours": 0, "failed": 0, "not_asked": 0}


async def look(world: World, cursor: Mapping[str, Any] | None = None) -> Ran:
    """A whole pass, and what follows from it; nobody brings webhooks here."""
    ran = await find_refunds(world.means, SCOPE, cursor or {})
    while not ran.again_in:
        ran = await find_refunds(world.means, SCOPE, ran.cursor)
    await later(world, GRACE)
    return ran


class OneAtATime(SandboxProcessor):
    """The same, with small pages."""

    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        page = await super().list_recent_refunds(made_since, after)
        assert isinstance(page, RefundPage)
        first, rest = page.refunds[:1], page.refunds[1:]
        return RefundPage(first, first[0].seen.processor_refund_id if rest else None)


async def test_one_that_nobody_told_of_is_credited_once(world: World) -> None:
    invoice_id = await reported(world)
    assert (await look(world)).result == FOUND_NOTHING
    await give_by_hand(world, invoice_id, 1900)
    ran = await look(world)
    assert ran.result == {**FOUND_NOTHING, "listed": 1, "found": 1}
    assert await notes(world, invoice_id) == [1900]
    assert (await look(world, ran.cursor)).result == {**FOUND_NOTHING, "listed": 1}
    assert (await notes(world, invoice_id), len(await given_back(world))) == ([1900], 1)
    assert await is_sound(world)


async def test_our_own_are_no_news(world: World) -> None:
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    await world.work()
    assert (await look(world)).result == {**FOUND_NOTHING, "listed": 1}
    assert await notes(world, invoice_id) == [1900]


async def test_one_whose_answer_was_lost_is_learned(world: World) -> None:
    invoice_id = await reported(world)
    await world.break_processor(REFUNDS, "timeout_after")
    await ask(world, invoice_id)
    await world.work()
    await look(world)
    assert (await world.payment(invoice_id)).state is State.REFUNDED
    assert (await notes(world, invoice_id), len(await given_back(world))) == ([4900], 1)
    assert await is_sound(world)


async def test_a_processor_that_does_not_answer_is_asked_for_the_same_time_again(
    world: World,
) -> None:
    before = await look(world)
    invoice_id = await reported(world)
    await give_by_hand(world, invoice_id, 1900)
    await world.break_processor("/v1/refunds$", "status", method="GET", code=503)
    failed = await look(world, before.cursor)
    assert (failed.result["not_asked"], failed.cursor) == (1, before.cursor)
    await world.advance(timedelta(days=40))
    assert (await look(world, failed.cursor)).result["found"] == 1


async def test_those_of_other_charges_are_counted_and_left_alone(world: World) -> None:
    """Somebody sells with the same account, and without us."""
    invoice_id = await reported(world)
    await give_by_hand(world, invoice_id, 1900)
    async with world.db() as db:
        await db.exec_driver_sql("UPDATE attempts SET processor_payment_id = 'chg_of_ours'")
    assert (await look(world)).result["not_ours"] == 1


async def test_a_long_list_is_read_page_by_page(world: World) -> None:
    for _ in range(2):
        invoice_id = await reported(world)
        await ask(world, invoice_id, 1900, f"rfd_{invoice_id}")
        await world.work()
    url, key = str(world.processor.base_url), "sandbox_key_1"
    small = OneAtATime(url, key, ("whsec_1",), "acct_sandbox", world.processor)
    world = replace(world, means=replace(world.means, processors={"sandbox": small}))
    assert (await look(world)).result == {**FOUND_NOTHING, "listed": 2}
