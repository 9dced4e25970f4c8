"""A method withdrawn on the customer's side: another one, the customer's word, or the end."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.flows.leaving import (
    at_the_processor,
    hear_of_the_end,
    hear_of_the_method,
    methods_of,
    renew,
    statuses,
    subscriber,
    with_policy,
)
from tests.flows.signing_up import (
    PATIENCE_S,
    choose,
    stripes_customer,
    subscription_status,
    telling,
    told,
    work,
)
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.policy import Revoked, Unanswered
from twintill.flows import operations as flow
from twintill.flows.consequences import REVOKED
from twintill.store import checkouts, methods
from twintill.store.tables import operations as operations_table

_A_FORTNIGHT = timedelta(days=14, hours=1)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield telling(world)


async def withdraw(world: World, customer_id: str, what: str = "revoke_by_customer") -> None:
    """At the processor, and heard of."""
    for method in await methods_of(world, customer_id):
        if method.status == "active":
            await at_the_processor(world, method, what)
    await hear_of_the_method(world)


async def operations_of(world: World) -> list[tuple[str, str]]:
    """(operation, step) of each revocation."""
    c = operations_table.c
    async with world.db() as db:
        found = await db.execute(select(c.operation_id, c.step).where(c.kind == REVOKED))
        return [(row.operation_id, row.step) for row in found]


async def cancels_at_end(world: World, subscription_id: str) -> bool:
    return (await world.means.stripe.read_subscription(subscription_id)).cancels_at_period_end


@pytest.mark.parametrize("what", ["revoke_by_customer", "expire", "block"])
async def test_the_customer_is_asked_and_nothing_is_cancelled_yet(world: World, what: str) -> None:
    customer_id, subscription_id = await subscriber(world)
    await withdraw(world, customer_id, what)
    (asked,) = await told(world, "method.requested")
    assert asked["customer"] == customer_id
    assert asked["checkout_url"].endswith(asked["checkout"])
    assert await statuses(world, customer_id) == {"revoked"}
    assert await subscription_status(world, subscription_id) == "active"
    assert not await cancels_at_end(world, subscription_id)


async def test_a_method_chosen_on_that_page_ends_it(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    await withdraw(world, customer_id)
    (asked,) = await told(world, "method.requested")
    await choose(world, asked["checkout"], "wallet_ok")
    async with world.db() as db:
        its = await checkouts.read(db, SCOPE, asked["checkout"])
    await flow.drive(world.means, SCOPE, its.operation_id)
    await work(world)
    assert [step for _, step in await operations_of(world)] == ["answered"]
    await world.advance(_A_FORTNIGHT)
    await work(world)
    assert not await cancels_at_end(world, subscription_id)
    assert await world.status(await renew(world)) == "paid"


async def test_unanswered_it_is_cancelled_at_the_end_of_what_is_paid(world: World) -> None:
    customer_id, subscription_id = await subscriber(world)
    await withdraw(world, customer_id)
    await world.advance(_A_FORTNIGHT)
    await work(world)
    assert await cancels_at_end(world, subscription_id)
    assert await subscription_status(world, subscription_id) == "active"
    await world.advance(timedelta(days=20))
    await hear_of_the_end(world)
    assert await subscription_status(world, subscription_id) == "canceled"
    assert await statuses(world, customer_id) == {"removed"}


async def test_unanswered_it_may_be_left_to_dunning_by_setting(world: World) -> None:
    world = with_policy(world, revoked_unanswered=Unanswered.NOTHING)
    customer_id, subscription_id = await subscriber(world)
    await withdraw(world, customer_id)
    await world.advance(_A_FORTNIGHT)
    await work(world)
    assert not await cancels_at_end(world, subscription_id)


@pytest.mark.parametrize("how", [Revoked.CANCEL_NOW, Revoked.CANCEL_AT_PERIOD_END])
async def test_by_setting_it_is_cancelled_without_asking(world: World, how: Revoked) -> None:
    world = with_policy(world, revoked=how)
    customer_id, subscription_id = await subscriber(world)
    await withdraw(world, customer_id)
    assert await told(world, "method.requested") == []
    now = how is Revoked.CANCEL_NOW
    assert await subscription_status(world, subscription_id) == ("canceled" if now else "active")
    assert await cancels_at_end(world, subscription_id) is not now
    assert await statuses(world, customer_id) == {"removed" if now else "revoked"}


async def test_an_event_that_is_not_so_any_more_cancels_nothing(world: World) -> None:
    world = with_policy(world, revoked=Revoked.CANCEL_NOW)
    customer_id, subscription_id = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    await at_the_processor(world, method, "block")
    await at_the_processor(world, method, "restore")
    await hear_of_the_method(world)
    await world.advance(timedelta(minutes=11))
    await work(world)
    (method,) = await methods_of(world, customer_id)
    assert (method.status, method.is_default) == ("active", True)
    assert await subscription_status(world, subscription_id) == "active"
    assert await world.status(await renew(world)) == "paid"


async def test_another_stored_method_takes_its_place(world: World) -> None:
    world = with_policy(world, revoked=Revoked.CANCEL_NOW)
    customer_id, subscription_id = await subscriber(world)
    await world.add_method(customer_id, "wallet_ok")
    first = (await methods_of(world, customer_id))[0]
    await at_the_processor(world, first, "revoke_by_customer")
    await hear_of_the_method(world)
    default = (await methods_of(world, customer_id))[0]
    assert (default.kind, default.is_default) == ("card", True)
    metadata = (await stripes_customer(world, customer_id))["metadata"]
    assert metadata["third_party_customer_id"] == default.processor_customer_id
    assert await subscription_status(world, subscription_id) == "active"


async def test_told_again_there_is_one_operation_and_one_page(world: World) -> None:
    customer_id, _ = await subscriber(world)
    await withdraw(world, customer_id)
    await hear_of_the_method(world)
    assert len(await operations_of(world)) == 1
    assert len(await told(world, "method.requested")) == 1


async def test_one_token_in_two_rows_is_one_revocation(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (first,) = await methods_of(world, customer_id)
    token = methods.open_token(world.means.vault, SCOPE, first)
    again = methods.NewMethod(
        setup_session_id="ses_again",
        customer_id=customer_id,
        processor=first.processor,
        processor_account_id=first.processor_account_id,
        processor_customer_id=first.processor_customer_id,
        token=token,
        kind=first.kind,
        display=first.display,
    )
    async with world.db() as db:
        await methods.add(db, world.means.vault, SCOPE, again)
    await at_the_processor(world, first, "revoke_by_customer")
    await hear_of_the_method(world)
    assert await statuses(world, customer_id) == {"revoked"}
    assert len(await operations_of(world)) == 1
    assert len(await told(world, "method.requested")) == 1


async def test_a_decline_that_says_so_is_looked_into_as_well(world: World) -> None:
    world = with_policy(world, revoked=Revoked.CANCEL_NOW)
    customer_id, subscription_id = await subscriber(world)
    (method,) = await methods_of(world, customer_id)
    await at_the_processor(world, method, "revoke_by_customer")
    invoice_id = await renew(world)  # its webhook was lost: the charge is declined
    assert await world.status(invoice_id) == "open"
    assert await subscription_status(world, subscription_id) == "canceled"
