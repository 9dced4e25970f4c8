"""A duty: finds disputes of which no webhook told.

Lists those opened since the last pass at each processor that can be asked, and takes in what is not
known, as its webhook would have been. How a known one goes on, its payment asks for by itself.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.flows import dispute
from twintill.flows.dispute import Heard
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Disputes, Processor, SeenDispute
from twintill.store import clock, dispute_pages

EVERY = timedelta(days=1)
# One of a charge whose answer is not here yet is nobody's: it is by then.
OVERLAP = timedelta(days=7)
# Banks take disputes for so long.
AT_FIRST = timedelta(days=120)
_ACTOR = "find_disputes"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pass:
    """How far it is; JSON in and out. `since`: by processor, where its last whole list began."""

    began_at: str
    todo: tuple[str, ...]
    since: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None
    listed: int = 0
    found: int = 0
    not_ours: int = 0
    failed: int = 0
    not_asked: int = 0  # processors that could not be


async def find_disputes(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page: as many requests as there are pages, once a day."""
    if "todo" in cursor:
        at = Pass(**{**cursor, "todo": tuple(cursor["todo"])})
    else:
        at = await _begin(means, cursor.get("since", {}))
    if at.todo:
        at = await _page(means, scope, at)
    if at.todo:
        return Ran(timedelta(0), _result(at), asdict(at))
    return Ran(EVERY, _result(at), {"since": dict(at.since)})


async def _begin(means: Means, since: Mapping[str, str]) -> Pass:
    async with means.database.connect() as db:
        now = await clock.now(db)
    names = [name for name, its in means.processors.items() if isinstance(its, Disputes)]
    return Pass(now.isoformat(), tuple(sorted(names)), since)


async def _page(means: Means, scope: Scope, at: Pass) -> Pass:
    name, began_at = at.todo[0], datetime.fromisoformat(at.began_at)
    processor = means.processors.get(name)
    if processor is None or not isinstance(processor, Disputes):
        return _next(at)  # out of the settings since the last page
    since = at.since.get(name)
    opened_since = datetime.fromisoformat(since) if since else began_at - AT_FIRST
    page = await processor.list_disputes(opened_since, at.after)
    if isinstance(page, NoAnswer | NotSent):
        _log.warning("disputes_not_listed", processor=name, why=page.detail)
        return _next(replace(at, not_asked=at.not_asked + 1))
    at = await _take_in(means, scope, processor, page.disputes, at)
    if page.following is not None:
        return replace(at, after=page.following)
    return _next(replace(at, since={**at.since, name: (began_at - OVERLAP).isoformat()}))


def _next(at: Pass) -> Pass:
    return replace(at, todo=at.todo[1:], after=None)


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


def _result(at: Pass) -> dict[str, Any]:
    names = ("listed", "found", "not_ours", "failed", "not_asked")
    return {name: getattr(at, name) for name in names}
