"""A line of a processor's settlement report: whose it is, and what it posts.

Each line posts once, whatever is shown again and whoever dies in between. Where its place is known
better later (a charge answered later, a dispute told later), the difference is posted.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import settlement
from twintill.domain.ledger import LedgerTransaction
from twintill.domain.settlement import Line, Place, Whose
from twintill.errors import ConflictError, NotFoundError
from twintill.flows.arrivals import is_storable
from twintill.ids import Scope, derived_id
from twintill.processors import Processor
from twintill.processors.reports import SettlementLine
from twintill.store import clock, ledger, settlement_places, settlements
from twintill.store.settlement_places import Ours
from twintill.store.settlements import Kept, Shown

_MINOR_MAX = 2**53


class Took(StrEnum):
    """What became of a line that was shown."""

    NEW = "new"
    KNOWN = "known"
    COMPLETED = "completed"  # it tells more than before
    CHANGED = "changed"  # it tells otherwise: for a person


@dataclass(frozen=True, slots=True)
class Reading:
    """A line as an adapter read it, with our id for it."""

    line: Line
    shown: Shown


def read(scope: Scope, processor: Processor, told: SettlementLine) -> Reading:
    """Raises ValueError for what cannot be kept."""
    words = (told.line_id, told.raw_type, told.processor_payment_id, told.reference)
    for word in (*words, told.object_id, told.payout_id):
        if word is not None and not is_storable(word):
            raise ValueError(f"a name that is not a plain word: {word[:80]!r}")
    for money in (told.amount, told.fee):
        if money is not None and abs(money.minor) > _MINOR_MAX:
            raise ValueError(f"an amount that cannot be: {money}")
    line = Line(
        id=derived_id("stl", scope, processor.account_id, told.line_id),
        processor=processor.name,
        processor_account_id=processor.account_id,
        kind=told.kind,
        amount=told.amount,
        fee=told.fee,
        processor_payment_id=told.processor_payment_id,
        reference=told.reference,
        object_id=told.object_id,
        payout_id=told.payout_id,
    )
    return Reading(line, Shown(told.line_id, told.raw_type, told.occurred_at))


def is_as_kept(kept: Kept, line: Line) -> bool:
    """Nothing is to be done about it."""
    after, differs = settlement.completed(kept.line, line)
    return not differs and after == kept.line and kept.changed is None


async def take_in(db: AsyncConnection, scope: Scope, reading: Reading) -> Took:
    """A line that was shown, in the caller's transaction."""
    line = reading.line
    kept = await settlements.lock(db, scope, line.id)
    if kept is None:
        ours = await settlement_places.find(db, scope, line)
        place = _place(line, ours)
        first = settlement.booked(line, place, 1)
        n = 0 if first is None else 1
        await settlements.add(db, scope, line, reading.shown, _columns(line, place, ours, n))
        await _post(db, scope, first, ours)
        return Took.NEW
    after, differs = settlement.completed(kept.line, line)
    if differs:
        changed = settlements.columns_of(line)
        if changed != kept.changed:
            await settlements.mark_changed(db, scope, line.id, changed)
        return Took.CHANGED
    if kept.changed is not None:
        await settlements.mark_changed(db, scope, line.id, None)
    if after == kept.line:
        return Took.KNOWN
    await _book_again(db, scope, kept, after, {})
    return Took.COMPLETED


async def place_again(db: AsyncConnection, scope: Scope, line_id: str) -> None:
    """Where it belongs by what is known now."""
    kept = await settlements.lock(db, scope, line_id)
    if kept is not None:
        await _book_again(db, scope, kept, kept.line, {})


async def accept(db: AsyncConnection, scope: Scope, line_id: str, by: str, why: str) -> None:
    """A person takes over what a changed line shows now; the difference is posted.

    Raises NotFoundError, and ConflictError for a line that has not changed.
    """
    kept = await settlements.lock(db, scope, line_id)
    if kept is None:
        raise NotFoundError(f"No such settlement line: {line_id}", param="settlement")
    if kept.changed is None:
        raise ConflictError(
            "The report shows this line as it was booked.", code="settlement_unchanged"
        )
    was, at = settlements.columns_of(kept.line), (await clock.now(db)).isoformat()
    said = {"was": was, "now": kept.changed, "by": by, "why": why, "at": at}
    more = {"changed": None, "changed_at": None, "accepted": [*kept.accepted, said]}
    await _book_again(db, scope, kept, settlements.with_columns(kept.line, kept.changed), more)


async def _book_again(
    db: AsyncConnection, scope: Scope, kept: Kept, line: Line, more: dict[str, Any]
) -> None:
    ours = await settlement_places.find(db, scope, line)
    place = _place(line, ours)
    n = kept.booked_n + 1
    posted = settlement.booked(line, place, n, (kept.line, kept.place))
    n = kept.booked_n if posted is None else n
    await settlements.write(db, scope, line, {**_columns(line, place, ours, n), **more})
    await _post(db, scope, posted, ours)


async def _post(
    db: AsyncConnection,
    scope: Scope,
    posted: LedgerTransaction | None,
    ours: Ours | None,
) -> None:
    """Of no payment: a payment's own books say what its facts brought."""
    if posted is not None:
        await ledger.post(db, scope, posted, payment_id=None)
    if ours is not None and ours.attempt_id is not None:
        await settlements.settle(db, scope, ours.attempt_id)


def _place(line: Line, ours: Ours | None) -> Place:
    whose = settlement.whose(line, is_ours=ours is not None)
    if ours is None or whose is not Whose.OURS:
        return Place(whose)
    covered = settlement.covered_minor(line, ours.told_minor, ours.elsewhere_minor)
    return Place(whose, ours.currency, covered)


def _columns(line: Line, place: Place, ours: Ours | None, booked_n: int) -> dict[str, Any]:
    its = ours if place.whose is Whose.OURS else None
    return {
        "whose": place.whose.value,
        "payment_id": None if its is None else its.payment_id,
        "attempt_id": None if its is None else its.attempt_id,
        "refund_id": None if its is None else its.refund_id,
        "dispute_id": None if its is None else its.dispute_id,
        "our_currency": place.currency,
        "covered_minor": place.covered_minor,
        "not_booked": settlement.why_not_booked(line, place),
        "booked_n": booked_n,
    }
