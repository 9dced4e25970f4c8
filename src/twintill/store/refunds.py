"""What was given back lately, for the caps; and finding a refund by the names of a processor."""

from datetime import timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.caps import AskedFor, GivenBack
from twintill.domain.payment import Outcome
from twintill.ids import Scope
from twintill.store.attempts import Found
from twintill.store.clock import NOW
from twintill.store.money_rows import REFUND
from twintill.store.scoped import mine
from twintill.store.tables import attempts, payments, receipts, refund_asks

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
# Two workers must not both find room for the last refund below a cap.
_ONE_ASK_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('twintill: asked refunds'))")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('twintill: automatic refunds'))")


async def given_back(db: AsyncConnection, scope: Scope, currency: str) -> GivenBack:
    """Of the last hour and day, in this currency; whoever asks next waits for this transaction."""
    await db.execute(_ONE_AT_A_TIME)
    a, r = attempts.c, receipts.c
    in_hour = a.first_sent_at > NOW - _HOUR
    sums = await db.execute(
        select(
            func.count().filter(in_hour),
            _sum(a.amount_minor, in_hour),
            func.count(),
            _sum(a.amount_minor, a.first_sent_at > NOW - _DAY),
        ).where(
            mine(attempts, scope),
            a.kind == REFUND,
            a.currency == currency,
            a.outcome.not_in(("declined", "not_sent")),
            a.sendings > 0,
            ~_asked_for(),
            a.first_sent_at > NOW - _DAY,
        )
    )
    collected = await db.execute(
        select(_sum(r.collected_minor, r.collected_at > NOW - _DAY)).where(
            mine(receipts, scope),
            r.currency == currency,
            r.collected_at > NOW - _DAY,
            r.attempt_id.is_not(None),  # not what a person said that he has in hand
        )
    )
    in_hour_count, in_hour_minor, in_day_count, in_day_minor = map(int, sums.one())
    return GivenBack(
        in_hour_count, in_hour_minor, in_day_count, in_day_minor, int(collected.scalar_one())
    )


async def asked_for(db: AsyncConnection, scope: Scope, currency: str) -> AskedFor:
    """In the last hour, in this currency; whoever asks next waits for this transaction.

    What was refused gave nothing back, and what a person paid another way did not leave through us.
    """
    await db.execute(_ONE_ASK_AT_A_TIME)
    c, p, a = refund_asks.c, payments.c, attempts.c
    same = ("stripe_account_id", "livemode")
    paid_by_hand = exists().where(
        *(a[k] == c[k] for k in (*same, "attempt_id")), a.another_way.is_not(None)
    )
    found = await db.execute(
        select(func.count(), func.coalesce(func.sum(c.amount_minor), 0))
        .select_from(refund_asks)
        .join(payments, and_(*(p[k] == c[k] for k in (*same, "payment_id"))))
        .where(
            mine(refund_asks, scope),
            p.currency == currency,
            c.created_at > NOW - _HOUR,
            c.state != "refused",
            ~paid_by_hand,
        )
    )
    count, minor = map(int, found.one())
    return AskedFor(count, minor)


async def find(
    db: AsyncConnection,
    scope: Scope,
    processor_account_id: str,
    *,
    reference: str | None,
    refund_id: str | None,
) -> Found | None:
    """By our reference (unique there), else by the processor's own id."""
    c = attempts.c
    names = [column == name for column, name in _names(reference, refund_id) if name is not None]
    if not names:
        return None
    rows = await db.execute(
        select(c.attempt_id, c.payment_id)
        .where(
            mine(attempts, scope),
            c.processor_account_id == processor_account_id,
            c.kind == REFUND,
            or_(*names),
        )
        .order_by((c.reference == reference).desc() if reference else c.n)
        .limit(1)
    )
    row = rows.one_or_none()
    return None if row is None else Found(row.attempt_id, row.payment_id)


async def outcomes(
    db: AsyncConnection, scope: Scope, processor_account_id: str, refund_ids: list[str]
) -> dict[str, Outcome]:
    """What became of those that are known here, by the processor's own ids."""
    c = attempts.c
    rows = await db.execute(
        select(c.processor_payment_id, c.outcome).where(
            mine(attempts, scope),
            c.processor_account_id == processor_account_id,
            c.kind == REFUND,
            c.processor_payment_id.in_(refund_ids),
        )
    )
    return {row.processor_payment_id: Outcome(row.outcome) for row in rows}


def _asked_for() -> Any:
    """What a person asked for is no automatic refund."""
    same = [
        refund_asks.c[k] == attempts.c[k] for k in ("stripe_account_id", "livemode", "attempt_id")
    ]
    return exists().where(*same)


def _names(reference: str | None, refund_id: str | None) -> list[tuple[Any, str | None]]:
    return [
        (attempts.c.reference, reference),
        (attempts.c.processor_payment_id, refund_id),
    ]


def _sum(column: Any, when: Any) -> Any:
    return func.coalesce(func.sum(column).filter(when), 0)
