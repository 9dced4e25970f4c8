"""Money that goes back after Stripe was told of it: refunds, credit notes, disputes, partial
approvals; by people at Twintill's doors, in Stripe's Dashboard and at the processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.invoice import Invoice

if TYPE_CHECKING:
    from tests.simulation.world import World


def in_the_life_of(world: World, invoice: Invoice) -> None:
    """Perhaps some of it is given back, soon or days later."""
