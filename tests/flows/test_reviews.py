"""The queue of held drafts: changed, approved by a second person, released, voided, followed."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.flows import drafting as d
from tests.flows import listening
from tests.flows.drafting import ADA, GRACE
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import told as heard
from tests.flows.signing_up import work
from tests.flows.world import SCOPE, World
from twintill.domain.drafting import Item, Verb
from twintill.errors import BadRequest, ConflictError, NotFoundError, StripeRefused
from twintill.flows import operations as operating
from twintill.flows.invoice_payments import payment_for
from twintill.flows.review_notices import announce_reviews
from twintill.store import invoice_actions, operations
from twintill.store import work as work_of
from twintill.store.work import OPERATIONS

EUR_5 = Item("Setup", 500, "EUR")


@pytest.fixture
def telling(world: World) -> World:
    return listening.told(world)


async def held(world: World, make: Callable[[World, str], Awaitable[str]] = d.subscribed) -> str:
    """A draft that Ada holds."""
    invoice_id = await make(world, await world.customer())
    await d.told(world)
    await d.held_by_hand(world, invoice_id)
    return invoice_id


async def refused(doing: Awaitable[Any]) -> str:
    with pytest.raises(ConflictError) as refusal:
        await doing
    return refusal.value.code


async def test_held_approved_by_another_and_released_it_is_collected(telling: World) -> None:
    invoice_id = await held(telling)
    assert await refused(d.do(telling, invoice_id, Verb.RELEASE)) == "not_approved"
    assert await refused(d.approve(telling, invoice_id, ADA)) == "second_person_needed"
    await d.approve(telling, invoice_id, GRACE)
    await d.do(telling, invoice_id, Verb.RELEASE)
    await d.told(telling)
    assert await telling.status(invoice_id) == "paid"
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.approved_by, review.ended_by) == ("released", GRACE, ADA)
    did = [("person:ada", "held"), ("person:grace", "approved"), ("person:ada", "released")]
    assert await d.deeds(telling, invoice_id) == did
    assert [told["state"] for told in await heard(telling, "draft.review_ended")] == ["released"]


async def test_releasing_twice_is_refused_also_at_the_same_time(telling: World) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    operation_id = await d.asked(telling, invoice_id, Verb.RELEASE)
    assert await refused(d.asked(telling, invoice_id, Verb.RELEASE)) == "already_released"
    assert await refused(d.asked(telling, invoice_id, Verb.VOID)) == "review_busy"
    await asyncio.gather(
        *(operating.look(telling.means, SCOPE, operation_id) for _ in range(2)),
    )
    assert await refused(d.do(telling, invoice_id, Verb.RELEASE)) == "already_released"
    assert await refused(d.approve(telling, invoice_id)) == "already_released"
    assert await telling.status(invoice_id) == "open"


async def test_a_change_takes_the_approval_back_and_its_maker_may_not_approve(
    telling: World,
) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id, GRACE)
    await d.do(telling, invoice_id, Verb.CHANGE, GRACE, add=[EUR_5])
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.approved_by, review.total_minor) == ("held", None, 5400)
    assert await refused(d.approve(telling, invoice_id, GRACE)) == "second_person_needed"
    item = next(iter(await telling.means.stripe.items_on(invoice_id)))
    await d.do(telling, invoice_id, Verb.CHANGE, "person:alan", remove=[item])
    assert (await d.queued(telling, invoice_id)).total_minor == 4900
    await d.approve(telling, invoice_id, GRACE)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"add": [Item("x", 500, "USD")]}, "items_refused"),
        ({"add": [Item("x", 5, "EUR")] * 250}, "items_refused"),
        ({"add": [EUR_5], "remove": ["ii_other"]}, "item_not_there"),
    ],
    ids=["another currency", "251 lines", "no such item"],
)
async def test_a_change_that_cannot_be_made_is_not_made_at_all(
    telling: World, change: dict[str, Any], code: str
) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    assert await refused(d.do(telling, invoice_id, Verb.CHANGE, **change)) == code
    assert (await d.draft(telling, invoice_id))["total"] == 4900
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.doing) == ("approved", None)


async def test_a_change_of_nothing_is_refused_and_takes_no_approval_back(telling: World) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    with pytest.raises(BadRequest, match="name what to add or to remove"):
        await d.do(telling, invoice_id, Verb.CHANGE)
    assert (await d.queued(telling, invoice_id)).state == "approved"


async def test_stripes_own_refusal_comes_back_with_its_reason(telling: World) -> None:
    invoice_id = await held(telling)
    with pytest.raises(StripeRefused, match="No such price"):
        await d.do(telling, invoice_id, Verb.CHANGE, add=[Item(price="price_unknown")])
    assert (await d.queued(telling, invoice_id)).doing is None


async def test_what_was_changed_in_stripe_after_the_approval_is_not_released(
    telling: World,
) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    await telling.means.stripe.add_items(invoice_id, [EUR_5], "op_dashboard", "key_1")
    assert await refused(d.do(telling, invoice_id, Verb.RELEASE)) == "changed_since_approval"
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.total_minor) == ("held", 5400)
    assert await telling.status(invoice_id) == "draft"


async def test_a_subscriptions_draft_is_voided_and_never_charged_in_between(
    telling: World,
) -> None:
    """Its `invoice.finalized` comes, and all workers look, while it is open for a moment."""
    invoice_id = await held(telling)
    operation_id = await d.asked(telling, invoice_id, Verb.VOID)
    await telling.break_stripe("/void$", "reset_before", times=3)
    await operating.look(telling.means, SCOPE, operation_id)
    assert await telling.status(invoice_id) == "open"
    events = await stripe_events(telling, "invoice.finalized")
    note = "it was finalized only to be voided"
    assert await deliver(telling, events) == [("ignored", note)]
    opened = await payment_for(telling.means, SCOPE, invoice_id)  # somebody has a cheque in hand
    with pytest.raises(ConflictError, match="just being voided"):
        async with telling.db() as db:
            await opened.within(db)
    await telling.work()
    await telling.advance(timedelta(minutes=1))
    await work(telling)
    assert await telling.status(invoice_id) == "void"
    await d.told(telling)
    assert await telling.charges() == []
    assert (await d.queued(telling, invoice_id)).state == "voided"


async def test_a_one_offs_draft_is_deleted(telling: World) -> None:
    invoice_id = await held(telling, d.one_off)
    await d.do(telling, invoice_id, Verb.VOID)
    assert await telling.means.stripe.read_draft(invoice_id) is None
    await d.told(telling)
    assert (await d.queued(telling, invoice_id)).state == "voided"
    assert await refused(d.do(telling, invoice_id, Verb.VOID)) == "already_voided"


async def test_a_draft_of_nothing_cannot_be_voided_and_says_why(telling: World) -> None:
    invoice_id = await held(telling)
    await d.do(telling, invoice_id, Verb.CHANGE, add=[Item("A gift", -4900, "EUR")])
    assert await refused(d.do(telling, invoice_id, Verb.VOID)) == "nothing_to_void"
    assert (await d.queued(telling, invoice_id)).state == "held"


async def test_what_is_held_or_let_go_in_stripe_is_followed(telling: World) -> None:
    invoice_id = await d.subscribed(telling, await telling.customer())
    await d.told(telling)
    await telling.means.stripe.hold_draft(invoice_id)
    await d.told(telling)
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.held_by, review.round) == ("held", "stripe", 1)
    v1 = telling.means.stripe.client.v1
    await v1.invoices.update_async(invoice_id, {"auto_advance": True})
    await d.told(telling)
    assert (await d.queued(telling, invoice_id)).state == "released_elsewhere"
    await telling.means.stripe.hold_draft(invoice_id)
    await d.told(telling)
    again = await d.queued(telling, invoice_id)
    assert (again.state, again.round, again.ended_by) == ("held", 2, None)


@pytest.mark.parametrize(
    ("how", "state"),
    [("finalize", "finalized_elsewhere"), ("void", "voided_elsewhere"), ("delete", "deleted")],
)
async def test_what_is_ended_in_stripe_leaves_the_queue(
    telling: World, how: str, state: str
) -> None:
    invoice_id = await held(telling, d.one_off)
    v1 = telling.means.stripe.client.v1
    if how == "delete":
        await v1.invoices.delete_async(invoice_id)
    else:
        await v1.invoices.finalize_invoice_async(invoice_id)
    if how == "void":
        await v1.invoices.void_invoice_async(invoice_id)
    types = {"void": "invoice.voided"}.get(how)
    await (d.told(telling, types) if types else d.told(telling))
    review = await d.queued(telling, invoice_id)
    assert (review.state, review.ended_by) == (state, "stripe")
    assert await refused(d.do(telling, invoice_id, Verb.RELEASE)) == "review_ended"
    assert len(await heard(telling, "draft.review_ended")) == 1


async def test_who_finalizes_in_stripe_before_the_event_is_met_by_the_release(
    telling: World,
) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    await telling.means.stripe.finalize(invoice_id, "key_dashboard")
    assert await refused(d.do(telling, invoice_id, Verb.RELEASE)) == "invoice_not_a_draft"
    assert (await d.queued(telling, invoice_id)).state == "finalized_elsewhere"


async def test_what_is_added_to_a_one_off_goes_with_it_and_the_rest_is_named(
    telling: World,
) -> None:
    """What somebody had put on it in Stripe waits for the customer's next invoice."""
    invoice_id = await held(telling, d.one_off)
    await d.do(telling, invoice_id, Verb.CHANGE, add=[EUR_5])
    await d.do(telling, invoice_id, Verb.VOID)
    customer_id = (await d.queued(telling, invoice_id)).customer_id
    waiting, _ = await telling.means.stripe.list_items(customer_id=customer_id, pending=True)
    assert [item.amount_minor for item in waiting] == [4900]
    async with telling.db() as db:
        *_, last = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    assert last.detail == {"wait_for_the_next_invoice": [waiting[0].id]}


