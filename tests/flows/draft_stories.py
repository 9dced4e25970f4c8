"""The operations of drafts, as stories: what a rule does in the window, and what a person does."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.flows import drafting as d
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import told as heard
from tests.flows.signing_up import work
from tests.flows.world import SCOPE, World
from twintill.domain.drafting import Item, Then, Verb
from twintill.flows import reviews
from twintill.ids import derived_id, new_id
from twintill.store.operations import Operation

EUR_5 = Item("Setup", 500, "EUR")


def judged(then: Then) -> Callable[[World], Awaitable[str]]:
    """A rule that adds 5 EUR, and a draft whose event was just taken in."""

    async def begin(world: World) -> str:
        customer_id = await world.customer()
        await d.rule(world, then=then, currency="EUR", items=(EUR_5,))
        invoice_id = await d.subscribed(world, customer_id)
        await deliver(world, await stripe_events(world, "invoice.created"))
        return derived_id("dwn", SCOPE, invoice_id)

    return begin


async def added_once(world: World, ended: Operation) -> None:
    invoice_id = ended.data["invoice_id"]
    assert (await d.draft(world, invoice_id))["total"] == 5400
    did = [what for _, what in await d.deeds(world, invoice_id)]
    if ended.data["then"] == Then.FINALIZE:
        assert did == ["items_added", "finalized"]
        assert await world.status(invoice_id) == "open"
    else:
        assert did == ["items_added", "held"]
        assert (await d.queued(world, invoice_id)).doing is None
        assert len(await heard(world, "draft.held")) == 1


async def hold_by_hand(world: World) -> str:
    invoice_id = await d.subscribed(world, await world.customer())
    await deliver(world, await stripe_events(world, "invoice.created"))
    operation_id = new_id("dee")
    await reviews.hold(world.means, SCOPE, operation_id, invoice_id, by=d.ADA, why="let me look")
    return operation_id


async def is_held(world: World, ended: Operation) -> None:
    invoice_id = ended.data["invoice_id"]
    assert (await d.draft(world, invoice_id))["auto_advance"] is False
    assert (await d.queued(world, invoice_id)).state == "held"


def asked(verb: Verb, **more: Any) -> Callable[[World], Awaitable[str]]:
    async def begin(world: World) -> str:
        invoice_id = await d.subscribed(world, await world.customer())
        await deliver(world, await stripe_events(world, "invoice.created"))
        await d.held_by_hand(world, invoice_id)
        await d.approve(world, invoice_id)
        if verb is Verb.CHANGE:
            await d.do(world, invoice_id, verb, add=[Item("Old", 100, "EUR")])
            more["remove"] = sorted(await world.means.stripe.items_on(invoice_id))
        return await d.asked(world, invoice_id, verb, **more)

    return begin


async def released_once(world: World, ended: Operation) -> None:
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await work(world)
    assert await world.status(ended.data["invoice_id"]) == "paid"
    assert len(await world.charges()) == 1
    assert len(await heard(world, "draft.review_ended")) == 1


async def voided_uncharged(world: World, ended: Operation) -> None:
    await deliver(world, await stripe_events(world, "invoice.finalized", "invoice.voided"))
    await work(world)
    assert await world.status(ended.data["invoice_id"]) == "void"
    assert await world.charges() == []


async def changed_once(world: World, ended: Operation) -> None:
    invoice_id = ended.data["invoice_id"]
    assert (await d.draft(world, invoice_id))["total"] == 5400
    review = await d.queued(world, invoice_id)
    assert (review.state, review.total_minor, review.doing) == ("held", 5400, None)


async def held_in_stripe(world: World) -> str:
    invoice_id = await d.subscribed(world, await world.customer())
    await world.means.stripe.hold_draft(invoice_id)
    await deliver(world, await stripe_events(world, "invoice.updated"))
    return derived_id("dfl", SCOPE, invoice_id)
