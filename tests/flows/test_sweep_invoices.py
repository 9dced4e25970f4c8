"""The daily list of open invoices: what no event told of is collected, or ends, all the same."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from tests.flows.test_catch_up import listings, run
from tests.flows.world import SCOPE, World
from twintill.domain.payment import State
from twintill.flows import sweep_invoices
from twintill.flows.sweep_invoices import Sweep
from twintill.store import clock

NAME = "sweep_invoices"


async def sweep(world: World) -> dict[str, Any]:
    return await run(world, NAME)


async def test_an_open_invoice_without_a_payment_is_collected(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    found = await sweep(world)
    assert (found["listed"], found["opened"], found["reads"]) == (1, 1, 1)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_those_of_others_are_left_alone(world: World) -> None:
    await world.invoice(await world.customer(None))
    stranger = await world.means.stripe.create_customer(None, None, {}, "op", "stranger")
    await world.invoice(stranger)
    found = await sweep(world)
    assert (found["listed"], found["opened"]) == (2, 0)
    assert await world.work() == 0


async def test_what_was_sent_out_before_the_customer_gave_a_method_is_paid_by_wire(
    world: World,
) -> None:
    customer_id = await world.customer(None)
    by_wire = await world.invoice(customer_id)
    await world.advance(timedelta(days=2))
    await world.add_method(customer_id, "card_ok")
    ours = await world.invoice(customer_id)
    assert (await sweep(world))["opened"] == 1
    await world.work()
    assert [await world.status(i) for i in (by_wire, ours)] == ["open", "paid"]


async def test_the_method_may_be_another_one_by_now(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.advance(timedelta(days=2))
    async with world.db() as db:
        removed = "UPDATE payment_methods SET status = 'removed', removed_at = twintill_now(), "
        await db.execute(text(removed + "is_default = false, sealed_token = NULL"))
    assert (await sweep(world))["opened"] == 0
    await world.add_method(customer_id, "card_ok")
    await world.advance(timedelta(days=1))
    assert (await sweep(world))["opened"] == 1
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_a_payment_whose_invoice_is_not_open_any_more_gets_a_look(world: World) -> None:
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id, lane="none")
    await world.work()
    await world.means.stripe.void(invoice_id, key="test")
    assert await world.work() == 0
    assert (await sweep(world))["touched"] == 1
    await world.work()
    assert (await world.payment(invoice_id)).state is State.CANCELED


async def test_what_waits_for_its_own_time_is_not_hurried(world: World) -> None:
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    before = await world.payment(invoice_id)
    found = await sweep(world)
    assert (found["opened"], found["touched"]) == (0, 0)
    assert await world.payment(invoice_id) == before


async def test_it_comes_daily(world: World) -> None:
    await sweep(world)
    invoice_id = await world.invoice(await world.customer())
    await world.advance(timedelta(hours=23))
    assert (await sweep(world))["listed"] == 0
    await world.advance(timedelta(hours=2))
    assert (await sweep(world))["opened"] == 1
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_a_long_list_is_swept_although_what_it_came_to_was_paid_meanwhile(
    world: World,
) -> None:
    invoice_ids = [await world.invoice(await world.customer()) for _ in range(4)]
    async with world.db() as db:
        at = Sweep(began_at=(await clock.now(db) + timedelta(minutes=1)).isoformat())
    for _ in range(20):
        if not at.listing:
            break
        at = await sweep_invoices._list(world.means, SCOPE, at, size=1)
        await world.work()
    assert not at.listing
    for invoice_id in invoice_ids:
        assert await world.status(invoice_id) == "paid"


async def test_a_poisonous_one_blocks_no_other(world: World) -> None:
    invoice_id = await world.invoice(await world.customer())
    page = await world.means.stripe.list_open_invoices(
        (await world.means.stripe.read_invoice(invoice_id)).due_at  # type: ignore[arg-type]
    )
    poison = {**page[0], "id": "in_poison", "currency": 7}
    seen = await sweep_invoices._see(world.means, SCOPE, Sweep(began_at=""), [poison, *page])
    assert (seen.failed, seen.opened) == (1, 1)


async def test_an_invoice_open_there_and_ended_here_is_counted(world: World) -> None:
    customer_id = await world.customer("card_hard_declined")
    invoice_id = await world.collect(customer_id)
    async with world.db() as db:
        await db.execute(text("UPDATE payments SET ended_at = now(), state = 'exhausted'"))
    assert (await sweep(world))["ended_here"] == 1
    assert (await world.payment(invoice_id)).ended


async def test_without_reads_left_it_waits(world: World) -> None:
    world = replace(world, means=replace(world.means, stripe_reads_per_day=0))
    await world.invoice(await world.customer())
    assert (await sweep(world))["listed"] == 0
    assert await listings(world) == 0
