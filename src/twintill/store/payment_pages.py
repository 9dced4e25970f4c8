"""Payments as people read them: amounts for a list, and one with its whole history."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.follow_on import KIND as FOLLOW_ON
from twintill.domain.payment import State
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import dispute_pages, refund_pages
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import (
    attempts,
    credit_notes,
    ledger_transactions,
    operations,
    payment_history,
    payments,
    postings,
    receipts,
)


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """None: any."""

    customer_id: str | None = None
    invoice_id: str | None = None
    state: State | None = None
    parked: bool | None = None
    created: Created = field(default_factory=Created)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums of a payment's receipts, in minor units."""

    collected_minor: int = 0
    reported_minor: int = 0
    stranded_minor: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class WholePayment:
    """A payment's row and everything that hangs on it, in the order in which it happened."""

    payment: Any
    amounts: Amounts
    attempts: list[Any]
    receipts: list[Any]
    history: list[Any]
    postings: list[Any]
    follow_ons: list[Any]
    refunds: list[Any]  # that were asked for
    notes: list[Any]  # Stripe's credit notes
    disputes: list[Any]


async def list_payments(
    db: AsyncConnection, scope: Scope, page: Page, only: PaymentFilter
) -> tuple[list[Any], bool]:
    """(rows, whether there are more)."""
    c = payments.c
    where = only.created.where(c.created_at)
    if only.customer_id is not None:
        where.append(c.customer_id == only.customer_id)
    if only.invoice_id is not None:
        where.append(c.invoice_id == only.invoice_id)
    if only.state is not None:
        where.append(c.state == only.state.value)
    if only.parked is not None:
        where.append(c.parked_at.is_not(None) if only.parked else c.parked_at.is_(None))
    return await read_page(db, scope, payments, "payment_id", page, *where)


async def list_parked(db: AsyncConnection, scope: Scope, limit: int) -> list[Any]:
    """Rows for a person, the longest waiting first."""
    c = payments.c
    query = select(payments).where(mine(payments, scope), c.parked_at.is_not(None))
    return list(await db.execute(query.order_by(c.parked_at, c.payment_id).limit(limit)))


async def amounts_of(
    db: AsyncConnection, scope: Scope, payment_ids: Iterable[str]
) -> dict[str, Amounts]:
    """Only of those that have receipts."""
    c = receipts.c
    # Money of a debit that failed after all was never here.
    living = case((c.failed, 0), else_=c.collected_minor)
    sums = await db.execute(
        select(
            c.payment_id,
            func.sum(living),
            func.sum(c.reported_minor),
            func.sum(c.stranded_minor),
            func.sum(c.refunded_minor),
        )
        .where(mine(receipts, scope), c.payment_id.in_(list(payment_ids)))
        .group_by(c.payment_id)
    )
    return {payment_id: Amounts(*map(int, amounts)) for payment_id, *amounts in sums}


async def read_whole(db: AsyncConnection, scope: Scope, payment_id: str) -> WholePayment:
    """Raises NotFoundError."""
    found = await _rows(db, scope, payments, payment_id)
    if not found:
        raise NotFoundError(f"No such payment: {payment_id}", param="payment")
    amounts = await amounts_of(db, scope, [payment_id])
    a, r, h, n = attempts.c, receipts.c, payment_history.c, credit_notes.c
    return WholePayment(
        found[0],
        amounts.get(payment_id, Amounts()),
        await _rows(db, scope, attempts, payment_id, a.kind, a.n),
        await _rows(db, scope, receipts, payment_id, r.collected_at, r.receipt_id),
        await _rows(db, scope, payment_history, payment_id, h.seq),
        await _postings(db, scope, payment_id),
        await _follow_ons(db, scope, payment_id, found[0].customer_id),
        await refund_pages.of_payment(db, scope, payment_id),
        await _rows(db, scope, credit_notes, payment_id, n.started_at, n.note_id),
        await dispute_pages.of_payment(db, scope, payment_id),
    )


async def _rows(
    db: AsyncConnection,
    scope: Scope,
    table: Any,
    payment_id: str,
    *order: ColumnElement[Any],
) -> list[Any]:
    query = select(table).where(mine(table, scope), table.c.payment_id == payment_id)
    return list(await db.execute(query.order_by(*order)))


async def _follow_ons(
    db: AsyncConnection, scope: Scope, payment_id: str, customer_id: str
) -> list[Any]:
    """The operations that invoice a part of it anew, oldest first."""
    c = operations.c
    query = select(operations).where(
        mine(operations, scope),
        c.customer_id == customer_id,
        c.kind == FOLLOW_ON,
        c.data["payment_id"].astext == payment_id,
    )
    return list(await db.execute(query.order_by(c.created_at, c.operation_id)))


async def _postings(db: AsyncConnection, scope: Scope, payment_id: str) -> list[Any]:
    t, p = ledger_transactions.c, postings.c
    joined: FromClause = postings.join(
        ledger_transactions,
        (t.stripe_account_id == p.stripe_account_id)
        & (t.livemode == p.livemode)
        & (t.ledger_transaction_id == p.ledger_transaction_id),
    )
    columns = (
        t.ledger_transaction_id,
        t.cause,
        t.kind,
        t.at,
        p.n,
        p.account,
        p.currency,
        p.amount_minor,
        p.receipt_id,
    )
    rows = await db.execute(
        select(*columns)
        .select_from(joined)
        .where(mine(postings, scope), p.payment_id == payment_id)
        .order_by(t.at, t.ledger_transaction_id, p.n)
    )
    return list(rows)
