"""A subscription cancelled while its customer is at the checkout: nothing is left to pay."""

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import come_back, its_checkout, price, sign_up, work
from tests.flows.world import World
from twintill.domain.payment import State


async def test_the_checkout_closes_and_nothing_can_be_charged(world: World) -> None:
    signup_id = await sign_up(world)
    before = await its_checkout(world, signup_id)
    await world.means.stripe.cancel_subscription(str(before.subscription_id))
    await deliver(world, await stripe_events(world, "customer.subscription.deleted"))
    await work(world)
    assert (await its_checkout(world, signup_id)).state == "expired"
    assert (await world.payment(str(before.invoice_id))).state is State.CANCELED
    assert await world.status(str(before.invoice_id)) == "void"


async def test_another_subscriptions_end_leaves_it_open(world: World) -> None:
    signup_id = await sign_up(world)
    customer_id = str((await its_checkout(world, signup_id)).customer_id)
    other = await world.means.stripe.create_subscription(
        customer_id, [(await price(world), 1)], 30, {}, "op_other", "key_other"
    )
    await world.means.stripe.cancel_subscription(other.id)
    await deliver(world, await stripe_events(world, "customer.subscription.deleted"))
    await come_back(world, signup_id)
    assert (await its_checkout(world, signup_id)).state == "open"
