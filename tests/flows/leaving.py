"""Subscribers who leave: what the tests of endings share."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import finish, sign_up, work
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from twintill.flows import processor_events
from twintill.store import methods
from twintill.store.methods import MethodRow


def with_policy(world: World, **fields: Any) -> World:
    """The same world under another setting."""
    policy = replace(world.means.policy, **fields)
    return replace(world, means=replace(world.means, policy=policy))


async def subscriber(world: World, method: str = "card_ok") -> tuple[str, str]:
    """One paid subscription, collected with this method from now on: (customer, subscription)."""
    shown = await finish(world, await sign_up(world), "card_ok")
    assert shown.checkout is not None
    customer_id = shown.checkout.customer_id
    if method != "card_ok":
        await world.add_method(customer_id, method)
    return customer_id, str(shown.checkout.subscription_id)


async def renew(world: World) -> str:
    """A month later the next invoice is open, known, and looked at: its id."""
    await world.advance(timedelta(days=32))
    await world.advance(timedelta(hours=2))
    events = await stripe_events(world, "invoice.finalized")
    await deliver(world, events)
    await work(world)
    return str(events[-1]["data"]["object"]["id"])


async def hear_of_the_end(world: World) -> None:
    await deliver(world, await stripe_events(world, "customer.subscription.deleted"))
    await work(world)


async def cancel(world: World, subscription_id: str) -> None:
    await world.means.stripe.cancel_subscription(subscription_id)
    await hear_of_the_end(world)


async def methods_of(world: World, customer_id: str) -> list[MethodRow]:
    async with world.db() as db:
        return await methods.list_of_customer(db, SCOPE, customer_id, removed=True)


async def statuses(world: World, customer_id: str) -> set[str]:
    return {method.status for method in await methods_of(world, customer_id)}


async def at_the_processor(world: World, method: MethodRow, what: str) -> None:
    """`revoke_by_customer`, `expire`, `block` or `restore`; nobody hears of it yet."""
    token = methods.open_token(world.means.vault, SCOPE, method)
    answer = await world.processor.post(f"/_sandbox/methods/{token}/{what}")
    assert answer.is_success, answer.text


async def hear_of_the_method(world: World) -> None:
    await hear_of(world, "method.")


async def hear_of(world: World, *what: str) -> None:
    """The processor's events whose type begins so, and what follows from them."""
    await take_in_of(world, *what)
    await work(world)


async def take_in_of(world: World, *what: str) -> None:
    """As its webhooks would bring them; nobody has done anything about it yet."""
    headers = {"authorization": f"Bearer {PROCESSOR_KEY}"}
    listed: httpx.Response = await world.processor.get("/v1/events?limit=100", headers=headers)
    told = [e for e in listed.json()["data"] if e["type"].startswith(what)]
    processor = world.means.processor("sandbox")
    for event in processor.parse_webhook(json.dumps({"events": told}).encode()):
        async with world.db() as db:
            await processor_events.take_in(db, world.means, SCOPE, processor, event)
