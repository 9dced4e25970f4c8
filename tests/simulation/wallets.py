"""The methods that customers have when a world begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation import cheques, giving_back, leaving

if TYPE_CHECKING:
    from tests.simulation.world import World

MAGIC = (
    *("card_ok",) * 4,
    "card_refund_fails",
    *("card_declines_once",) * 3,
    *("debit_ok", "debit_fails", "debit_fails_late") * 2,
    "card_declined",
    "card_hard_declined",
    "card_expired",
    "card_needs_customer",
)
_IN_A_RUSH = ("card_ok", "card_ok", "card_refund_fails", "debit_ok")


def at_first(world: World) -> Iterator[tuple[str, str | None]]:
    """Of one customer: what each does, and at which processor (None: any)."""
    if world.weather.falls_back:
        yield from _of_a_world_that_falls_back(world)
        return
    for _ in range(world.rng.choice((1, 1, 2))):
        usual = _IN_A_RUSH if world.weather.rush else world.size.magic
        magic = giving_back.magic_of(world) or leaving.magic_of(world) or cheques.magic_of(world)
        yield magic or world.rng.choice(usual), None


def _of_a_world_that_falls_back(world: World) -> Iterator[tuple[str, str]]:
    """The card comes first; then the debit, which has no end for days.

    Asked once more under the same key, the card's processor would take the money.
    """
    names = sorted(world.banks)
    forgets = [name for name in names if not world.banks[name].kind.exact]
    yield "debit_ok", world.rng.choice(names)
    yield "card_declines_once", world.rng.choice(forgets)
