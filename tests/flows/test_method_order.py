"""Several stored methods: the default, what follows it, what expires, and what a new one is for."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.flows.leaving import methods_of, renew, subscriber
from tests.flows.signing_up import (
    PATIENCE_S,
    choose,
    stripes_customer,
    telling,
    told,
    work,
)
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.payment import State
from twintill.errors import BadRequest, NotFoundError
from twintill.flows import expiring, methods
from twintill.flows import operations as flow
from twintill.flows.methods import ReplaceRequest
from twintill.ids import new_id
from twintill.store import checkouts
from twintill.store.checkouts import Checkout


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield telling(world)


async def replace(world: World, customer_id: str, **asked: Any) -> Checkout:
    here = "https://app.example/"
    request = ReplaceRequest(customer_id, "sandbox", here, here, **asked)
    return await methods.replace(world.means, SCOPE, new_id("op"), request)


async def come_back(world: World, its: Checkout, method: str) -> None:
    await choose(world, its.id, method)
    await flow.drive(world.means, SCOPE, its.operation_id)
    await work(world)


async def order(world: World, customer_id: str, *method_ids: str) -> None:
    async with world.db() as db:
        await methods.order(db, SCOPE, customer_id, list(method_ids))
    await work(world)


async def test_what_follows_the_default_is_tried_in_the_given_order(world: World) -> None:
    customer_id, _ = await subscriber(world)
    good = (await methods_of(world, customer_id))[0].id
    wallet = await world.add_method(customer_id, "wallet_ok")
    blocked = await world.add_method(customer_id, "card_hard_declined")
    await order(world, customer_id, blocked, good, wallet)
    assert [m.id for m in await methods_of(world, customer_id)] == [blocked, good, wallet]
    payment = await world.payment(await renew(world))
    assert [a.method_id for a in payment.attempts] == [blocked, good]
    metadata = (await stripes_customer(world, customer_id))["metadata"]
    shown = (await methods_of(world, customer_id))[0].processor_customer_id
    assert metadata["third_party_customer_id"] == shown


async def test_an_order_names_each_active_method_once_and_nobody_elses(world: World) -> None:
    customer_id, _ = await subscriber(world)
    (only,) = await methods_of(world, customer_id)
    others = await world.customer()
    foreign = (await methods_of(world, others))[0].id
    for wrong in ([only.id, only.id], []):
        with pytest.raises(BadRequest) as refused:
            await order(world, customer_id, *wrong)
        assert refused.value.code == "order_incomplete"
    with pytest.raises(NotFoundError):
        await order(world, customer_id, only.id, foreign)


async def test_a_new_method_is_charged_for_what_is_due_and_the_page_says_so(world: World) -> None:
    customer_id, _ = await subscriber(world, "card_hard_declined")
    (first, second) = await methods_of(world, customer_id)
    await order(world, customer_id, first.id, second.id)
    for method in (first, second):
        if method.kind == "card" and method.display["last4"] == "4242":
            await methods.remove(world.means, SCOPE, customer_id, method.id, force=True)
    await work(world)
    invoice_id = await renew(world)
    assert (await world.payment(invoice_id)).state is State.EXHAUSTED
    without = await replace(world, customer_id, charges_due=False)
    with_charge = await replace(world, customer_id, keeps_others=True)
    async with world.db() as db:
        assert await checkouts.due(db, SCOPE, without) == []
        (due,) = await checkouts.due(db, SCOPE, with_charge)
    assert (due.invoice_id, due.amount_minor) == (invoice_id, 4900)
    await come_back(world, with_charge, "wallet_ok")
    assert await world.status(invoice_id) == "paid"
    assert len([m for m in await methods_of(world, customer_id) if m.status == "active"]) == 2


async def test_stored_without_a_charge_it_waits_for_what_comes(world: World) -> None:
    customer_id, _ = await subscriber(world, "card_declined")
    invoice_id = await renew(world)
    await come_back(world, await replace(world, customer_id, charges_due=False), "wallet_ok")
    assert await world.status(invoice_id) == "open"
    await world.advance(timedelta(days=1, hours=1))
    await work(world)
    assert await world.status(invoice_id) == "paid"


async def test_an_expiring_default_of_a_live_subscription_is_told_once(world: World) -> None:
    customer_id, _ = await subscriber(world, "card_expired")
    await world.customer("card_expired")  # no subscription: nobody needs it
    for _ in range(2):
        await expiring.tell_expiring(world.means, SCOPE, {})
    (event,) = await told(world, "method.expiring")
    assert (event["customer"], event["expires"]) == (customer_id, "2024-01")
