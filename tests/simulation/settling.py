"""In the end each bank's own report is read: then clearing is what the bank owes, to the cent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.simulation.checks_afterwards import left_to_people
from tests.simulation.houses import SCOPE
from twintill.flows.read_settlements import read_settlements

if TYPE_CHECKING:
    from tests.simulation.world import World

_TRIES = 400  # a page each, and some of the requests are lost
_CLEARING = """
    SELECT account, currency, sum(amount_minor)::bigint AS minor FROM postings
    WHERE account LIKE 'processor%clearing' GROUP BY 1, 2"""


async def read_reports(world: World, since_s: float) -> None:
    """From the world's beginning on, until every bank has told all of it."""
    since = datetime.fromtimestamp(since_s, UTC).isoformat()
    cursor: Mapping[str, Any] = {"since": dict.fromkeys(world.banks, since)}
    for _ in range(_TRIES):
        cursor = (await read_settlements(world.office.means, SCOPE, cursor)).cursor
        if "todo" not in cursor:
            if all(value != since for value in cursor["since"].values()):
                return
            await asyncio.sleep(600)
    raise AssertionError("some bank never told its report")


def check(world: World) -> None:
    """Where all that the banks did is known: what waits for a person may not be."""
    if world.restored or left_to_people(world):
        return
    owed: Counter[tuple[str, str]] = Counter()
    for name, bank in world.banks.items():
        for movement in bank.book.book:
            owed[f"processor:acct_{name}:clearing", movement.currency] += movement.amount
    booked = {(r["account"], r["currency"]): r["minor"] for r in world.database.fetch(_CLEARING)}
    for its in owed.keys() | booked.keys():
        if owed[its] != booked.get(its, 0):
            world.trace.blame(f"{its[0]}: the bank owes {owed[its]}, clearing is {booked.get(its)}")
