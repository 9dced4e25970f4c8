"""A duty: finds refunds of which no webhook told, made by hand at a processor, or come back since.

Lists those made since the last pass at each processor that can be asked, and takes in what is not
known, as its webhook would have been: both sides of the payment are compared before anything
follows. One of ours that has no answer yet, its payment asks for by itself.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from twintill.domain.outcomes import Approved, Declined, NoAnswer, NotSent
from twintill.domain.payment import Outcome
from twintill.flows import processor_events, processor_lists
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.flows.processor_lists import Pass
from twintill.ids import Scope
from twintill.processors import (
    EventKind,
    ListedRefund,
    Processor,
    ProcessorEvent,
    RefundLists,
)
from twintill.store import refunds

AT_FIRST = timedelta(days=30)
_ACTOR = "find_refunds"
_log = structlog.get_logger(__name__)


async def find_refunds(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """One page: as many requests as there are pages, once a day."""
    names = (name for name, its in means.processors.items() if _lists(its) is not None)
    at = await processor_lists.resume(means, cursor, names)
    if at.todo:
        at = await _page(means, scope, at)
    return at.ran()


def _lists(processor: Processor) -> RefundLists | None:
    """Only where a charge's refunds can be listed, too: what is told is compared with that list."""
    if isinstance(processor, RefundLists) and processor.capabilities.finds_refunds:
        return processor
    return None


async def _page(means: Means, scope: Scope, at: Pass) -> Pass:
    name = at.todo[0]
    processor = means.processors.get(name)
    lists = None if processor is None else _lists(processor)
    if processor is None or lists is None:
        return at.next()  # out of the settings since the last page
    page = await lists.list_recent_refunds(at.listed_since(name, AT_FIRST), at.after)
    if isinstance(page, NoAnswer | NotSent):
        _log.warning("refunds_not_listed", processor=name, why=page.detail)
        return replace(at, not_asked=at.not_asked + 1).next()
    at = await _take_in(means, scope, processor, page.refunds, at)
    return at.behind(name, page.following)


async def _take_in(
    means: Means, scope: Scope, processor: Processor, listed: tuple[ListedRefund, ...], at: Pass
) -> Pass:
    """Those that are news; one that cannot be taken in blocks no other."""
    names = [one.seen.processor_refund_id for one in listed]
    async with means.database.connect() as db:
        known = await refunds.outcomes(db, scope, processor.account_id, names)
    for one in listed:
        if not _is_news(one, known.get(one.seen.processor_refund_id)):
            continue
        event = _as_told(one)
        try:
            async with means.database.begin() as db:
                verdict = await processor_events.take_in(db, means, scope, processor, event)
        except Exception as error:  # noqa: BLE001 -- nobody waits for another one's trouble
            _log.warning("refund_not_taken_in", refund=event.refund_id, why=repr(error))
            at = replace(at, failed=at.failed + 1)
        else:
            at = _counted(at, event, verdict.state, verdict.note)
    return replace(at, listed=at.listed + len(listed))


def _is_news(one: ListedRefund, known: Outcome | None) -> bool:
    """What failed and was never known here moved nothing; what is under way is asked for."""
    match one.seen.outcome:
        case Declined():
            return known not in (None, Outcome.DECLINED)
        case Approved():
            return known is not Outcome.APPROVED
    return known is None


def _as_told(one: ListedRefund) -> ProcessorEvent:
    seen = one.seen
    failed = isinstance(seen.outcome, Declined)
    return ProcessorEvent(
        kind=EventKind.REFUND_FAILED if failed else EventKind.REFUND_SUCCEEDED,
        dedupe_key=_ACTOR,
        raw_type="a refund was listed",
        processor_payment_id=one.processor_payment_id,
        reference=seen.reference,
        outcome=seen.outcome,
        refund_id=seen.processor_refund_id,
    )


def _counted(at: Pass, event: ProcessorEvent, state: str, why: str | None) -> Pass:
    if state == "ignored":
        return replace(at, not_ours=at.not_ours + 1)
    if state == "parked":
        _log.error("refund_needs_a_person", refund=event.refund_id, why=why)
        return replace(at, failed=at.failed + 1)
    return replace(at, found=at.found + 1)
