"""What follows on another invoice: made once, of the exact amount, whoever dies on the way."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import HERE, PATIENCE_S, due_operations, telling, told, work
from tests.flows.test_refunds import is_sound
from tests.flows.test_signup_crashes import die_in_it
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.follow_on import FollowOn, FollowOnWhy
from twintill.domain.payment import Payment, Reason, State
from twintill.errors import NotFoundError
from twintill.flows.learn import follow
from twintill.store import operations, parked_operations, payment_pages
from twintill.store.listing import Page

CALLS = ["/v1/invoices$", "/v1/invoiceitems$", "/v1/invoices/[^/]+/finalize$"]
BY_HAND = {
    "amount": 782,
    "tax_behavior": "inclusive",
    "tax_rate_details": {"tax_rate": "txr_1"},
    "taxability_reason": "standard_rated",
    "taxable_amount": 4118,
    "type": "tax_rate_details",
}
NOW, TOMORROW = timedelta(0), timedelta(hours=25)  # Stripe forgets a key after a day
DEATHS = [("timeout_before", NOW), ("timeout_after", NOW), ("timeout_after", TOMORROW)]
REST = FollowOn("note_1", 1900, FollowOnWhy.REST)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


async def order(
    world: World, what: FollowOn = REST, method: str = "card_ok"
) -> tuple[Payment, str]:
    """A reported payment, and the operation that follows on it."""
    invoice_id = await world.collect(await world.customer(method))
    payment = await world.payment(invoice_id)
    async with world.db() as db:
        await follow(db, SCOPE, payment, what)
    (operation_id,) = await due_operations(world)
    return payment, operation_id


async def invoices(world: World, customer_id: str) -> list[Any]:
    """The customer's other invoices in Stripe, with their lines."""
    listed = await world.means.stripe.client.v1.invoices.list_async({"customer": customer_id})
    return [i for i in listed.data if i.metadata and "twintill_op" in i.metadata]


async def following(world: World, payment: Payment) -> Payment:
    """The one payment that continues this one."""
    async with world.db() as db:
        whole = await payment_pages.read_whole(db, SCOPE, payment.id)
    (one,) = whole.follow_ons
    return await world.payment(one.data["new_invoice_id"])


async def test_the_rest_is_invoiced_anew_and_collected(world: World) -> None:
    world = telling(world)
    payment, _ = await order(world)
    await work(world)
    rest = await following(world, payment)
    assert (rest.state, rest.reported_minor, rest.continues) == (State.REPORTED, 1900, payment.id)
    (invoice,) = await invoices(world, payment.customer_id)
    assert (invoice.status, invoice.total, len(invoice.lines.data)) == ("paid", 1900, 1)
    (event,) = await told(world, "payment.followed_on")
    assert (event["id"], event["followed_by"]) == (payment.id, rest.id)


async def test_ordered_twice_for_one_cause_it_is_one_invoice(world: World) -> None:
    payment, _ = await order(world)
    for _ in range(2):
        async with world.db() as db:
            await follow(db, SCOPE, payment, REST)
        await work(world)
    assert len(await invoices(world, payment.customer_id)) == 1


@pytest.mark.parametrize(("kind", "asleep"), DEATHS)
@pytest.mark.parametrize("call", CALLS)
async def test_dead_in_any_call_another_goes_on(
    world: World, call: str, kind: str, asleep: timedelta
) -> None:
    payment, operation_id = await order(world)
    await world.break_stripe(call, kind)
    await die_in_it(world, operation_id)
    await world.advance(asleep)
    await work(world)
    (invoice,) = await invoices(world, payment.customer_id)
    assert (invoice.total, len(invoice.lines.data)) == (1900, 1)
    assert (await following(world, payment)).state is State.REPORTED
    assert len(await world.charges()) == 2
    assert await is_sound(world)


