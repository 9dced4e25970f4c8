"""What a processor's own report says moved our balance there: into the ledger, once."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.flows.settling import (
    NOTHING,
    THERE,
    charge_of,
    line,
    moved,
    read,
    report_of,
    rows,
    settling,
)
from tests.flows.test_disputes import dispute, heard, then
from tests.flows.test_money_back import reported
from tests.flows.test_refunds import hear, is_sound, told_by_the_processor
from tests.flows.world import SCOPE, World
from twintill.flows.read_settlements import read_settlements
from twintill.flows.settle import accept
from twintill.money import Money
from twintill.store.tables import attempts, disputes, receipts

WAIT = timedelta(days=1)


async def settled(world: World) -> list[int]:
    async with world.db() as db:
        return list((await db.execute(select(receipts.c.settled_minor))).scalars())


async def test_a_charge_its_fee_and_its_payout_add_up(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(
        world,
        line("1", "charge", 4900, of=charge, payout_id="po_1"),
        line("2", "fee", -35, of=charge, payout_id="po_1"),
        line("3", "payout", -4865, payout_id="po_1"),
    )
    assert (await read(world)).result == {**NOTHING, "listed": 3, "found": 3}
    assert await moved(world) == {
        "fee:sandbox": 35,
        "bank:transit": 4865,
        "stripe:reported": -4900,
    }
    assert await settled(world) == [4900]
    assert await is_sound(world)


async def test_a_line_that_is_shown_again_is_the_same_line(world: World) -> None:
    invoice_id = await reported(world)
    world = settling(world, line("1", "charge", 4900, 120, of=await charge_of(world, invoice_id)))
    first = await read(world)
    before = await moved(world)
    assert (await read(world, first.cursor)).result == {**NOTHING, "listed": 1}
    assert await moved(world) == before == {
        THERE: 4780, "fee:sandbox": 120, "stripe:reported": -4900
    }  # fmt: skip


async def test_who_dies_between_the_page_and_its_cursor_books_nothing_twice(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    fees = [line(str(n), "fee", -n, of=charge) for n in range(1, 6)]
    world = settling(world, *fees)
    lost = await read_settlements(world.means, SCOPE, {})
    again = await read_settlements(world.means, SCOPE, {})
    assert (lost.result["found"], again.result["found"]) == (2, 0)
    assert (await read(world, again.cursor)).result["found"] == 3
    assert (await moved(world))["fee:sandbox"] == 15


async def test_who_is_killed_anywhere_in_a_page_books_nothing_twice(world: World) -> None:
    """Further on each time: before, between and after the commits of the lines."""
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(world, line("1", "charge", 4900, 120, of=charge), line("2", "payout", -4780))
    turns, ended = 1, False
    while not ended:
        run = asyncio.create_task(read_settlements(world.means, SCOPE, {}))
        for _ in range(turns):
            await asyncio.sleep(0)
        ended = not run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        turns += 1 + turns // 2
    await read(world)
    expected = {"fee:sandbox": 120, "bank:transit": 4780, "stripe:reported": -4900}
    assert await moved(world) == expected
    assert await is_sound(world)


async def test_what_somebody_sells_without_us_stands_on_suspense(world: World) -> None:
    """The payout takes it along: clearing is what the processor owes us, to the cent."""
    invoice_id = await reported(world)
    world = settling(
        world,
        line("1", "charge", 4900, 100, of=await charge_of(world, invoice_id)),
        line("2", "charge", 2000, 50, of="chg_of_somebody"),
        line("3", "payout", -6750),
    )
    await read(world)
    assert {k: row.whose for k, row in (await rows(world)).items()} == {
        "1": "ours", "2": "foreign", "3": "account"
    }  # fmt: skip
    assert await moved(world) == {
        "fee:sandbox": 100,
        "suspense": -1950,
        "bank:transit": 6750,
        "stripe:reported": -4900,
    }
    assert await is_sound(world)


async def test_a_charge_that_is_known_later_leaves_suspense(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(world, line("1", "charge", 4900, 120, of=charge))
    async with world.db() as db:
        await db.execute(update(attempts).values(processor_payment_id=None))
    first = await read(world)
    assert (await moved(world))["suspense"] == -4780
    async with world.db() as db:
        await db.execute(update(attempts).values(processor_payment_id=charge))
    report_of(world).clear()
    await read(world, first.cursor)
    assert await moved(world) == {
        THERE: 4780, "fee:sandbox": 120, "stripe:reported": -4900
    }  # fmt: skip
    assert await settled(world) == [4900]
    assert await is_sound(world)


async def test_a_charge_is_found_by_our_reference_while_its_answer_is_out(world: World) -> None:
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.collect(await world.customer())
    attempt = (await world.payment(invoice_id)).attempts[0]
    world = settling(world, line("1", "charge", 4900, 120, of="?", reference=attempt.reference))
    await read(world)
    assert (await rows(world))["1"].attempt_id == attempt.id


# How a report may tell that a dispute took an amount, and what it cost.
TELLS: dict[str, list[tuple[str, int, int | None, str]]] = {
    "in one line": [("dispute", -4900, 1500, "both")],
    "in one line that names the charge": [("dispute", -4900, 1500, "of")],
    "each by itself": [("dispute", -4900, None, "both"), ("fee", -1500, None, "object_id")],
    "each by its charge": [("dispute", -4900, None, "of"), ("fee", -1500, None, "of")],
}


async def told_of(world: World, dispute_id: str) -> None:
    """The webhook says what it costs, too."""
    event = await told_by_the_processor(world, "dispute.opened")
    assert event["data"]["object"]["id"] == dispute_id
    event["data"]["object"]["fee"] = 1500
    assert await hear(world, event) == "done"
    (its,) = await known_disputes(world)
    assert its.fee_minor == 1500


async def known_disputes(world: World) -> list[Any]:
    async with world.db() as db:
        return list(await db.execute(select(disputes)))


@pytest.mark.parametrize("report_first", [True, False])
@pytest.mark.parametrize("tells", TELLS)
async def test_a_disputes_fee_is_booked_once_whoever_tells_it_first(
    world: World, report_first: bool, tells: str
) -> None:
    """And the ordinary fee of its charge stays what it is."""
    invoice_id = await reported(world)
    charge, its = await charge_of(world, invoice_id), await dispute(world, invoice_id)
    lines = [line("1", "charge", 4900, of=charge), line("0", "fee", -70, of=charge)]
    for n, (kind, minor, fee, by) in enumerate(TELLS[tells], start=2):
        names = {"of": charge, "object_id": its}
        named = names if by == "both" else {by: names[by]}
        lines.append(line(str(n), kind, minor, fee, **named))
    world = settling(world, *lines)
    if report_first:
        cursor = (await read(world)).cursor
        assert (await moved(world))["fee:sandbox"] == 1570
        await told_of(world, its)
        report_of(world).clear()
        await read(world, cursor)
    else:
        await told_of(world, its)
        await read(world)
    assert (await moved(world))["fee:sandbox"] == 1570
    assert (await rows(world))["2"].dispute_id is not None
    await then(world, its, "resolve", outcome="won")
    await heard(world, "won")
    assert await is_sound(world)


async def test_a_line_that_changed_is_for_a_person_who_takes_it_over(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(world, line("1", "charge", 4900, 120, of=charge))
    await read(world)
    report_of(world)[:] = [line("1", "charge", 4900, 150, of=charge)]
    assert (await read(world)).result == {**NOTHING, "listed": 1, "failed": 1}
    row = (await rows(world))["1"]
    assert (row.fee_minor, row.changed["fee_minor"]) == (120, 150)
    assert (await moved(world))["fee:sandbox"] == 120
    async with world.db() as db:
        await accept(db, SCOPE, row.settlement_line_id, "ada", "asked them")
    row = (await rows(world))["1"]
    assert (row.fee_minor, row.changed, row.accepted[0]["by"]) == (150, None, "ada")
    assert (await moved(world))["fee:sandbox"] == 150
    assert (await read(world)).result == {**NOTHING, "listed": 1}


async def test_a_line_that_is_itself_again_needs_nobody(world: World) -> None:
    world = settling(world, line("1", "fee", -20))
    await read(world)
    report_of(world)[:] = [line("1", "fee", -30)]
    await read(world)
    report_of(world)[:] = [line("1", "fee", -20)]
    assert (await read(world)).result["failed"] == 0
    assert (await rows(world))["1"].changed is None


async def test_what_is_told_later_of_a_line_is_filled_in(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(world, line("1", "charge", 4900, of=charge))
    await read(world)
    report_of(world)[:] = [line("1", "charge", 4900, 120, of=charge, payout_id="po_1")]
    assert (await read(world)).result["failed"] == 0
    assert (await rows(world))["1"].payout_id == "po_1"
    assert (await moved(world))["fee:sandbox"] == 120


async def test_another_currency_is_kept_and_says_why_it_is_not_booked(world: World) -> None:
    invoice_id = await reported(world)
    charge = await charge_of(world, invoice_id)
    world = settling(world, line("1", "charge", 5300, 120, "USD", of=charge))
    before = await moved(world)
    await read(world)
    assert "in USD, its charge in EUR" in (await rows(world))["1"].not_booked
    assert (await moved(world), await settled(world)) == (before, [0])


async def test_a_line_that_cannot_be_kept_blocks_no_other(world: World) -> None:
    mad = line("", "fee", -1)
    huge = replace(line("2", "fee", -1), amount=Money(-(2**60), "EUR"))
    world = settling(world, mad, huge, line("3", "fee", -20))
    assert (await read(world)).result == {**NOTHING, "listed": 3, "found": 1, "failed": 2}


async def test_a_report_that_does_not_come_is_asked_for_the_same_time_again(world: World) -> None:
    world = settling(world)
    cursor = (await read(world)).cursor
    alone = replace(world, means=replace(world.means, processors={}))
    assert (await read(alone, cursor)).result == NOTHING
    assert (await read(alone, cursor)).cursor == cursor
