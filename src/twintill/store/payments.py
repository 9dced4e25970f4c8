"""Payments: lock one with all that hangs on it, and write what was decided. The only writer.

`lock` and `apply` are the two halves of `learn` (flows.learn): between them lies only the pure
`decide`, inside one database transaction, with no network call.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, bindparam, case, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.decision import Decision
from twintill.domain.payment import AskedTry, Payment, Reason, State
from twintill.domain.policy import AtEnd
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import hand_rows, ledger, money_back_rows, money_rows
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.hand_rows import BY_HAND
from twintill.store.money_back_rows import ASKS, DISPUTES, NOTES
from twintill.store.scoped import key, of, whose
from twintill.store.tables import customers, payment_history, payments
from twintill.store.usable import ITS_CUSTOMER, OVERRIDES, USABLE, usable


def _since(moment: Any) -> Any:
    """The time that is there, else now."""
    return func.coalesce(moment, NOW)


@dataclass(frozen=True, slots=True)
class Locked:
    """A payment under its row lock, with what `apply` needs to know of the row."""

    scope: Scope
    payment: Payment
    history_seq: int
    lane: str
    lease_token: Any
    now: datetime


async def add(
    db: AsyncConnection, scope: Scope, payment: Payment, lane: str, created_at: datetime
) -> bool:
    """A new payment for an invoice; False when it has one already: a restart reuses it."""
    row = {
        "payment_id": payment.id,
        "invoice_id": payment.invoice_id,
        "customer_id": payment.customer_id,
        "currency": payment.currency,
        "continues": payment.continues,
        "lane": lane,
        "created_at": created_at,
        **key(scope),
        **_payment_columns(payment),
        "ended_at": NOW if payment.ended else None,
    }
    statement = upsert(payments).values(row).on_conflict_do_nothing().returning(payments.c.lane)
    return (await db.execute(statement)).one_or_none() is not None


async def open_and_ring(
    db: AsyncConnection, scope: Scope, payment: Payment, lane: str, now: datetime
) -> bool:
    """A new payment that is due at once; False when the invoice has one already."""
    added = await add(db, scope, payment, lane, now)
    if added:
        await enqueue(db, Bell(Kind.PAYMENT, scope, payment.id, lane))
    return added


async def lock(db: AsyncConnection, scope: Scope, payment_id: str) -> Locked:
    """The payment with all that hangs on it, its row locked until the transaction ends.

    Raises NotFoundError.
    """
    of_this = {**of(scope), "id": payment_id}
    # On its own: a statement that waits for the row reads all other rows as before the wait.
    await db.execute(_LOCK, of_this)
    row = (await db.execute(_READ_LOCKED, of_this)).one_or_none()
    if row is None:
        raise NotFoundError(f"No such payment: {payment_id}", param="payment")
    payment = await _with_money(db, scope, row)
    return Locked(scope, payment, row.history_seq, row.lane, row.lease_token, row.now)


async def read(db: AsyncConnection, scope: Scope, payment_id: str) -> Payment:
    """The same without a lock. Raises NotFoundError."""
    row = (await db.execute(_READ, {**of(scope), "id": payment_id})).one_or_none()
    if row is None:
        raise NotFoundError(f"No such payment: {payment_id}", param="payment")
    return await _with_money(db, scope, row)


async def apply(
    db: AsyncConnection,
    locked: Locked,
    decision: Decision,
    *,
    fact: str,
    detail: dict[str, Any],
    actor: str,
) -> None:
    """Write all of a decision: the row, its history, attempts, receipts, postings, the bell."""
    before, after = locked.payment, decision.payment
    seq = locked.history_seq + 1
    written = {
        **_payment_columns(after),
        "history_seq": seq,
        "has_ended": after.ended,
        "is_parked": after.parked_why is not None,
    }
    await db.execute(_WRITE, {**of(locked.scope), "id": after.id, **written})
    await _write_history(db, locked, decision, seq, fact, detail, actor)
    await money_rows.write(db, locked.scope, before, after)
    for posted in decision.postings:
        await ledger.post(db, locked.scope, posted, payment_id=after.id)
    await _ring(db, locked, after)


async def _ring(db: AsyncConnection, locked: Locked, after: Payment) -> None:
    """Only when it is due now and nobody holds it: the holder's release rings by itself."""
    if locked.lease_token is not None or after.parked_why is not None or after.ended:
        return
    if after.next_look_at is not None and after.next_look_at <= locked.now:
        await enqueue(db, Bell(Kind.PAYMENT, locked.scope, after.id, locked.lane))