async def test_its_event_that_comes_first_opens_no_other_payment(world: World) -> None:
    payment, operation_id = await order(world)
    await world.break_stripe(CALLS[2], "timeout_after")
    await die_in_it(world, operation_id)
    (invoice,) = await invoices(world, payment.customer_id)
    events = await stripe_events(world, "invoice.finalized")
    await deliver(world, [e for e in events if e["data"]["object"]["id"] == invoice.id])
    await work(world)
    assert (await following(world, payment)).continues == payment.id
    assert len(await world.charges()) == 2


async def test_a_soft_failure_waits_as_a_retry_does(world: World) -> None:
    payment, _ = await order(world)
    async with world.db() as db:
        operation = await operations.read(db, SCOPE, (await due_operations(world))[0])
    at = operation.created_at + timedelta(days=1)
    async with world.db() as db:
        await follow(db, SCOPE, payment, replace(REST, cause="note_2", try_at=at))
    await work(world)
    waiting = [p for p in await _continuing(world, payment) if p.state is State.WAITING]
    assert [(p.reason, p.next_look_at) for p in waiting] == [(Reason.RETRY, at)]
    await world.advance(timedelta(days=1, minutes=1))
    await work(world)
    assert {p.state for p in await _continuing(world, payment)} == {State.REPORTED}


async def test_with_automatic_tax_the_amount_is_gross(world: World) -> None:
    customer_id = await world.customer()
    await world.means.stripe.write_location(customer_id, HERE, None)
    invoice_id = await world.collect(customer_id)
    terms = replace(await world.means.stripe.read_terms(invoice_id), automatic_tax=True)
    new = await world.means.stripe.create_one_off(customer_id, terms, invoice_id, "op_1", "k1")
    await world.means.stripe.add_amount(new, customer_id, 1900, terms, "Rest", ("op_1", "k2"))
    await world.means.stripe.finalize(new, "k3")
    invoice = await world.means.stripe.client.v1.invoices.retrieve_async(new)
    assert (invoice.total, invoice.total_excluding_tax) == (1900, 1597)  # 19 % of it inside
    assert [tax.amount for tax in invoice.total_taxes or ()] == [303]


async def test_tax_rates_that_were_set_by_hand_are_for_a_person(world: World) -> None:
    payment, operation_id = await order(world)
    shown = await world.means.stripe.client.v1.invoices.retrieve_async(payment.invoice_id)
    body = shown.to_dict(for_json=True) | {"total_taxes": [BY_HAND]}
    await world.break_stripe(
        f"/v1/invoices/{payment.invoice_id}$", "status", code=200, body=body, method="GET"
    )
    await work(world)
    async with world.db() as db:
        operation = await operations.read(db, SCOPE, operation_id)
    assert "tax rates that were set by hand" in str(operation.parked_why)
    assert await invoices(world, payment.customer_id) == []


@pytest.mark.parametrize("made_all_the_same", [False, True])
async def test_what_stripe_refused_goes_on_when_a_person_says_so(
    world: World, *, made_all_the_same: bool
) -> None:
    """Stripe keeps the refusal under the key that got it: the next try has the next key."""
    payment, operation_id = await order(world)
    no = {"error": {"type": "invalid_request_error", "message": "Not now."}}
    await world.break_stripe(
        "/v1/invoices$",
        "status",
        code=400,
        body=no,
        method="POST",
        act=made_all_the_same,
        store=True,
    )
    await work(world)
    async with world.db() as db:
        rows, _ = await parked_operations.list_parked(db, SCOPE, Page())
        assert [(r.operation_id, r.parked_why) for r in rows] == [(operation_id, "Not now.")]
        await parked_operations.replay(db, SCOPE, operation_id)
        with pytest.raises(NotFoundError, match=operation_id):
            await parked_operations.replay(db, SCOPE, operation_id)
    await work(world)
    (invoice,) = await invoices(world, payment.customer_id)
    assert (invoice.status, invoice.total) == ("paid", REST.amount_minor)


async def _continuing(world: World, payment: Payment) -> list[Payment]:
    async with world.db() as db:
        whole = await payment_pages.read_whole(db, SCOPE, payment.id)
    return [await world.payment(one.data["new_invoice_id"]) for one in whole.follow_ons]
