"""News that are no payment's own are told once: an ended subscription, a withdrawn method."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from tests.flows import signing_up
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import told
from tests.flows.world import PROCESSOR_ACCOUNT, SCOPE, World
from twintill.domain.event_types import CATALOGUE
from twintill.flows import processor_events
from twintill.processors import EventKind, ProcessorEvent
from twintill.store import methods
from twintill.store.tables import outgoing_events


@pytest.fixture
def world(world: World) -> World:
    return signing_up.telling(world)


async def types(world: World, object_id: str) -> list[str]:
    async with world.db() as db:
        c = outgoing_events.c
        found = select(c.type).where(c.object_id == object_id).order_by(c.created_at, c.type)
        return list((await db.execute(found)).scalars())


async def test_a_decline_that_is_tried_again_is_dunning_and_the_last_one_is_not(
    world: World,
) -> None:
    soft = await world.collect(await world.customer("card_declined"))
    hard = await world.collect(await world.customer("card_hard_declined"))
    assert await types(world, (await world.payment(soft)).id) == [
        "payment.declined",
        "payment.in_dunning",
    ]
    assert await types(world, (await world.payment(hard)).id) == [
        "payment.declined",
        "payment.exhausted",
    ]
    (event,) = await told(world, "payment.in_dunning")
    assert event["next_look_at"]
    assert set(event) == set(CATALOGUE["payment.in_dunning"].example)


async def test_a_revoked_method_is_told_once(world: World) -> None:
    customer_id = await world.customer()
    async with world.db() as db:
        (method,) = await methods.list_of_customer(db, SCOPE, customer_id)
        token = methods.open_token(world.means.vault, SCOPE, method)
    processor = world.means.processor("sandbox", PROCESSOR_ACCOUNT)
    event = ProcessorEvent(EventKind.METHOD_REVOKED, "", "method.revoked", token=token)
    for n in (1, 2):
        async with world.db() as db:
            its = replace(event, dedupe_key=f"evt_{n}")
            await processor_events.take_in(db, world.means, SCOPE, processor, its)
    (data,) = await told(world, "method.revoked")
    assert (data["id"], data["customer"]) == (method.id, customer_id)
    assert set(data) == set(CATALOGUE["method.revoked"].example)
    assert token not in str(data)


async def test_the_end_of_a_subscription_is_told_once(world: World) -> None:
    shown = await signing_up.finish(world, await signing_up.sign_up(world))
    assert shown.checkout is not None
    subscription_id = str(shown.checkout.subscription_id)
    await world.means.stripe.cancel_subscription(subscription_id)
    for _ in range(2):
        await deliver(world, await stripe_events(world, "customer.subscription.deleted"))
    for event_type in ("subscription.canceled", "access.withdrawn"):
        (data,) = await told(world, event_type)
        its = {"id": subscription_id, "customer": shown.checkout.customer_id}
        assert data == {**CATALOGUE[event_type].example, **its}
