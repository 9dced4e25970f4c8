"""After a restore: what Stripe was told of money by hand is recognised, or a person is called."""

from tests.flows.test_by_hand import cheque, open_invoice
from tests.flows.test_recover import run
from tests.flows.test_verify import broken
from tests.flows.world import World
from tests.flows.yesterday import backup
from tests.postgres import Database
from twintill.domain.payment import State


async def test_a_cheque_that_the_lost_time_reported_is_reported(
    world: World, database: Database
) -> None:
    invoice_id = await open_invoice(world)
    await cheque(world, invoice_id)
    async with backup(database.admin_url) as yesterday:
        await world.work()
        assert await world.status(invoice_id) == "paid"
        await yesterday.restore()
        await run(world)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.parked_why) == (State.REPORTED, None)
    assert await broken(world) == set()


async def test_of_one_that_only_the_lost_database_knew_a_person_is_told(
    world: World, database: Database
) -> None:
    invoice_id = await open_invoice(world, "card_declines_once")
    async with backup(database.admin_url) as yesterday:
        await cheque(world, invoice_id)
        await world.work()
        assert await world.status(invoice_id) == "paid"
        await yesterday.restore()
        findings = await run(world)
    assert "money by hand (4900 EUR)" in findings[0].said
    payment = await world.payment(invoice_id)
    assert "only the lost database knew" in str(payment.parked_why)
    assert await broken(world) == set()
