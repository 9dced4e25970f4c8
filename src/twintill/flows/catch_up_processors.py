"""A duty: fetches the events that a processor could not bring, or brought to nobody.

Lists what happened since the last pass at each processor that can be asked. What never came is put
into the inbox as if it had been delivered: an outage longer than the processor tries is healed.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.flows import arrivals, processor_lists
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.flows.processor_lists import Pass
from twintill.ids import Scope
from twintill.processors import Processor
from twintill.processors.reports import EventLists
from twintill.store import accounts, inbox, inbox_rows
from twintill.store.inbox import Delivery, InboxState
from twintill.store.silence import FETCHED

EVERY = timedelta(minutes=30)
# Events may enter the list late; those that are known cost nothing.
OVERLAP = timedelta(hours=2)
AT_FIRST = timedelta(days=30)
_log = structlog.get_logger(__name__)


async def catch_up_processors(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page: as many requests as there are pages."""
    names = (name for name, its in means.processors.items() if isinstance(its, EventLists))
    at = await processor_lists.resume(means, cursor, names)
    if at.todo:
        at = await _page(means, scope, at)
    return at.ran(EVERY)


async def _page(means: Means, scope: Scope, at: Pass) -> Pass:
    name = at.todo[0]
    processor = means.processors.get(name)
    if processor is None or not isinstance(processor, EventLists):
        return at.next()  # out of the settings since the last page
    async with means.database.connect() as db:
        began_at = await accounts.began_at(db, scope)
    since = at.listed_since(name, AT_FIRST, began_at)
    page = await processor.list_events(since, at.after)
    if isinstance(page, NoAnswer | NotSent):
        _log.warning("events_not_listed", processor=name, why=page.detail)
        return replace(at, not_asked=at.not_asked + 1).next()
    at = await _take_in(means, scope, processor, page.bodies, at)
    return at.behind(name, page.following, OVERLAP)


async def _take_in(
    means: Means, scope: Scope, processor: Processor, bodies: tuple[bytes, ...], at: Pass
) -> Pass:
    """A page's unknown events are in the inbox, as if they had been delivered."""
    source = arrivals.source_of(processor)
    batches = [(body, *arrivals.read_processor(processor, body)) for body in bodies]
    named = [event.dedupe_key for _, _, events in batches for event in events]
    async with means.database.begin() as db:
        keys = {key for key in named if key is not None}
        unknown = await inbox_rows.unknown(db, scope, source, keys)
        new = []
        for body, _, events in batches:
            fresh = tuple(e for e in events if e.dedupe_key in unknown)
            unknown -= {e.dedupe_key for e in fresh if e.dedupe_key is not None}
            if fresh:
                new.append(Delivery(scope, source, {}, body, FETCHED, fresh))
        if new:
            await inbox.receive(db, new)
    taken_in = [event for delivery in new for event in delivery.events]
    unreadable = sum(event.state is InboxState.PARKED for event in taken_in)
    return replace(
        at,
        listed=at.listed + len(named),
        found=at.found + len(taken_in) - unreadable,
        failed=at.failed + unreadable,
    )
