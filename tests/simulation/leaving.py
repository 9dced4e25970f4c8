"""Ends that customers who move seldom come to by themselves: every method is withdrawn while the
subscription lives; or Stripe cannot charge an invoice either, and it comes back.

What is random here is drawn from `World.apart`: other worlds stay as they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation import crossing, moving
from tests.simulation.crossing import Asking
from tests.simulation.houses import SCOPE
from tests.simulation.invoice import subscription_of
from twintill.domain.switching import OpenInvoices, To
from twintill.flows.switches import SwitchRequest
from twintill.store import methods

if TYPE_CHECKING:
    from tests.simulation.world import World

_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0
_STILL_OWED = ("card_declined", "card_declined", "card_declines_once")


def in_the_life_of(world: World, customer_id: str) -> None:
    """Perhaps he comes to such an end."""
    lost, back = world.weather.withdrawals, world.weather.returns
    if lost and world.apart.random() < lost:
        world.deed(_lose_every_method(world, customer_id))
    if back and world.apart.random() < back:
        world.deed(_go_to_stripe_in_vain(world, customer_id))


def magic_of(world: World) -> str | None:
    """Mostly one that leaves an invoice to be handed over. None: any method."""
    if world.weather.returns and world.apart.random() < 0.8:
        return world.apart.choice(_STILL_OWED)
    return None


async def _lose_every_method(world: World, customer_id: str) -> None:
    """By himself at the processor, or by his bank, for good; one after the other."""
    rng, means = world.apart, world.office.means
    await moving.sign_up(world, customer_id)
    await asyncio.sleep(rng.choice((_MINUTE_S, _HOUR_S, 2 * _DAY_S)) * rng.random())
    with Asking(world):
        async with means.database.connect() as db:
            stored = await methods.list_of_customer(db, SCOPE, customer_id)
        for method in [one for one in stored if one.sealed_token is not None]:
            bank, token = (
                world.banks[method.processor],
                methods.open_token(means.vault, SCOPE, method),
            )
            how = rng.choice(("revoked", "revoked", "expired", "blocked"))
            world.withdrawn[token] = customer_id
            world.trace.say("bank", f"{how} at {bank.kind.name}: a method of {customer_id}")
            if how == "revoked":
                bank.revoke(token)
            else:
                bank.withdraw(token, how)
            await asyncio.sleep(rng.choice((0.0, 1.0, _HOUR_S)) * rng.random())


async def _go_to_stripe_in_vain(world: World, customer_id: str) -> None:
    """A switch that leaves the open invoice to Stripe, with a method that is declined there."""
    rng = world.apart
    await moving.sign_up(world, customer_id)
    await asyncio.sleep(_HOUR_S + rng.choice((_HOUR_S, _DAY_S)) * rng.random())
    method_id = world.stripe.keep_method(
        customer_id, rng.choice(("declines", "declines", "returned"))
    )
    choice = OpenInvoices.CHARGE_AT_STRIPE
    request = SwitchRequest(subscription_of(customer_id), To.STRIPE, choice, method_id)
    await crossing.ask(world, f"swi_{customer_id}_{next(world.asked)}", request)
