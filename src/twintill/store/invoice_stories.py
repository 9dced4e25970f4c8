"""What is known of one invoice beside its row: subscription, actions, and every source's records.

Each source is read up to a bound, the oldest first: an invoice has tens of lines, not thousands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store import invoice_actions, subscription_history
from twintill.store.scoped import mine
from twintill.store.tables import (
    attempts,
    credit_notes,
    inbox,
    invoices,
    ledger_transactions,
    outgoing_events,
    payment_history,
    postings,
    subscriptions,
)

MOST = 1000  # rows of one source


@dataclass(frozen=True, slots=True)
class ItsSubscription:
    """As the mirror has it; the changes are those of this invoice's time (see `read_its`)."""

    id: str
    status: str
    since: datetime | None  # when this status was first seen
    changes: list[Any]


@dataclass(frozen=True, slots=True)
class Records:
    """Rows about one invoice, by who made them."""

    told: list[Any]  # the inbox: Stripe's events and the processors' webhooks
    attempts: list[Any]  # also those of refunds
    facts: list[Any]
    postings: list[Any]  # with their ledger transaction
    events: list[Any]  # to the user's app
    actions: list[Any]

    @property
    def truncated(self) -> bool:
        rows = (self.told, self.attempts, self.facts, self.postings, self.events, self.actions)
        return any(len(of_one) >= MOST for of_one in rows)


async def read_its_subscription(
    db: AsyncConnection, scope: Scope, invoice: Any
) -> ItsSubscription | None:
    """With its changes from this invoice on until the next one of the same subscription."""
    if invoice.subscription_id is None:
        return None
    its, s, i = invoice.subscription_id, subscriptions.c, invoices.c
    found = await db.execute(
        select(s.status).where(mine(subscriptions, scope), s.subscription_id == its)
    )
    status = found.scalar_one_or_none()
    if status is None:
        return None
    following = await db.execute(
        select(func.min(i.created_at)).where(
            mine(invoices, scope), i.subscription_id == its, i.created_at > invoice.created_at
        )
    )
    until = following.scalar_one()
    since = invoice.created_at
    changes = await subscription_history.between(db, scope, its, since, until, MOST)
    last = await subscription_history.last(db, scope, its)
    return ItsSubscription(its, status, None if last is None else last.at, changes)


async def read_records(
    db: AsyncConnection, scope: Scope, invoice_id: str, payment_id: str | None
) -> Records:
    """`payment_id` None: nobody collects it, so that only Stripe and people say something."""
    tried = await _of_payment(db, scope, attempts, payment_id, attempts.c.first_sent_at)
    known = [a.processor_payment_id for a in tried] + [a.reference for a in tried]
    notes = await _of_payment(db, scope, credit_notes, payment_id, credit_notes.c.started_at)
    objects = {invoice_id, *(n.credit_note_id for n in notes), *known} - {None}
    return Records(
        told=await _told(db, scope, objects),
        attempts=tried,
        facts=await _of_payment(db, scope, payment_history, payment_id, payment_history.c.seq),
        postings=await _postings(db, scope, payment_id),
        events=await _events(db, scope, [invoice_id, *([payment_id] if payment_id else [])]),
        actions=await invoice_actions.of_invoice(db, scope, invoice_id),
    )


async def _told(db: AsyncConnection, scope: Scope, objects: Iterable[str]) -> list[Any]:
    c = inbox.c
    query = select(inbox).where(mine(inbox, scope), c.object_id.in_(sorted(objects)))
    return list(await db.execute(query.order_by(c.inbox_id).limit(MOST)))


async def _of_payment(
    db: AsyncConnection,
    scope: Scope,
    table: Any,
    payment_id: str | None,
    order: ColumnElement[Any],
) -> list[Any]:
    if payment_id is None:
        return []
    query = select(table).where(mine(table, scope), table.c.payment_id == payment_id)
    return list(await db.execute(query.order_by(order).limit(MOST)))


async def _postings(db: AsyncConnection, scope: Scope, payment_id: str | None) -> list[Any]:
    if payment_id is None:
        return []
    t, p = ledger_transactions.c, postings.c
    query = (
        select(
            t.ledger_transaction_id, t.kind, t.cause, t.at, p.account, p.currency, p.amount_minor
        )
        .join_from(
            postings,
            ledger_transactions,
            (t.stripe_account_id == p.stripe_account_id)
            & (t.livemode == p.livemode)
            & (t.ledger_transaction_id == p.ledger_transaction_id),
        )
        .where(mine(postings, scope), p.payment_id == payment_id)
        .order_by(t.at, t.ledger_transaction_id, p.n)
    )
    return list(await db.execute(query.limit(MOST)))


async def _events(db: AsyncConnection, scope: Scope, objects: list[str]) -> list[Any]:
    c = outgoing_events.c
    columns = select(c.event_id, c.type, c.object_id, c.created_at)
    query = columns.where(mine(outgoing_events, scope), c.object_id.in_(objects))
    return list(await db.execute(query.order_by(c.created_at, c.event_id).limit(MOST)))
