"""Intake: an inbox row becomes facts. Whose is it, what does it show, what must be looked at?

Nothing about money is believed from a Stripe event: it moves the mirror and rings. A processor's
webhook is signed and is an answer about an attempt of ours. What is not ours is acknowledged,
recorded, and never touched. A row that fails is tried again, parked, and blocks no other.
"""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import UnreadableEvent
from twintill.flows import processor_events, stripe_events
from twintill.flows.arrivals import STRIPE, source_of
from twintill.flows.means import Means
from twintill.flows.verdict import Verdict, parked
from twintill.ids import Scope
from twintill.store import inbox_rows, work
from twintill.store.inbox_rows import Received
from twintill.store.work import INBOX, Lease
from twintill.stripe_billing import events

_log = structlog.get_logger(__name__)
_TRIES_MAX = 8
_DEATHS_MAX = 5
_PAUSE = timedelta(seconds=5)


async def look(means: Means, scope: Scope, inbox_id: int) -> bool:
    """Take in one row; False for a stale bell. Raises nothing but database errors."""
    lease = None
    try:
        async with means.database.begin() as db:
            received = await inbox_rows.hold(db, scope, inbox_id)
            if received is None:
                return False
            if not received.left_lying:
                await _finish(db, means, scope, received)
                return True
            lease = await _count(db, scope, received)
        if lease is not None:
            async with means.database.begin() as db:
                if await work.keep(db, INBOX, lease):
                    await _finish(db, means, scope, received)
    except UnreadableEvent as error:
        await _back_off(means, scope, inbox_id, lease, f"unreadable: {error}", tries_max=1)
    except Exception as error:  # noqa: BLE001 -- a poisonous event must block nobody else
        _log.error("intake_failed", inbox=inbox_id, error=str(error), exc_info=error)
        why = f"{type(error).__name__}: {error}"
        await _back_off(means, scope, inbox_id, lease, why, tries_max=_TRIES_MAX)
    return True


async def _count(db: AsyncConnection, scope: Scope, received: Received) -> Lease | None:
    """The try counts before it begins: the last one may have ended its worker's life.

    Only for what the sweep rang for, so that what goes well costs nothing more. None: parked.
    """
    lease = await work.claim(db, INBOX, scope, received.inbox_id)
    if lease is not None and received.deaths >= _DEATHS_MAX:
        why = f"its worker ended without a word, {received.deaths} times"
        await work.back_off(db, INBOX, lease, why, tries_max=1, pause=_PAUSE)
        return None
    return lease


async def _finish(db: AsyncConnection, means: Means, scope: Scope, received: Received) -> None:
    verdict = await _take_in(db, means, scope, received)
    await inbox_rows.finish(db, scope, received.inbox_id, verdict.state, verdict.note)


async def _take_in(db: AsyncConnection, means: Means, scope: Scope, received: Received) -> Verdict:
    if received.source == STRIPE:
        return await stripe_events.take_in(db, means, scope, events.parse(received.body))
    name = received.source.partition(":")[0]
    processor = means.processor(name)
    if received.source != source_of(processor):
        return parked(f"{name} is configured with another account now")
    batch = processor.parse_webhook(received.body)
    if received.position >= len(batch):
        raise UnreadableEvent("the batch has fewer events than when it was received")
    return await processor_events.take_in(db, means, scope, processor, batch[received.position])


async def _back_off(
    means: Means, scope: Scope, inbox_id: int, lease: Lease | None, error: str, *, tries_max: int
) -> None:
    """The try counts, although all else of it was undone."""
    async with means.database.begin() as db:
        lease = lease or await work.claim(db, INBOX, scope, inbox_id)
        if lease is None:
            return  # somebody else was at it meanwhile
        pause = _PAUSE * 2 ** min(lease.looks, 8)
        await work.back_off(db, INBOX, lease, error, tries_max=tries_max, pause=pause)