async def test_an_operation_that_waits_for_a_person_does_not_keep_it_in_the_queue(
    telling: World,
) -> None:
    invoice_id = await held(telling)
    operation_id = await d.asked(telling, invoice_id, Verb.VOID)
    async with telling.db() as db:
        lease = await work_of.claim(db, OPERATIONS, SCOPE, operation_id)
        assert lease is not None
        await operations.park(db, lease, "somebody has to look")
    await telling.means.stripe.finalize(invoice_id, "key_dashboard")
    await d.told(telling)
    assert (await d.queued(telling, invoice_id)).state == "finalized_elsewhere"


async def test_what_cannot_be_held_is_refused(telling: World) -> None:
    customer_id = await telling.customer()
    finalized = await telling.invoice(customer_id)
    assert await refused(d.held_by_hand(telling, finalized)) == "invoice_not_a_draft"
    with pytest.raises(NotFoundError):
        await d.held_by_hand(telling, "in_unknown")
    invoice_id = await held(telling)
    assert await refused(d.held_by_hand(telling, invoice_id)) == "already_held"


async def test_a_forgotten_one_is_announced_and_in_any_case_before_the_period_ends(
    telling: World,
) -> None:
    await held(telling)
    assert (await announce_reviews(telling.means, SCOPE, {})).result["told"] == 0
    await telling.advance(timedelta(hours=25))
    ran = await announce_reviews(telling.means, SCOPE, {})
    assert (ran.result["told"], ran.result["waiting"]) == (1, 1)
    assert int(ran.result["oldest_s"]) >= 25 * 3600
    assert (await announce_reviews(telling.means, SCOPE, {})).result["told"] == 0
    await telling.advance(timedelta(days=1, minutes=1))
    assert (await announce_reviews(telling.means, SCOPE, {})).result["told"] == 1
    waiting = await heard(telling, "draft.waiting")
    assert [told["told_before"] for told in waiting] == [0, 1]
    assert waiting[0]["period_ends_at"] is not None


async def test_a_released_one_is_announced_no_more(telling: World) -> None:
    invoice_id = await held(telling)
    await d.approve(telling, invoice_id)
    await d.do(telling, invoice_id, Verb.RELEASE)
    await telling.advance(timedelta(days=3))
    ran = await announce_reviews(telling.means, SCOPE, {})
    assert ran.result == {"told": 0, "waiting": 0, "oldest_s": 0}
