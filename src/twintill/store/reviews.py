"""Drafts that wait for a review: one row for each invoice that was ever held."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope, derived_id
from twintill.store.clock import NOW
from twintill.store.listing import Page, read_page
from twintill.store.scoped import key, mine, of, whose
from twintill.store.tables import invoice_reviews, operations

_C = invoice_reviews.c
WAITING = ("held", "approved")
STATES = (
    *WAITING,
    "released",
    "voided",
    "finalized_elsewhere",
    "voided_elsewhere",
    "released_elsewhere",
    "deleted",
)


@dataclass(frozen=True, slots=True)
class Review:
    """Why a draft waits and who may let it go; amounts in minor units, as last seen."""

    id: str
    invoice_id: str
    customer_id: str
    subscription_id: str | None
    currency: str
    total_minor: int
    state: str
    why: str | None
    round: int
    held_by: str
    rule_id: str | None
    rule_version: int | None
    needs_approval: bool
    doing: str | None
    changed_by: str | None
    changed_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    period_ends_at: datetime | None
    period_known: bool
    announced: int
    held_at: datetime
    created_at: datetime

    @property
    def waits(self) -> bool:
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Held:
    """A draft that is held from now on."""

    invoice_id: str
    customer_id: str
    subscription_id: str | None
    currency: str
    total_minor: int
    by: str
    why: str | None
    rule_id: str | None = None
    rule_version: int | None = None
    needs_approval: bool = True
    doing: str | None = None


def review_id(scope: Scope, invoice_id: str) -> str:
    return derived_id("rev", scope, invoice_id)


async def hold(db: AsyncConnection, scope: Scope, held: Held) -> bool:
    """Into the queue, for the first time or again; False: it waits there already."""
    fresh: dict[str, Any] = {
        "customer_id": held.customer_id,
        "subscription_id": held.subscription_id,
        "currency": held.currency,
        "total_minor": held.total_minor,
        "state": "held",
        "why": held.why,
        "held_by": held.by,
        "rule_id": held.rule_id,
        "rule_version": held.rule_version,
        "needs_approval": held.needs_approval,
        "doing": held.doing,
        "voiding": False,
        "held_at": NOW,
        "announce_at": NOW,  # the duty finds out when
        "announced": 0,
        "period_known": False,
    }
    first = {
        **key(scope),
        "review_id": review_id(scope, held.invoice_id),
        "invoice_id": held.invoice_id,
        "round": 1,
        "created_at": NOW,
    }
    cleared = dict.fromkeys(
        ("changed_by", "changed_at", "approved_by", "approved_at", "ended_by", "ended_at")
    )
    put = await db.execute(
        insert(invoice_reviews)
        .values(first | fresh)
        .on_conflict_do_update(
            index_elements=["stripe_account_id", "livemode", "review_id"],
            set_={**fresh, **cleared, "round": _C.round + 1, "period_ends_at": None},
            where=_C.ended_at.is_not(None),
        )
        .returning(_C.review_id)
    )
    return put.one_or_none() is not None


async def read(db: AsyncConnection, scope: Scope, wanted: str, *, lock: bool = False) -> Review:
    """By its id or its invoice's. Raises NotFoundError."""
    found = await find(db, scope, wanted, lock=lock)
    if found is None:
        raise NotFoundError(f"No such review: {wanted}", param="review")
    return found


async def find(
    db: AsyncConnection, scope: Scope, wanted: str, *, lock: bool = False
) -> Review | None:
    query = select(invoice_reviews).where(
        mine(invoice_reviews, scope), or_(_C.review_id == wanted, _C.invoice_id == wanted)
    )
    row = (await db.execute(query.with_for_update() if lock else query)).one_or_none()
    return None if row is None else _review(row)


async def waits(db: AsyncConnection, scope: Scope, invoice_id: str) -> bool:
    """Whether a draft waits for a review that nobody is ending just now."""
    its = mine(invoice_reviews, scope), _C.invoice_id == invoice_id
    found = await db.execute(
        select(_C.review_id).where(*its, _C.ended_at.is_(None), _C.doing.is_(None))
    )
    return found.one_or_none() is not None


async def is_queued(db: AsyncConnection, scope: Scope, invoice_id: str) -> bool:
    """The same, or somebody is at it just now: in any case nobody else finalizes it."""
    its = mine(invoice_reviews, scope), _C.invoice_id == invoice_id
    found = await db.execute(select(_C.review_id).where(*its, _C.ended_at.is_(None)))
    return found.one_or_none() is not None


async def is_being_voided(db: AsyncConnection, scope: Scope, invoice_id: str) -> bool:
    """Whether it was only finalized in order to be voided."""
    its = mine(invoice_reviews, scope), _C.invoice_id == invoice_id
    found = await db.execute(select(_C.review_id).where(*its, _C.voiding))
    return found.one_or_none() is not None


async def begin(
    db: AsyncConnection, scope: Scope, its_id: str, operation_id: str, *, voiding: bool = False
) -> None:
    """From now on the operation has it, and says what becomes of it."""
    await update_row(db, scope, its_id, doing=operation_id, voiding=voiding)


