"""What overtakes what: an end the last invoice before it, an event the answer to our look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.invoice import Invoice
from twintill.domain.invoice import InvoiceStatus

if TYPE_CHECKING:
    from tests.simulation.world import World

_LATE_S = 6.0  # the answer still comes in time


def is_the_last(world: World, invoice: Invoice) -> bool:
    """Whether it is; Stripe tells of it only when we have acted on the end."""
    share = world.weather.farewells
    if not share or world.rng.random() >= share:
        return False
    late_s = world.rng.choice((120.0, 3600.0, 6 * 3600.0))
    world.letters.held_until_s[invoice.id] = world.loop.time() + late_s
    world.deed(_end(world, invoice.customer_id, world.rng.random()))
    return True


def while_it_is_looked_at(world: World, invoice: Invoice) -> None:
    """Perhaps it is voided, and an event tells of that before the look is answered: as it was."""
    if not world.weather.overtaken or invoice.status is not InvoiceStatus.OPEN:
        return
    if world.network.stormy(world.weather.overtaken):
        world.network.linger_s = _LATE_S
        world.deed(_close(world, invoice))


async def _end(world: World, customer_id: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    world.trace.say("customer", f"{customer_id} ends the subscription, after the last invoice")
    world.stripe.end_subscription(customer_id)


async def _close(world: World, invoice: Invoice) -> None:
    world.trace.say("merchant", f"voids {invoice.id} while we look")
    world.letters.hurry = True
    world.stripe.close(invoice, InvoiceStatus.VOID)
    world.letters.hurry = False