async def _write_history(
    db: AsyncConnection,
    locked: Locked,
    decision: Decision,
    seq: int,
    fact: str,
    detail: dict[str, Any],
    actor: str,
) -> None:
    after = decision.payment
    if decision.note is not None:
        detail = {**detail, "note": decision.note}
    row = {
        **key(locked.scope),
        "payment_id": after.id,
        "seq": seq,
        "at": locked.now,
        "fact": fact,
        "detail": detail,
        "state_before": locked.payment.state,
        "state_after": after.state,
        "reason_after": after.reason,
        "attempt_id": decision.attempt_id,
        "actor": actor,
    }
    await db.execute(_NOTE, row)


async def _with_money(db: AsyncConnection, scope: Scope, row: Any) -> Payment:
    tried, given_back, received = await money_rows.read(db, scope, row.payment_id)
    return Payment(
        id=row.payment_id,
        invoice_id=row.invoice_id,
        customer_id=row.customer_id,
        currency=row.currency,
        state=State(row.state),
        reason=None if row.reason is None else Reason(row.reason),
        next_look_at=row.next_look_at,
        due_at=row.due_at,
        limit_minor=row.limit_minor,
        ended=row.ended_at is not None,
        parked_why=row.parked_why if row.parked_at is not None else None,
        reports=row.reports,
        unreadable=row.unreadable,
        methods=usable(row.usable),
        overrides=row.overrides,
        continues=row.continues,
        refund_agreed=row.refund_agreed,
        closing=None if row.closing is None else AtEnd(row.closing),
        asked_try=_asked_try(row),
        attempts=tried,
        receipts=received,
        refunds=given_back,
        compare_at=row.compare_at,
        asks=money_back_rows.asks(row.asks),
        notes=money_back_rows.notes(row.notes),
        disputes=money_back_rows.disputes(row.disputes),
        by_hand=hand_rows.by_hand(row.by_hand),
    )


def _asked_try(row: Any) -> AskedTry | None:
    return None if row.asked_n is None else AskedTry(row.asked_method_id, row.asked_n)


_READ = (
    select(payments, OVERRIDES, USABLE, ASKS, NOTES, DISPUTES, BY_HAND)
    .join_from(payments, customers, ITS_CUSTOMER)
    .where(whose(payments), payments.c.payment_id == bindparam("id"))
)
_READ_LOCKED = _READ.add_columns(NOW.label("now"))
_LOCK = (
    select(payments.c.payment_id)
    .where(whose(payments), payments.c.payment_id == bindparam("id"))
    .with_for_update()
)
_WRITE = (
    update(payments)
    .where(whose(payments), payments.c.payment_id == bindparam("id"))
    .values(
        ended_at=case((bindparam("has_ended", type_=Boolean), _since(payments.c.ended_at))),
        parked_at=case((bindparam("is_parked", type_=Boolean), _since(payments.c.parked_at))),
    )
)
_NOTE = insert(payment_history)


def _payment_columns(payment: Payment) -> dict[str, Any]:
    """All but the times of its end and of its parking, which are kept once they are set."""
    return {
        "state": payment.state,
        "reason": payment.reason,
        "next_look_at": payment.next_look_at,
        "due_at": payment.due_at,
        "limit_minor": payment.limit_minor,
        "parked_why": payment.parked_why,
        "reports": payment.reports,
        "unreadable": payment.unreadable,
        "refund_agreed": payment.refund_agreed,
        "closing": payment.closing,
        "compare_at": payment.compare_at,
        "asked_method_id": payment.asked_try and payment.asked_try.method_id,
        "asked_n": payment.asked_try and payment.asked_try.n,
    }
