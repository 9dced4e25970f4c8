"""A subscription ends in Stripe: its open invoices follow the setting; tokens go at last."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.leaving import cancel, renew, statuses, subscriber, with_policy
from tests.flows.signing_up import PATIENCE_S, work
from tests.flows.world import World, running_world
from tests.postgres import Database
from twintill.domain.payment import Reason, State
from twintill.domain.policy import AtEnd


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


def at_end(world: World, how: AtEnd) -> World:
    return with_policy(world, open_invoices_at_end=how)


@pytest.mark.parametrize(
    ("how", "there", "state", "reason"),
    [
        (AtEnd.VOID, "void", State.CANCELED, Reason.INVOICE_VOID),
        (AtEnd.MARK_UNCOLLECTIBLE, "uncollectible", State.EXHAUSTED, Reason.UNCOLLECTIBLE),
    ],
)
async def test_an_invoice_that_waits_for_a_retry_is_closed_and_the_tokens_go(
    world: World, how: AtEnd, there: str, state: State, reason: Reason
) -> None:
    world = at_end(world, how)
    customer_id, subscription_id = await subscriber(world, "card_declined")
    invoice_id = await renew(world)
    assert (await world.payment(invoice_id)).reason is Reason.RETRY
    await cancel(world, subscription_id)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason, payment.ended) == (state, reason, True)
    assert await world.status(invoice_id) == there
    assert await statuses(world, customer_id) == {"removed"}


async def test_by_default_it_is_collected_first(world: World) -> None:
    customer_id, subscription_id = await subscriber(world, "card_declines_once")
    invoice_id = await renew(world)
    await cancel(world, subscription_id)
    assert await statuses(world, customer_id) == {"active"}
    await world.advance(timedelta(days=1, hours=1))
    await work(world)
    assert await world.status(invoice_id) == "paid"
    assert await statuses(world, customer_id) == {"removed"}


async def test_a_debit_that_is_out_is_waited_for_and_reported(world: World) -> None:
    world = at_end(world, AtEnd.VOID)
    customer_id, subscription_id = await subscriber(world, "debit_ok")
    invoice_id = await renew(world)
    assert (await world.payment(invoice_id)).state is State.PENDING
    await cancel(world, subscription_id)
    assert await world.status(invoice_id) == "open"
    assert "active" in await statuses(world, customer_id)
    await world.advance(timedelta(days=5))
    await work(world)
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await statuses(world, customer_id) == {"removed"}


async def test_a_debit_that_fails_after_the_end_closes_the_invoice(world: World) -> None:
    world = at_end(world, AtEnd.VOID)
    _, subscription_id = await subscriber(world, "debit_fails")
    invoice_id = await renew(world)
    await cancel(world, subscription_id)
    await world.advance(timedelta(days=5))
    await work(world)
    assert await world.status(invoice_id) == "void"
    assert len((await world.payment(invoice_id)).attempts) == 1


async def test_an_invoice_that_is_heard_of_after_the_end_is_closed_uncharged(world: World) -> None:
    world = at_end(world, AtEnd.VOID)
    _, subscription_id = await subscriber(world)
    await world.advance(timedelta(days=32))
    await world.advance(timedelta(hours=2))
    charged = len(await world.charges())
    await cancel(world, subscription_id)
    late = await stripe_events(world, "invoice.finalized")
    await deliver(world, late)
    await work(world)
    assert await world.status(str(late[-1]["data"]["object"]["id"])) == "void"
    assert len(await world.charges()) == charged


async def test_a_deleted_customers_open_invoice_follows_the_setting_too(world: World) -> None:
    world = at_end(world, AtEnd.VOID)
    customer_id, _ = await subscriber(world, "card_declined")
    invoice_id = await renew(world)
    await world.means.stripe.client.v1.customers.delete_async(customer_id)
    await deliver(world, await stripe_events(world, "customer.deleted"))
    await work(world)
    assert await world.status(invoice_id) == "void"
    assert await statuses(world, customer_id) == {"removed"}


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
async def test_closing_survives_a_lost_answer(world: World, kind: str) -> None:
    world = at_end(world, AtEnd.VOID)
    _, subscription_id = await subscriber(world, "card_declined")
    invoice_id = await renew(world)
    await world.break_stripe("/v1/invoices/[^/]+/void", kind, times=3)
    await cancel(world, subscription_id)
    await world.advance(timedelta(minutes=5))
    await work(world)
    assert (await world.payment(invoice_id)).reason is Reason.INVOICE_VOID
    assert await world.status(invoice_id) == "void"
