"""Which invoices an id is about, whoever's id it is: ours, Stripe's, the processor's.

One statement of probes of keys: each is an index look-up, and most find nothing.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    func,
    select,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.scoped import of, whose
from twintill.store.tables import (
    attempts,
    checkouts,
    credit_notes,
    disputes,
    hand_payments,
    inbox,
    invoice_actions,
    invoice_reviews,
    invoices,
    ledger_transactions,
    operations,
    payments,
    receipts,
    refund_asks,
)

_ID: BindParameter[str] = bindparam("object", type_=Text)
_MOST = 100  # an id is of one invoice, or of a few (an operation that moved several)
_INVOICE_OF_AN_OPERATION = ("invoice_id", "new_invoice_id")
_PAYMENT_OF_AN_OPERATION = ("payment_id", "new_payment_id")


async def invoices_of(db: AsyncConnection, scope: Scope, object_id: str) -> list[str]:
    """Ids of the invoices that it is about: none, one, or a few. Not of customers, which have many.

    invoice, payment, attempt, receipt, refund, credit note, dispute, checkout, operation, ledger
    transaction, payment by hand, review of a draft, what a person did, Stripe's event, our
    reference, the processor's id of a charge, a refund or a dispute.
    """
    found = await db.execute(_INVOICES_OF, {**of(scope), "object": object_id})
    return [invoice_id for invoice_id in found.scalars() if invoice_id]


def _invoices_of() -> Any:
    payment_ids = union(*_payments()).subquery()
    p = payments.c
    by_payment = _of(payments, p.invoice_id, p.payment_id.in_(select(payment_ids)))
    return union(*_named_there(), by_payment).limit(_MOST)


def _named_there() -> Iterator[Select[Any]]:
    """Rows that name the invoice themselves; of an event, only one that is about an invoice."""
    c, o, e, a, i = checkouts.c, operations.c, inbox.c, invoice_actions.c, invoices.c
    yield _of(invoices, i.invoice_id, i.invoice_id == _ID)
    yield _of(checkouts, c.invoice_id, c.checkout_id == _ID)
    yield _of(checkouts, c.invoice_id, c.operation_id == _ID)
    yield _of(invoice_actions, a.invoice_id, a.action_id == _ID)
    hand, review = hand_payments.c, invoice_reviews.c
    yield _of(hand_payments, hand.invoice_id, hand.hand_payment_id == _ID)
    yield _of(invoice_reviews, review.invoice_id, review.review_id == _ID)
    for field in _INVOICE_OF_AN_OPERATION:
        yield _of(operations, o.data[field].astext, o.operation_id == _ID)
    its_event = and_(e.source == "stripe", e.dedupe_key == _ID)
    its_object = _of(inbox, e.object_id, its_event)
    yield _of(invoices, i.invoice_id, i.invoice_id.in_(its_object))


def _payments() -> Iterator[Select[Any]]:
    """Of the payments that it belongs to."""
    o, a, d = operations.c, attempts.c, disputes.c
    for table, its_id in _KEYS:
        yield _of(table, table.c.payment_id, table.c[its_id] == _ID)
    for field in _PAYMENT_OF_AN_OPERATION:
        yield _of(operations, o.data[field].astext, o.operation_id == _ID)
    accounts = _accounts()
    ours, theirs = a.processor_account_id.in_(accounts), d.processor_account_id.in_(accounts)
    yield _of(attempts, a.payment_id, ours, a.reference == _ID)
    kinds = a.kind.in_(("charge", "refund"))
    yield _of(attempts, a.payment_id, ours, kinds, a.processor_payment_id == _ID)
    yield _of(disputes, d.payment_id, theirs, d.processor_dispute_id == _ID)


def _accounts() -> Select[Any]:
    """The few processor accounts that attempts were made at.

    Ids and references are unique within each: with these named, those keys are indexes enough. Read
    from one account to the next in the index, not over all attempts.
    """
    a = attempts.c
    first = select(func.min(a.processor_account_id).label("id")).where(whose(attempts))
    known = first.cte("known_accounts", recursive=True)
    following = (
        select(func.min(a.processor_account_id))
        .where(whose(attempts), a.processor_account_id > known.c.id)
        .scalar_subquery()
    )
    known = known.union_all(select(following).where(known.c.id.is_not(None)))
    return select(known.c.id).where(known.c.id.is_not(None))


def _of(table: Table, column: ColumnElement[Any], *where: ColumnElement[bool]) -> Select[Any]:
    return select(column.label("its_id")).where(whose(table), *where)


_KEYS = (
    (payments, "payment_id"),
    (attempts, "attempt_id"),
    (receipts, "receipt_id"),
    (refund_asks, "refund_ask_id"),
    (credit_notes, "note_id"),
    (credit_notes, "credit_note_id"),
    (disputes, "dispute_id"),
    (ledger_transactions, "ledger_transaction_id"),
)
_INVOICES_OF = _invoices_of()  # built once: that costs more than to execute it
