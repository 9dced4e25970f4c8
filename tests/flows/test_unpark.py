"""What a person put back to work goes on where it was, and its history says who did it."""

from sqlalchemy import select

from tests.flows.world import SCOPE, World
from twintill.domain.facts import LookGaveUp, Unparked
from twintill.domain.payment import State
from twintill.flows.learn import learn
from twintill.ids import payment_id
from twintill.store.tables import payment_history


async def test_a_parked_payment_is_left_alone_until_it_is_put_back(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    its_id = payment_id(SCOPE, invoice_id)
    await learn(world.means, SCOPE, its_id, LookGaveUp("a bug of ours"))
    assert await world.work() == 0
    await learn(world.means, SCOPE, its_id, Unparked("mended"), actor="person:ada")
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    async with world.db() as db:
        c = payment_history.c
        said = await db.execute(select(c.detail, c.actor).where(c.fact == "Unparked"))
        row = said.one()
    assert (row.detail["why"], row.actor) == ("mended", "person:ada")
