"""An end that is told before the last invoice: the tokens stay until that is collected."""

from datetime import timedelta
from typing import Any

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import work
from tests.flows.world import SCOPE, World
from twintill.domain.payment import State
from twintill.flows import drop_tokens
from twintill.store import methods


async def subscription_ends(world: World, customer_id: str) -> None:
    """As its event asks; the customer has no other one."""
    async with world.db() as db:
        await drop_tokens.ask(db, SCOPE, customer_id)
    await work(world)


async def statuses(world: World, customer_id: str) -> set[str]:
    async with world.db() as db:
        found = await methods.list_of_customer(db, SCOPE, customer_id, removed=True)
    return {method.status for method in found}


async def test_the_last_invoice_is_collected_although_its_event_comes_after_the_end(
    world: World,
) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await subscription_ends(world, customer_id)
    assert await world.status(invoice_id) == "paid"
    assert await statuses(world, customer_id) == {"removed"}
    late = await stripe_events(world, "invoice.finalized")
    assert await deliver(world, late) == [("done", None)]
    await work(world)
    assert len(await world.charges()) == 1


async def test_a_declined_one_keeps_the_method_until_dunning_gives_up(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.invoice(customer_id)
    await subscription_ends(world, customer_id)
    assert (await world.payment(invoice_id)).state is State.WAITING
    assert await statuses(world, customer_id) == {"active"}
    await world.means.stripe.void(invoice_id, key="test")
    await world.advance(timedelta(days=1))
    await work(world)
    assert await statuses(world, customer_id) == {"removed"}


async def test_every_open_invoice_is_found_and_nobody_elses(world: World) -> None:
    customer_id, other_id = await world.customer(), await world.customer()
    others = await world.invoice(other_id)
    invoice_ids = [await world.invoice(customer_id, amount) for amount in (100, 200, 300)]
    await subscription_ends(world, customer_id)
    assert {await world.status(i) for i in invoice_ids} == {"paid"}
    assert await world.status(others) == "open"


async def test_a_draft_that_stripe_will_finalize_is_waited_for(world: World) -> None:
    customer_id = await world.customer()
    draft = await _draft(world, customer_id, auto_advance=True)
    await subscription_ends(world, customer_id)
    assert await statuses(world, customer_id) == {"active"}
    await world.means.stripe.finalize(draft, key="test")
    await subscription_ends(world, customer_id)
    assert await world.status(draft) == "paid"
    assert await statuses(world, customer_id) == {"removed"}


async def test_a_draft_that_nobody_will_finalize_keeps_nothing(world: World) -> None:
    customer_id = await world.customer()
    await _draft(world, customer_id, auto_advance=False)
    await subscription_ends(world, customer_id)
    assert await statuses(world, customer_id) == {"removed"}


async def test_without_stripes_answer_the_tokens_stay(world: World) -> None:
    customer_id = await world.customer()
    await world.invoice(customer_id)
    await world.break_stripe("/v1/invoices$", "reset_before", method="GET", times=9)
    await subscription_ends(world, customer_id)
    assert await statuses(world, customer_id) == {"active"}


async def _draft(world: World, customer_id: str, *, auto_advance: bool) -> str:
    v1 = world.means.stripe.client.v1
    terms: Any = {
        "customer": customer_id,
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "currency": "eur",
        "auto_advance": auto_advance,
    }
    invoice = await v1.invoices.create_async(terms)
    await v1.invoice_items.create_async(
        {"customer": customer_id, "invoice": invoice.id, "amount": 900, "currency": "eur"}
    )
    return str(invoice.id)
