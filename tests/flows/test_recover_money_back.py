"""After a restore: money that went back in the lost time is booked, and does not go back again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.test_money_back import GRACE, ask, both, credit_by_hand, reported
from tests.flows.test_recover import run
from tests.flows.test_refunds import give_by_hand, given_back, is_sound, later, strand
from tests.flows.world import World
from tests.flows.yesterday import backup
from tests.postgres import Database
from twintill.domain.payment import Reason, State


async def rest(world: World) -> None:
    for _ in range(4):
        await later(world, GRACE)


async def test_a_refund_of_the_lost_time_is_booked_and_not_made_again(
    world: World, database: Database
) -> None:
    """Nothing tells of it any more: its webhooks were taken in before the restore."""
    invoice_id = await reported(world)
    async with backup(database.admin_url) as yesterday:
        await ask(world, invoice_id, 1900)
        await world.work()
        await yesterday.restore()
    assert (await world.payment(invoice_id)).reported_minor == 4900
    await run(world)
    await rest(world)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])
    assert (payment.reported_minor, payment.refunded_minor, payment.ended) == (3000, 1900, True)
    assert (await world.balances())["refund:due"] == 0
    assert await is_sound(world)


async def test_what_was_reported_and_given_back_in_the_lost_time_is_compared_too(
    world: World, database: Database
) -> None:
    async with backup(database.admin_url) as yesterday:
        invoice_id = await reported(world)
        await ask(world, invoice_id, 1900)
        await world.work()
        await yesterday.restore()
    await run(world)
    await rest(world)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.refunded_minor) == ([1900], [1900], 1900)
    assert await is_sound(world)


@pytest.mark.parametrize("refunded", [True, False])
async def test_one_side_of_the_lost_time_is_followed_by_the_other(
    world: World, database: Database, refunded: bool
) -> None:
    invoice_id = await reported(world)
    async with backup(database.admin_url) as yesterday:
        if refunded:
            await give_by_hand(world, invoice_id, 1900)
        else:
            await credit_by_hand(world, invoice_id, 1900)
        await yesterday.restore()
    await run(world)
    await rest(world)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited, payment.ended) == ([1900], [1900], True)
    assert await is_sound(world)


async def test_nothing_goes_back_before_both_sides_were_compared(
    world: World, database: Database
) -> None:
    """A refund was asked for, made in the lost time, and its list is late."""
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    async with backup(database.admin_url) as yesterday:
        await world.work()
        await yesterday.restore()
    await run(world)
    payment = await world.payment(invoice_id)
    assert (payment.reason, payment.compare_at is None) == (Reason.COMPARING, False)
    await rest(world)
    given, credited, _ = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])


async def test_stranded_money_that_went_back_in_the_lost_time_is_booked_as_ours(
    world: World, database: Database
) -> None:
    invoice_id = await strand(world)
    async with backup(database.admin_url) as yesterday:
        await later(world)
        ours = (await world.payment(invoice_id)).refunds[0]
        await yesterday.restore()
    await run(world)
    await rest(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, len(await given_back(world))) == (State.REFUNDED, 1)
    assert (payment.refunds[0].id, payment.refunds[0].n) == (ours.id, ours.n)
    assert await is_sound(world)


async def test_where_refunds_cannot_be_listed_a_person_looks_first(
    world: World, database: Database
) -> None:
    processor: Any = world.means.processors["sandbox"]
    processor.capabilities = replace(processor.capabilities, finds_refunds=False)
    invoice_id = await reported(world)
    await ask(world, invoice_id, 1900)
    async with backup(database.admin_url) as yesterday:
        await world.work()
        await yesterday.restore()
    findings = await run(world)
    await rest(world)
    payment = await world.payment(invoice_id)
    assert "cannot list its refunds" in str(payment.parked_why)
    assert [f.invoice_id for f in findings] == [invoice_id]
    assert (await both(world, invoice_id))[0] == [1900]


async def test_our_own_note_of_the_lost_time_is_no_reason_to_give_back_again(
    world: World, database: Database
) -> None:
    """It was made after the money had left; here nothing else of that can be seen any more."""
    processor: Any = world.means.processors["sandbox"]
    processor.capabilities = replace(processor.capabilities, finds_refunds=False)
    invoice_id = await reported(world)
    async with backup(database.admin_url) as yesterday:
        await ask(world, invoice_id, 1900)
        await world.work()
        await yesterday.restore()
    await world.advance(timedelta(days=2))  # no key protects it any more
    await run(world)
    await rest(world)
    given, credited, payment = await both(world, invoice_id)
    assert (given, credited) == ([1900], [1900])
    assert "our own credit note" in str(payment.parked_why)
