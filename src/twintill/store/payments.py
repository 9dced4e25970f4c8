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
from twintill.domain.outcomes import DeclineKind, Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.money import Money
from twintill.store import ledger
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.scoped import key, of, whose
from twintill.store.tables import attempts, payment_history, payments, receipts


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
    """The payment, its attempts and receipts, with the row locked until the transaction ends.

    Raises NotFoundError.
    """
    row = (await db.execute(_LOCK, {**of(scope), "id": payment_id})).one_or_none()
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
    await _write_attempts(db, locked.scope, before, after)
    await _write_receipts(db, locked.scope, before, after)
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


async def _write_attempts(
    db: AsyncConnection, scope: Scope, before: Payment, after: Payment
) -> None:
    known = {a.id: a for a in before.attempts}
    # Those that are resolved now are written first: only one may be unresolved at any moment.
    for attempt in sorted(after.attempts, key=lambda a: a.unresolved):
        if attempt.id not in known:
            row = {**key(scope), **_attempt_identity(after, attempt), **_attempt_columns(attempt)}
            await db.execute(_NEW_ATTEMPT, row)
        elif attempt != known[attempt.id]:
            of_this = {**of(scope), "id": attempt.id}
            await db.execute(_CHANGE_ATTEMPT, {**of_this, **_attempt_columns(attempt)})


async def _write_receipts(
    db: AsyncConnection, scope: Scope, before: Payment, after: Payment
) -> None:
    known = {r.id: r for r in before.receipts}
    for receipt in after.receipts:
        if receipt.id not in known:
            row = {**key(scope), **_receipt_identity(after, receipt), **_receipt_columns(receipt)}
            await db.execute(_NEW_RECEIPT, row)
        elif receipt != known[receipt.id]:
            of_this = {**of(scope), "id": receipt.id}
            await db.execute(_CHANGE_RECEIPT, {**of_this, **_receipt_columns(receipt)})


async def _with_money(db: AsyncConnection, scope: Scope, row: Any) -> Payment:
    of_this = {**of(scope), "id": row.payment_id}
    tried, received = await db.execute(_TRIED, of_this), await db.execute(_RECEIVED, of_this)
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
        attempts=tuple(_attempt(a) for a in tried),
        receipts=tuple(_receipt(r) for r in received),
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        id=row.attempt_id,
        n=row.n,
        method_id=row.payment_method_id,
        processor=row.processor,
        processor_account_id=row.processor_account_id,
        amount=Money(row.amount_minor, row.currency),
        reference=row.reference,
        idempotency_key=row.idempotency_key,
        first_sent_at=row.first_sent_at,
        sealed_body=row.sealed_body or b"",
        sendings=row.sendings,
        asked=row.asked,
        outcome=Outcome(row.outcome),
        finality=None if row.finality is None else Finality(row.finality),
        processor_payment_id=row.processor_payment_id,
        decline_kind=None if row.decline_kind is None else DeclineKind(row.decline_kind),
        code=row.code,
        detail=row.detail,
        retry_after_s=row.retry_after_s,
        action_url=row.action_url,
        expected_at=row.expected_at,
        answered_at=row.answered_at,
    )


def _receipt(row: Any) -> Receipt:
    return Receipt(
        id=row.receipt_id,
        attempt_id=row.attempt_id,
        source=row.source,
        processor_account_id=row.processor_account_id,
        currency=row.currency,
        finality=Finality(row.finality),
        collected_minor=row.collected_minor,
        collected_at=row.collected_at,
        reported_minor=row.reported_minor,
        stranded_minor=row.stranded_minor,
        refunded_minor=row.refunded_minor,
        failed=row.failed,
    )


_LOCK = (
    select(payments, NOW.label("now"))
    .where(whose(payments), payments.c.payment_id == bindparam("id"))
    .with_for_update()
)
_READ = select(payments).where(whose(payments), payments.c.payment_id == bindparam("id"))
_WRITE = (
    update(payments)
    .where(whose(payments), payments.c.payment_id == bindparam("id"))
    .values(
        ended_at=case((bindparam("has_ended", type_=Boolean), _since(payments.c.ended_at))),
        parked_at=case((bindparam("is_parked", type_=Boolean), _since(payments.c.parked_at))),
    )
)
_NOTE = insert(payment_history)
_TRIED = (
    select(attempts)
    .where(
        whose(attempts),
        attempts.c.payment_id == bindparam("id"),
        attempts.c.kind == "charge",
    )
    .order_by(attempts.c.n)
)
_RECEIVED = (
    select(receipts)
    .where(whose(receipts), receipts.c.payment_id == bindparam("id"))
    .order_by(receipts.c.collected_at, receipts.c.receipt_id)
)
_NEW_ATTEMPT = insert(attempts)
_CHANGE_ATTEMPT = update(attempts).where(whose(attempts), attempts.c.attempt_id == bindparam("id"))
_NEW_RECEIPT = insert(receipts)
_CHANGE_RECEIPT = update(receipts).where(whose(receipts), receipts.c.receipt_id == bindparam("id"))


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
    }


def _attempt_identity(payment: Payment, attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt_id": attempt.id,
        "payment_id": payment.id,
        "kind": "charge",
        "n": attempt.n,
        "payment_method_id": attempt.method_id,
        "processor": attempt.processor,
        "processor_account_id": attempt.processor_account_id,
        "amount_minor": attempt.amount.minor,
        "currency": attempt.amount.currency,
        "reference": attempt.reference,
        "idempotency_key": attempt.idempotency_key,
        "sealed_body": attempt.sealed_body,
        "first_sent_at": attempt.first_sent_at,
    }


def _attempt_columns(attempt: Attempt) -> dict[str, Any]:
    return {
        "sendings": attempt.sendings,
        "asked": attempt.asked,
        "outcome": attempt.outcome,
        "finality": attempt.finality,
        "processor_payment_id": attempt.processor_payment_id,
        "decline_kind": attempt.decline_kind,
        "code": attempt.code,
        "detail": attempt.detail,
        "retry_after_s": attempt.retry_after_s,
        "action_url": attempt.action_url,
        "expected_at": attempt.expected_at,
        "answered_at": attempt.answered_at,
    }


def _receipt_identity(payment: Payment, receipt: Receipt) -> dict[str, Any]:
    return {
        "receipt_id": receipt.id,
        "payment_id": payment.id,
        "attempt_id": receipt.attempt_id,
        "source": receipt.source,
        "processor_account_id": receipt.processor_account_id,
        "currency": receipt.currency,
        "collected_minor": receipt.collected_minor,
        "collected_at": receipt.collected_at,
    }


def _receipt_columns(receipt: Receipt) -> dict[str, Any]:
    return {
        "finality": receipt.finality,
        "reported_minor": receipt.reported_minor,
        "stranded_minor": receipt.stranded_minor,
        "refunded_minor": receipt.refunded_minor,
        "failed": receipt.failed,
    }
