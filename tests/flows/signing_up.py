"""A customer who signs up: what the user's app asks for, and what a person does on the pages."""

from dataclasses import replace
from typing import Any

import httpx
from sqlalchemy import or_, select

from tests.flows.world import SCOPE, World
from twintill.flows import operations as flow
from twintill.flows import setups, signup
from twintill.flows.means import Means
from twintill.flows.signup import Signup, SignupRequest
from twintill.ids import new_id
from twintill.store import checkouts, operations
from twintill.store.checkouts import Checkout
from twintill.store.clock import NOW, WALL
from twintill.store.tables import operations as operations_table
from twintill.store.tables import outgoing_events

HERE = {"country": "DE", "postal_code": "10115"}


# Nobody's answer is lost on purpose here, so a busy machine gets its time.
PATIENCE_S = 20.0


async def price(world: World, amount_minor: int = 4900, currency: str = "eur") -> str:
    """A monthly price in Stripe."""
    created = await world.means.stripe.client.v1.prices.create_async(
        {
            "currency": currency,
            "unit_amount": amount_minor,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Plan"},
        }
    )
    return str(created.id)


async def ask(world: World, **asked: Any) -> SignupRequest:
    request = SignupRequest(
        items=((await price(world), 1),),
        success_url="https://app.example/welcome",
        cancel_url="https://app.example/pricing",
        processor="sandbox",
        email="ada@example.com",
    )
    return replace(request, **asked)


async def sign_up(world: World, signup_id: str | None = None, **asked: Any) -> str:
    """As the door does it; the sign-up's id."""
    signup_id = signup_id or new_id("sgn")
    await signup.begin(world.means, SCOPE, signup_id, await ask(world, **asked))
    await flow.drive(world.means, SCOPE, signup_id)
    return signup_id


async def show(world: World, signup_id: str) -> Signup:
    async with world.db() as db:
        return await signup.show(db, SCOPE, await operations.read(db, SCOPE, signup_id))


async def its_checkout(world: World, signup_id: str) -> Checkout:
    shown = await show(world, signup_id)
    assert shown.checkout is not None
    return shown.checkout


async def choose(world: World, checkout_id: str, method: str = "card_ok") -> str:
    """Go to the processor's page and choose; the customer is not back yet."""
    url = await setups.start(world.means, SCOPE, checkout_id)
    assert url is not None
    async with httpx.AsyncClient() as browser:
        answer = await browser.post(url, data={"method": method})
    assert answer.status_code == 303
    return answer.headers["location"]


async def come_back(world: World, signup_id: str) -> None:
    await flow.drive(world.means, SCOPE, signup_id)


async def finish(world: World, signup_id: str, method: str = "card_ok") -> Signup:
    """Choose, come back, and let the worker do the rest."""
    await choose(world, (await its_checkout(world, signup_id)).id, method)
    await come_back(world, signup_id)
    await work(world)
    return await show(world, signup_id)


async def work(world: World, limit: int = 40) -> None:
    """Workers look at payments and operations until nothing is due."""
    for _ in range(limit):
        looked = await world.work()
        due = await due_operations(world)
        for operation_id in due:
            await flow.look(world.means, SCOPE, operation_id)
        if not looked and not due:
            return
    raise AssertionError("the operations never come to rest")


async def due_operations(world: World) -> list[str]:
    c = operations_table.c
    async with world.db() as db:
        found = await db.execute(
            select(c.operation_id).where(
                c.next_look_at <= NOW,
                c.ended_at.is_(None),
                c.parked_at.is_(None),
                or_(c.lease_until.is_(None), c.lease_until < WALL),
            )
        )
        return list(found.scalars())


def telling(world: World) -> World:
    """The same world, in which the user's app wants to be told."""
    return replace(world, means=replace(world.means, tells_app=True))


async def told(world: World, event_type: str) -> list[dict[str, Any]]:
    async with world.db() as db:
        found = await db.execute(
            select(outgoing_events.c.payload).where(outgoing_events.c.type == event_type)
        )
        return list(found.scalars())


async def stripes_customer(world: World, customer_id: str) -> dict[str, Any]:
    customer = await world.means.stripe.client.v1.customers.retrieve_async(customer_id)
    shown: dict[str, Any] = customer.to_dict(for_json=True)
    return shown


async def subscription_status(world: World, subscription_id: str | None) -> str:
    return (await world.means.stripe.read_subscription(str(subscription_id))).status


def after(means: Means) -> Any:
    """When a checkout has expired for certain."""
    return means.checkout_expires_after * 1.01


async def is_open(world: World, checkout_id: str) -> bool:
    async with world.db() as db:
        return (await checkouts.read(db, SCOPE, checkout_id)).state == "open"
