"""Customers that move: cancelled by API, switched to Stripe and back, between processors, revoked;
and whose taxes nobody can reckon."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World


def in_the_life_of(world: World, customer_id: str) -> None:
    """Perhaps somebody decides something about this customer, soon or days later."""