async def rest(db: AsyncConnection, scope: Scope, its_id: str) -> None:
    """The operation has ended, and it waits as before."""
    await update_row(db, scope, its_id, doing=None, voiding=False)


async def page(
    db: AsyncConnection,
    scope: Scope,
    page: Page,
    *,
    state: str | None = None,
    waiting: bool | None = None,
    customer_id: str | None = None,
) -> tuple[list[Review], bool]:
    """(newest first, whether there are more)."""
    where: list[Any] = []
    if state is not None:
        where.append(_C.state == state)
    if waiting is not None:
        where.append(_C.ended_at.is_(None) if waiting else _C.ended_at.is_not(None))
    if customer_id is not None:
        where.append(_C.customer_id == customer_id)
    rows, more = await read_page(db, scope, invoice_reviews, "review_id", page, *where)
    return [_review(row) for row in rows], more


async def update_row(db: AsyncConnection, scope: Scope, its_id: str, **changes: Any) -> None:
    await db.execute(
        update(invoice_reviews)
        .where(mine(invoice_reviews, scope), _C.review_id == its_id)
        .values(**changes)
    )


async def changed(
    db: AsyncConnection, scope: Scope, its_id: str, actor: str, total_minor: int
) -> None:
    """By a person: whoever approved it approved something else."""
    who = {"changed_by": actor, "changed_at": NOW, "total_minor": total_minor}
    await update_row(db, scope, its_id, **who, **_UNAPPROVED)


async def unapproved(db: AsyncConnection, scope: Scope, its_id: str, total_minor: int) -> None:
    await update_row(db, scope, its_id, total_minor=total_minor, **_UNAPPROVED)


async def approved(
    db: AsyncConnection, scope: Scope, its_id: str, actor: str, total_minor: int
) -> None:
    who = {"approved_by": actor, "approved_at": NOW, "total_minor": total_minor}
    await update_row(db, scope, its_id, state="approved", **who)


async def ended(db: AsyncConnection, scope: Scope, its_id: str, state: str, actor: str) -> None:
    await update_row(db, scope, its_id, **_end(state, actor))


async def left(
    db: AsyncConnection, scope: Scope, invoice_id: str, state: str, actor: str
) -> Review | None:
    """It left the queue by somebody else's hand; None: it was not in it, or we are at it."""
    if not (await db.execute(_STANDS, {**of(scope), "invoice": invoice_id})).scalar_one():
        return None  # nearly always
    o = operations.c
    stuck = exists().where(
        mine(operations, scope), o.operation_id == _C.doing, o.parked_at.is_not(None)
    )
    its = mine(invoice_reviews, scope), _C.invoice_id == invoice_id
    found = await db.execute(
        update(invoice_reviews)
        .where(*its, _C.ended_at.is_(None), or_(_C.doing.is_(None), stuck))
        .values(**_end(state, actor))
        .returning(invoice_reviews)
    )
    row = found.one_or_none()
    return None if row is None else _review(row)


async def due(db: AsyncConnection, scope: Scope, limit: int) -> list[Review]:
    """Those that it is time to announce, or whose period nobody has read yet."""
    found = await db.execute(
        select(invoice_reviews)
        .where(mine(invoice_reviews, scope), _C.ended_at.is_(None), _C.announce_at <= NOW)
        .order_by(_C.announce_at, _C.review_id)
        .limit(limit)
    )
    return [_review(row) for row in found]


async def announce_again(
    db: AsyncConnection, scope: Scope, review: Review, at: datetime, *, told: bool
) -> bool:
    """The next time; False: it was released, or announced by another, meanwhile."""
    same = and_(_C.round == review.round, _C.announced == review.announced)
    found = await db.execute(
        update(invoice_reviews)
        .where(
            mine(invoice_reviews, scope),
            _C.review_id == review.id,
            _C.ended_at.is_(None),
            same,
        )
        .values(announce_at=at, announced=_C.announced + int(told))
        .returning(_C.review_id)
    )
    return found.one_or_none() is not None


async def standing(db: AsyncConnection, scope: Scope) -> tuple[int, int]:
    """(how many wait, the age of the oldest in seconds)."""
    age = func.extract("epoch", NOW - func.min(_C.held_at))
    found = await db.execute(
        select(func.count(), func.coalesce(age, 0)).where(
            mine(invoice_reviews, scope), _C.ended_at.is_(None)
        )
    )
    number, age_s = found.one()
    return number, int(age_s)


def _end(state: str, actor: str) -> dict[str, Any]:
    return {
        "state": state,
        "ended_by": actor,
        "ended_at": NOW,
        "doing": None,
        "voiding": False,
        "announce_at": None,
    }


_UNAPPROVED = {"state": "held", "approved_by": None, "approved_at": None}


def _review(row: Any) -> Review:
    return Review(**{name: getattr(row, name) for name in _NAMES}, id=row.review_id)


_NAMES = [name for name in Review.__dataclass_fields__ if name != "id"]
_STANDS = select(
    exists().where(
        whose(invoice_reviews), _C.invoice_id == bindparam("invoice"), _C.ended_at.is_(None)
    )
)
