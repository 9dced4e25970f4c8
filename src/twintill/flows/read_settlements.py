"""A duty: reads what the processors' own reports say moved our balances there.

Lists the lines since the last pass at each processor that has such a report, with an overlap of two
weeks: reports lag, and lines are shown again until nothing of them can change. At the end of a
processor's list, lines whose place is known only now are booked anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.flows import processor_lists, settle
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.flows.processor_lists import Pass
from twintill.flows.settle import Took
from twintill.ids import Scope
from twintill.processors import Processor
from twintill.processors.reports import SettlementLine, Settlements
from twintill.store import accounts, settlement_places, settlements

AT_FIRST = timedelta(days=90)
# A payout may come back from the bank days after it was made.
OVERLAP = timedelta(days=14)
_LATE_MAX = 500
_log = structlog.get_logger(__name__)


async def read_settlements(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page: as many requests as there are pages, once a day."""
    names = (name for name, its in means.processors.items() if isinstance(its, Settlements))
    at = await processor_lists.resume(means, cursor, names)
    if at.todo:
        at = await _page(means, scope, at)
    return at.ran()


async def _page(means: Means, scope: Scope, at: Pass) -> Pass:
    name = at.todo[0]
    processor = means.processors.get(name)
    if processor is None or not isinstance(processor, Settlements):
        return at.next()  # out of the settings since the last page
    async with means.database.connect() as db:
        began_at = await accounts.began_at(db, scope)
    since = at.listed_since(name, AT_FIRST, began_at)
    page = await processor.list_settlements(since, at.after)
    if isinstance(page, NoAnswer | NotSent):
        _log.warning("settlements_not_listed", processor=name, why=page.detail)
        return replace(at, not_asked=at.not_asked + 1).next()
    at = await _take_in(means, scope, processor, page.lines, at)
    if page.following is None:
        await _place_late_ones(means, scope, processor)
    return at.behind(name, page.following, OVERLAP)


async def _take_in(
    means: Means, scope: Scope, processor: Processor, lines: Sequence[SettlementLine], at: Pass
) -> Pass:
    """Those that are news; one that cannot be taken in blocks no other."""
    readings = []
    for told in lines:
        try:
            readings.append(settle.read(scope, processor, told))
        except ValueError as error:
            _log.error("settlement_line_unreadable", line=told.line_id, why=str(error))
            at = replace(at, failed=at.failed + 1)
    async with means.database.connect() as db:
        known = await settlements.known(db, scope, [r.line.id for r in readings])
    for reading in readings:
        kept = known.get(reading.line.id)
        if kept is None or not settle.is_as_kept(kept, reading.line):
            at = await _one(means, scope, reading, at)
    return replace(at, listed=at.listed + len(lines))


async def _one(means: Means, scope: Scope, reading: settle.Reading, at: Pass) -> Pass:
    line_id = reading.shown.line_id
    try:
        async with means.database.begin() as db:
            took = await settle.take_in(db, scope, reading)
    except Exception as error:  # noqa: BLE001 -- nobody waits for another one's trouble
        _log.error("settlement_line_not_taken_in", line=line_id, why=repr(error))
        return replace(at, failed=at.failed + 1)
    if took is Took.CHANGED:
        _log.error("settlement_line_changed", line=line_id, id=reading.line.id)
        return replace(at, failed=at.failed + 1)
    return replace(at, found=at.found + (took is Took.NEW))


async def _place_late_ones(means: Means, scope: Scope, processor: Processor) -> None:
    async with means.database.connect() as db:
        late = await settlement_places.late(db, scope, processor.account_id, _LATE_MAX)
    for line_id in late:
        async with means.database.begin() as db:
            await settle.place_again(db, scope, line_id)
