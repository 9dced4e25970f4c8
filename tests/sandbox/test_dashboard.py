"""A person in Stripe's Dashboard can do what Stripe's calls can, and leaves no key behind."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.stripe_world import StripeWorld, stripe_world
from twintill.sandbox.dashboard import Dashboard, RefusedInDashboard


@pytest.fixture
async def world() -> AsyncIterator[StripeWorld]:
    async with stripe_world() as world:
        yield world


async def test_everything_that_can_be_done_to_an_invoice(world: StripeWorld) -> None:
    person = Dashboard(world.admin)
    draft = (await world.subscribe()).latest_invoice
    assert (await person.hold(draft.id))["auto_advance"] is False
    item = await person.add_item(draft.customer, -900, invoice=draft.id)
    await person.remove_item((await person.add_item(draft.customer, 50, invoice=draft.id))["id"])
    half = await person.create_coupon(percent_off=50)
    await person.edit_draft(draft.id, discounts=[{"coupon": half}], due_date=world.now + 99)
    assert (await person.let_advance(draft.id))["total"] == 2450 - 900
    assert (await person.finalize(draft.id))["due_date"] == world.now + 99
    await person.credit(draft.id, 50)
    assert (await person.mark_paid(draft.id))["amount_paid"] == 1500
    for verb in (person.mark_uncollectible, person.void):
        opened = await world.open_invoice()
        assert (await verb(opened.id))["status"] in ("void", "uncollectible")
    made = await world.v1.invoices.create_async({"customer": draft.customer})
    assert (await person.delete_draft(made.id))["deleted"]
    with pytest.raises(RefusedInDashboard, match="items can no longer be changed"):
        await person.remove_item(item["id"])


async def test_nothing_tells_who_it_was(world: StripeWorld) -> None:
    opened = await world.open_invoice()
    await Dashboard(world.admin).mark_paid(opened.id)
    paid = next(e for e in await world.events() if e["type"] == "invoice.paid")
    assert paid["request"]["id"]
    assert paid["request"]["idempotency_key"] is None
