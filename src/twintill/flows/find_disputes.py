"""A duty: finds disputes of which no webhook told.

Lists those opened since the last pass at each processor that can be asked, and takes in what is not
known, as its webhook would have been. How a known one goes on, its payment asks for by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.flows import dispute, processor_lists
from twintill.flows.dispute import Heard
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.flows.processor_lists import Pass
from twintill.ids import Scope
from twintill.processors import Disputes, Processor, SeenDispute
from twintill.store import dispute_pages

# Banks take disputes for so long.
AT_FIRST = timedelta(days=120)
_ACTOR = "find_disputes"
_log = structlog.get_logger(__name__)


async def find_disputes(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page: as many requests as there are pages, once a day."""
    names = (name for name, its in means.processors.items() if isinstance(its, Disputes))
    at = await processor_lists.resume(means, cursor, names)
    if at.todo:
        at = await _page(means, scope, at)
    return at.ran()


async def _page(means: Means, scope: Scope, at: Pass) -> Pass:
    name = at.todo[0]
    processor = means.processors.get(name)
    if processor is None or not isinstance(processor, Disputes):
        return at.next()  # out of the settings since the last page
    page = await processor.list_disputes(at.listed_since(name, AT_FIRST), at.after)
    if isinstance(page, NoAnswer | NotSent):
        _log.warning("disputes_not_listed", processor=name, why=page.detail)
        return replace(at, not_asked=at.not_asked + 1).next()
    at = await _take_in(means, scope, processor, page.disputes, at)
    return at.behind(name, page.following)


async def _take_in(
    means: Means, scope: Scope, processor: Processor, listed: tuple[SeenDispute, ...], at: Pass
) -> Pass:
    """Those that are not known; one that cannot be taken in blocks no other."""
    names = [seen.dispute_id for seen in listed]
    async with means.database.connect() as db:
        known = await dispute_pages.known(db, scope, processor.account_id, names)
    for seen in listed:
        if seen.dispute_id in known:
            continue
        try:
            async with means.database.begin() as db:
                heard = Heard(seen, None, _ACTOR)
                ours = await dispute.take_in(db, means, scope, processor, heard)
        except Exception as error:  # noqa: BLE001 -- nobody waits for another one's trouble
            _log.warning("dispute_not_taken_in", dispute=seen.dispute_id, why=repr(error))
            at = replace(at, failed=at.failed + 1)
        else:
            at = replace(at, found=at.found + ours, not_ours=at.not_ours + (not ours))
    return replace(at, listed=at.listed + len(listed))
