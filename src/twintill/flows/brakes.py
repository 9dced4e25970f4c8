"""Pausing and resuming a processor: by a tripwire in the middle of a fact, or by a person.

The user's app is told of either within a minute, by `watch`.
"""

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import tripwires
from twintill.domain.facts import Fact
from twintill.domain.payment import Payment
from twintill.domain.tripwires import Trip
from twintill.errors import ConflictError, NotFoundError
from twintill.ids import Scope
from twintill.store import brakes, methods

_log = structlog.get_logger(__name__)


async def trip(db: AsyncConnection, scope: Scope, tripped: Trip) -> bool:
    """A tripwire pauses the processor; False when it is paused already."""
    name = tripped.processor
    paused = await brakes.trip(db, scope, name, tripped.why, f"tripwire:{tripped.by}")
    if paused:
        _log.error("tripwire", processor=name, tripwire=tripped.by.value, why=tripped.why)
    return paused


async def trip_at_once(
    db: AsyncConnection, scope: Scope, before: Payment, fact: Fact, after: Payment
) -> None:
    """In the transaction of the fact: no charge begins after it was written."""
    tripped = tripwires.at_once(before, fact, after)
    if tripped is not None:
        await trip(db, scope, tripped)


async def pause(db: AsyncConnection, scope: Scope, processor: str, why: str, by: str) -> None:
    """A person pauses it.

    Raises NotFoundError for a processor that no customer has a method with (a name mistyped would
    pause nothing), ConflictError when it is paused already.
    """
    if not await methods.processor_is_known(db, scope, processor):
        raise NotFoundError(
            f"No customer has a payment method with a processor {processor!r}.", param="processor"
        )
    if not await brakes.trip(db, scope, processor, why, by):
        on = await brakes.why_on(db, scope, processor)
        raise ConflictError(f"{processor} is paused already: {on}", param="processor")


async def resume(db: AsyncConnection, scope: Scope, processor: str, why: str, by: str) -> int:
    """A person has looked; how many payments waited. Raises ConflictError when it is not paused."""
    if await brakes.why_on(db, scope, processor) is None:
        raise ConflictError(f"{processor} is not paused.", param="processor")
    return await brakes.release(db, scope, processor, by, why)
