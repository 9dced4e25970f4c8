"""How long charges were in doubt: from the first missing answer to the first definite one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World

SOON_S = 120.0
_UNKNOWN = ("NoAnswer", "NotSent")


@dataclass(frozen=True)
class Doubt:
    """`disturbed`: meanwhile a process of ours died, stood still, or lost its connections."""

    seconds: float
    disturbed: bool


def closed_after(world: World, processor: str = "exact") -> list[Doubt]:
    """How long it lasted, for every charge whose processor and Stripe answered after that.

    Of the processor that gives definite answers: another one cannot say before it knows itself. Not
    while charging through it is paused: what never arrived is not sent again then. A charge that
    was never closed counts as endless.
    """
    if processor not in world.banks:
        return []
    attempts = world.database.fetch(
        "SELECT attempt_id, payment_id, reference, first_sent_at FROM attempts "
        "WHERE kind = 'charge' AND processor = $1",
        processor,
    )
    found = [_of(world, processor, attempt) for attempt in attempts]
    return [doubt for doubt in found if doubt is not None]


def _of(world: World, processor: str, attempt: Any) -> Doubt | None:
    facts = world.database.fetch(
        "SELECT at, fact, detail FROM payment_history WHERE payment_id = $1 "
        "AND fact IN ('Answered', 'AttemptFound') ORDER BY seq",
        attempt["payment_id"],
    )
    if any(f["fact"] == "AttemptFound" for f in facts):
        return None  # the database that was in doubt is gone
    told = [(f["at"].timestamp(), json.loads(f["detail"])) for f in facts]
    told = [(at, fact) for at, fact in told if fact["attempt_id"] == attempt["attempt_id"]]
    definite = [(at, fact) for at, fact in told if fact["outcome"]["is"] not in _UNKNOWN]
    first = told[0][1] if told else None
    if first is not None and first["via"] == "first" and first["outcome"]["is"] != "NoAnswer":
        return None
    unknown = [at for at, fact in told if fact["outcome"]["is"] == "NoAnswer"]
    since = min(unknown, default=attempt["first_sent_at"].timestamp())
    until = definite[0][0] if definite else world.loop.time()
    if until <= since:
        return None  # a webhook was faster than the missing answer
    silent = (*world.banks[processor].unanswered, *world.stripe.unanswered)
    if any(since < at <= until for at in silent) or _paused(world, processor, since, until):
        return None
    # Before the request arrives there the processor has nothing to tell.
    there = world.banks[processor].book.by_reference.get(attempt["reference"], ())
    since = max([since, *(charge.created.timestamp() for charge in there[:1])])
    disturbed = any(since < at <= until for at in world.network.disturbed)
    return Doubt(until - since if definite else float("inf"), disturbed)


def _paused(world: World, processor: str, since: float, until: float) -> bool:
    found = world.database.fetch(
        "SELECT 1 FROM brakes WHERE processor = $1 AND tripped_at <= to_timestamp($3) "
        "AND coalesce(released_at, 'infinity') > to_timestamp($2)",
        processor,
        since,
        until,
    )
    return bool(found)
