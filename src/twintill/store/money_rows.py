"""A payment's attempts, refunds and receipts as rows: read and written with it, never alone.

Refunds are rows of `attempts` with a kind of their own: the same outcomes, the same guards.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Insert, Update, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.outcomes import DeclineKind, Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Receipt, Refund, RefundOf
from twintill.ids import Scope
from twintill.money import Money
from twintill.store import hand_rows, money_back_rows
from twintill.store.scoped import key, of, whose
from twintill.store.tables import attempts, receipts

CHARGE, REFUND = "charge", "refund"


async def read(
    db: AsyncConnection, scope: Scope, payment_id: str
) -> tuple[tuple[Attempt, ...], tuple[Refund, ...], tuple[Receipt, ...]]:
    """Everything that hangs on one payment."""
    of_this = {**of(scope), "id": payment_id}
    requests = list(await db.execute(_REQUESTED, of_this))
    received = await db.execute(_RECEIVED, of_this)
    return (
        tuple(_attempt(row) for row in requests if row.kind == CHARGE),
        tuple(_refund(row) for row in requests if row.kind == REFUND),
        tuple(_receipt(row) for row in received),
    )


async def write(db: AsyncConnection, scope: Scope, before: Payment, after: Payment) -> None:
    """What is new or has changed. Receipts follow their attempts, refunds their receipts."""
    # Those that are resolved now are written first: only one may be unresolved at any moment.
    tried = sorted(after.attempts, key=lambda a: a.unresolved)
    given_back = sorted(after.refunds, key=lambda r: r.unresolved)
    await _write_each(db, scope, after, _ATTEMPTS, before.attempts, tried)
    await _write_each(db, scope, after, _RECEIPTS, before.receipts, after.receipts)
    await _write_each(db, scope, after, _REFUNDS, before.refunds, given_back)
    await money_back_rows.write(db, scope, before, after)
    await hand_rows.write(db, scope, before, after)


Hanging = TypeVar("Hanging", Attempt, Refund, Receipt)


@dataclass(frozen=True, slots=True)
class _Rows(Generic[Hanging]):
    """How one kind is written: what never changes, and what may."""

    new: Insert
    change: Update
    identity: Callable[[Payment, Hanging], dict[str, Any]]
    columns: Callable[[Hanging], dict[str, Any]]


async def _write_each(
    db: AsyncConnection,
    scope: Scope,
    payment: Payment,
    rows: _Rows[Hanging],
    before: Iterable[Hanging],
    after: Iterable[Hanging],
) -> None:
    known = {one.id: one for one in before}
    for one in after:
        if one.id not in known:
            row = {**key(scope), **rows.identity(payment, one), **rows.columns(one)}
            await db.execute(rows.new, row)
        elif one != known[one.id]:
            await db.execute(rows.change, {**of(scope), "id": one.id, **rows.columns(one)})


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


def _refund(row: Any) -> Refund:
    return Refund(
        id=row.attempt_id,
        n=row.n,
        receipt_id=row.receipt_id,
        processor=row.processor,
        processor_account_id=row.processor_account_id,
        amount=Money(row.amount_minor, row.currency),
        reference=row.reference,
        idempotency_key=row.idempotency_key,
        first_sent_at=row.first_sent_at,
        of=RefundOf(row.refund_of or RefundOf.STRANDED),
        sealed_body=row.sealed_body or b"",
        sendings=row.sendings,
        asked=row.asked,
        outcome=Outcome(row.outcome),
        processor_refund_id=row.processor_payment_id,
        another_way=row.another_way,
        code=row.code,
        detail=row.detail,
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
        disputed_minor=row.disputed_minor,
        refund_due_minor=row.refund_due_minor,
        note_due_minor=row.note_due_minor,
        withheld_minor=row.withheld_minor,
        loss_minor=row.loss_minor,
        credit_minor=row.credit_minor,
        failed=row.failed,
    )


_REQUESTED = (
    select(attempts)
    .where(whose(attempts), attempts.c.payment_id == bindparam("id"))
    .order_by(attempts.c.kind, attempts.c.n)
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


def _attempt_identity(payment: Payment, attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt_id": attempt.id,
        "payment_id": payment.id,
        "kind": CHARGE,
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


def _refund_identity(payment: Payment, refund: Refund) -> dict[str, Any]:
    return {
        "attempt_id": refund.id,
        "payment_id": payment.id,
        "kind": REFUND,
        "n": refund.n,
        "receipt_id": refund.receipt_id,
        "refund_of": refund.of,
        "processor": refund.processor,
        "processor_account_id": refund.processor_account_id,
        "amount_minor": refund.amount.minor,
        "currency": refund.amount.currency,
        "reference": refund.reference,
        "idempotency_key": refund.idempotency_key,
        "sealed_body": refund.sealed_body,
        "another_way": refund.another_way,
        "first_sent_at": refund.first_sent_at,
    }


def _refund_columns(refund: Refund) -> dict[str, Any]:
    return {
        "sendings": refund.sendings,
        "asked": refund.asked,
        "outcome": refund.outcome,
        "processor_payment_id": refund.processor_refund_id,
        "code": refund.code,
        "detail": refund.detail,
        "answered_at": refund.answered_at,
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
        "disputed_minor": receipt.disputed_minor,
        "refund_due_minor": receipt.refund_due_minor,
        "note_due_minor": receipt.note_due_minor,
        "withheld_minor": receipt.withheld_minor,
        "loss_minor": receipt.loss_minor,
        "credit_minor": receipt.credit_minor,
        "failed": receipt.failed,
    }


_ATTEMPTS = _Rows(_NEW_ATTEMPT, _CHANGE_ATTEMPT, _attempt_identity, _attempt_columns)
_REFUNDS = _Rows(_NEW_ATTEMPT, _CHANGE_ATTEMPT, _refund_identity, _refund_columns)
_RECEIPTS = _Rows(_NEW_RECEIPT, _CHANGE_RECEIPT, _receipt_identity, _receipt_columns)
