"""Two duties that find what Stripe could not deliver: nothing depends on delivery.

catch_up        asks for the events that some endpoint has not taken: every 30 minutes, and every 5
                from when some were found until something is delivered again
compare_events  asks for all events and compares them with the inbox: daily, and every 5 minutes
                while silence is unusual (`domain.silence`) or some were found. It sees what
                nobody calls undelivered: an endpoint disabled, or set up for too few events

Both stay within the day's budget of reads: near its end they ask seldom, and go on tomorrow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from twintill.domain.silence import Signs, unusual
from twintill.flows import event_listing
from twintill.flows.duty import Ran
from twintill.flows.event_listing import KEPT, OVERLAP, Listing, Pass
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import accounts, clock, duties, pace, silence

OFTEN, SELDOM = timedelta(minutes=5), timedelta(minutes=30)
COMPARED_EVERY = timedelta(days=1)
# Stripe redelivers for three days: older ones have been taken, or are listed as undelivered.
COMPARED_AT_FIRST = timedelta(days=3)
# Nobody goes on asking often because of a failure that is older.
_FAILING_AT_MOST = timedelta(days=3)
# Enough for asking seldom all day.
_RESERVE = 60
_PAGES = 2  # of a run: even with Stripe at its slowest it ends before its deadline
# A run begins a little after it is due: that must not cost another round.
_SLACK = timedelta(minutes=1)


async def catch_up(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """Events that Stripe says were not delivered, when it is time to ask for them."""
    known = await _read(means, scope)
    at = _restored(cursor, known, KEPT)
    often = _is_failing(at, known) and known.reads_left > _RESERVE
    if _is_time(at, known.now, OFTEN if often else SELDOM):
        at = await _walk(means, scope, at, known, only_undelivered=True)
    silent = unusual(known.signs, known.now)
    if silent is not None and not _is_failing(at, known) and known.reads_left > _RESERVE:
        async with means.database.begin() as db:
            await duties.ring(db, scope, "compare_events")
    why = "events had not been delivered" if _is_failing(at, known) else silent
    return Ran(_next(at, known, OFTEN), _result(at, known) | {"unusual": why}, at.saved())


async def compare_events(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """All events against the inbox, unless that was done just now."""
    known = await _read(means, scope)
    at = _restored(cursor, known, COMPARED_AT_FIRST)
    if _is_time(at, known.now, OFTEN):
        at = await _walk(means, scope, at, known, only_undelivered=False)
    often = at.late > 0 and known.reads_left > _RESERVE
    wait = _next(at, known, OFTEN if often else COMPARED_EVERY)
    return Ran(wait, _result(at, known), at.saved())


@dataclass(frozen=True, slots=True)
class _Known:
    now: datetime
    signs: Signs
    reads_left: int
    began_at: datetime | None


async def _read(means: Means, scope: Scope) -> _Known:
    async with means.database.connect() as db:
        return _Known(
            now=await clock.now(db),
            signs=await silence.read_signs(db, scope),
            reads_left=await pace.reads_left(db, scope, means.stripe_reads_per_day),
            began_at=await accounts.began_at(db, scope),
        )


def _restored(cursor: Mapping[str, Any], known: _Known, back: timedelta) -> Pass:
    """Where the last run left off; the first one goes `back`, but not before we began."""
    if cursor:
        return Pass.restored(cursor)
    since = known.now - back
    if known.began_at is not None:
        since = max(since, known.began_at - OVERLAP)
    return Pass(since=int(since.timestamp()))


def _is_failing(at: Pass, known: _Known) -> bool:
    """Some were found lately, and nothing was delivered since."""
    if at.late_at is None:
        return False
    late_at = datetime.fromisoformat(at.late_at)
    if at.late or known.signs.heard_at is None:
        return known.now - late_at < _FAILING_AT_MOST
    return known.signs.heard_at < late_at and known.now - late_at < _FAILING_AT_MOST


def _is_time(at: Pass, now: datetime, every: timedelta) -> bool:
    if at.under_way or at.ended_at is None:
        return True
    return now - datetime.fromisoformat(at.ended_at) > every - _SLACK


async def _walk(
    means: Means, scope: Scope, at: Pass, known: _Known, *, only_undelivered: bool
) -> Pass:
    """A run's share of the pass, as far as the budget goes."""
    pages = min(_PAGES, known.reads_left)
    return await event_listing.walk(means, scope, at, Listing(only_undelivered, pages), known.now)


def _next(at: Pass, known: _Known, pause: timedelta) -> timedelta:
    """At once while there are pages left and reads to spend on them."""
    goes_on = at.under_way and known.reads_left > _PAGES
    return timedelta(0) if goes_on else pause


def _result(at: Pass, known: _Known) -> dict[str, Any]:
    """Of the last pass, unless it says total."""
    return {
        "listed": at.listed,
        "taken_in": at.taken_in,
        "taken_in_total": at.taken_in_total,
        "reads": at.reads,
        "reads_total": at.reads_total,
        "reads_left": known.reads_left,
        "under_way": at.under_way,
        "gone_before": at.gone_before,
    }
