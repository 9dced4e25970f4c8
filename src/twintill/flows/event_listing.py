"""One pass over Stripe's list of events: what never reached our inbox is put into it.

The list comes newest first. A pass walks it back to where the last complete one began, a few pages
a run; what arrives meanwhile is the next pass's. Stripe keeps 30 days.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import StripeRefused
from twintill.flows import arrivals
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import inbox, inbox_rows
from twintill.store.inbox import Delivery
from twintill.store.silence import FETCHED
from twintill.stripe_billing.connection import PAGE

# Everything that intake acts on; Stripe takes at most 20 names.
TYPES = (
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.updated",
    "invoice.voided",
    "credit_note.created",
    "credit_note.voided",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
)
KEPT = timedelta(days=30)
# Events may enter the list late, and their times are whole seconds.
OVERLAP = timedelta(minutes=5)
# Younger ones may just be on their way to us.
ON_ITS_WAY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pass:
    """Where a pass is: JSON of a duty's cursor. Times in unix seconds, Stripe's, unless said."""

    since: int  # everything older was listed by the passes before
    top: int | None = None  # the newest that this pass saw
    after: str | None = None  # it goes on behind this event; None: it has not begun
    ended_at: str | None = None  # ours, ISO: of the last complete pass
    late_at: str | None = None  # ours, ISO: when one last found what had not been delivered
    gone_before: str | None = None  # ours, ISO: there was no pass for so long that some are lost
    # Of the pass under way, or of the last one:
    listed: int = 0
    taken_in: int = 0
    late: int = 0  # of those taken in: not just on their way
    reads: int = 0
    # Of all passes:
    taken_in_total: int = 0
    reads_total: int = 0

    @property
    def under_way(self) -> bool:
        return self.after is not None

    def saved(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Pass":
        return cls(**saved)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which list, and how much of it a run may read."""

    only_undelivered: bool
    pages: int
    page_size: int = PAGE


async def walk(means: Means, scope: Scope, at: Pass, listing: Listing, now: datetime) -> Pass:
    """Some pages of a pass, from where it is. Raises StripeError; what was taken in stays."""
    if not at.under_way:
        at = _begun(at, now)
    for _ in range(listing.pages):
        events = await _page(means, at, listing)
        if events is None:  # Stripe does not know the place any more: from the top again
            return replace(at, after=None, top=None)
        at = await _took(means, scope, at, events, now)
        if len(events) < listing.page_size:
            return _complete(at, now)
    return at


def _begun(at: Pass, now: datetime) -> Pass:
    """What Stripe has dropped by now cannot be listed: say so for as long as anybody may ask."""
    oldest = now - KEPT
    gone_before = at.gone_before
    if at.ended_at is not None and datetime.fromisoformat(at.ended_at) < oldest:
        gone_before = oldest.isoformat()
    elif gone_before is not None and datetime.fromisoformat(gone_before) < oldest:
        gone_before = None
    since = max(at.since, int(oldest.timestamp()))
    return replace(at, since=since, gone_before=gone_before, listed=0, taken_in=0, late=0, reads=0)


def _complete(at: Pass, now: datetime) -> Pass:
    since = max(at.since, (at.top or 0) - int(OVERLAP.total_seconds()))
    at = replace(at, since=since, top=None, after=None, ended_at=now.isoformat())
    return replace(at, late_at=now.isoformat()) if at.late else at


async def _page(means: Means, at: Pass, listing: Listing) -> list[dict[str, Any]] | None:
    try:
        return await means.stripe.list_events(
            datetime.fromtimestamp(at.since, tz=UTC),
            TYPES,
            delivery_success=False if listing.only_undelivered else None,
            starting_after=at.after,
            limit=listing.page_size,
        )
    except StripeRefused:
        if at.after is None:
            raise
        return None


async def _took(
    means: Means, scope: Scope, at: Pass, events: Sequence[dict[str, Any]], now: datetime
) -> Pass:
    """A page's unknown events are in the inbox, as if they had been delivered."""
    async with means.database.begin() as db:
        new = await _receive(db, scope, events)
    late = [e for e in new if now - _created(e) > ON_ITS_WAY]
    return replace(
        at,
        top=max([at.top or 0, *(int(_created(e).timestamp()) for e in events)]),
        after=str(events[-1]["id"]) if events else at.after,
        listed=at.listed + len(events),
        taken_in=at.taken_in + len(new),
        late=at.late + len(late),
        reads=at.reads + 1,
        taken_in_total=at.taken_in_total + len(new),
        reads_total=at.reads_total + 1,
    )


async def _receive(
    db: AsyncConnection, scope: Scope, events: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    ids = [str(e["id"]) for e in events]
    unknown = await inbox_rows.unknown(db, scope, arrivals.STRIPE, ids)
    new = [e for e in events if str(e["id"]) in unknown]
    if new:
        # The oldest first, as Stripe would have sent them.
        await inbox.receive(db, [_delivery(scope, event) for event in reversed(new)])
    return new


def _delivery(scope: Scope, event: dict[str, Any]) -> Delivery:
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    _, row = arrivals.read_stripe(body, scope)
    # Its own id also where nothing else can be read: the same event is never parked twice.
    row = replace(row, dedupe_key=str(event["id"]))
    return Delivery(scope, arrivals.STRIPE, {}, body, FETCHED, (row,))


def _created(event: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(event["created"]), tz=UTC)
