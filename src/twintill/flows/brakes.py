"""Pausing and resuming a processor: by a tripwire in the middle of a fact, or by a person."""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import tripwires
from twintill.domain.facts import Fact
from twintill.domain.payment import Payment
from twintill.domain.tripwires import Trip
from twintill.ids import Scope
from twintill.store import brakes

_log = structlog.get_logger(__name__)


async def trip(db: AsyncConnection, scope: Scope, tripped: Trip) -> bool:
    """Pause charging through this processor; False when it is paused already.

    The user's app is told within a minute, by `watch`.
    """
    name = tripped.processor
    paused = await brakes.trip(db, scope, name, tripped.why, f"tripwire:{tripped.by}")
    if paused:
        _log.error("processor_paused", processor=name, tripwire=tripped.by, why=tripped.why)
    return paused


async def trip_at_once(
    db: AsyncConnection, scope: Scope, before: Payment, fact: Fact, after: Payment
) -> None:
    """In the transaction of the fact: no charge begins after it was written."""
    tripped = tripwires.at_once(before, fact, after)
    if tripped is not None:
        await trip(db, scope, tripped)
