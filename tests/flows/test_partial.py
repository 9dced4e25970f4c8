"""A partial payment through both real books: credit note, report, a new invoice for the rest."""

from datetime import timedelta

import pytest

from tests.flows.test_refunds import is_sound
from tests.flows.world import SCOPE, World
from twintill.domain.money_back import NoteFor
from twintill.domain.payment import State
from twintill.flows import operations
from twintill.store.tables import operations as operations_table

LATER = timedelta(minutes=1)


async def follow(world: World) -> None:
    """The worker's looks at operations that are due, and at the payments that they open."""
    async with world.db() as db:
        due = (await db.execute(operations_table.select())).all()
    for row in due:
        if row.kind == "follow_on":
            await operations.look(world.means, SCOPE, row.operation_id)
    await world.work()


async def rest_of(world: World, invoice_id: str) -> str:
    """The invoice that was made for the rest."""
    async with world.db() as db:
        rows = (await db.execute(operations_table.select())).all()
    (data,) = [r.data for r in rows if r.kind == "follow_on" and r.data["invoice_id"] == invoice_id]
    return str(data["new_invoice_id"])


async def test_the_rest_is_credited_then_the_part_reported_then_the_rest_collected(
    world: World,
) -> None:
    invoice_id = await world.collect(await world.customer("card_partial"))
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 3000)
    assert [(n.purpose, n.amount_minor) for n in payment.notes] == [(NoteFor.REST, 1900)]
    assert await world.status(invoice_id) == "paid"
    await follow(world)
    rest = await world.payment(await rest_of(world, invoice_id))
    assert (rest.state, rest.reported_minor, rest.continues) == (State.REPORTED, 1900, payment.id)
    assert sorted(c["amount"] for c in await world.charges()) == [1900, 3000]
    assert (await world.balances())["stripe:reported"] == -4900
    assert await is_sound(world)


@pytest.mark.parametrize("fault", ["reset_after", "reset_before"])
async def test_its_credit_note_is_made_once_whatever_becomes_of_the_answer(
    world: World, fault: str
) -> None:
    await world.break_stripe("/v1/credit_notes$", fault, times=3, method="POST")
    invoice_id = await world.collect(await world.customer("card_partial"))
    await world.advance(LATER)
    await world.work()
    listed = await world.means.stripe.list_credit_notes(invoice_id)
    assert [(n.amount_minor, n.out_of_band_minor) for n in listed] == [(1900, 0)]
    assert (await world.payment(invoice_id)).reported_minor == 3000
    await follow(world)
    assert (await world.payment(await rest_of(world, invoice_id))).reported_minor == 1900
    assert await is_sound(world)
