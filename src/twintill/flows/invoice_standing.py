"""One invoice with everything that people ask about it: how it stands, in words and in rows."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.domain.invoice_words import NextAttempt, Standing, in_words, next_attempt
from twintill.domain.overrides import overlay
from twintill.domain.policy import Policy
from twintill.ids import Scope
from twintill.money import Money
from twintill.store import (
    clock,
    invoice_actions,
    invoice_pages,
    invoice_stories,
    payment_pages,
    payments,
)
from twintill.store.invoice_stories import ItsSubscription
from twintill.store.payment_pages import WholePayment


@dataclass(frozen=True, slots=True)
class WholeInvoice:
    """The mirror's row, and what belongs to it."""

    invoice: Any
    collecting: WholePayment | None
    words: str
    overdue: bool
    follows: NextAttempt | None
    subscription: ItsSubscription | None
    actions: list[Any]  # who did what through us
    continues: str | None  # the invoice whose rest, or failed debit, it collects


async def read(db: AsyncConnection, scope: Scope, policy: Policy, invoice_id: str) -> WholeInvoice:
    """`policy`: the account's. Raises NotFoundError."""
    row = await invoice_pages.read_invoice(db, scope, invoice_id)
    now = await clock.now(db)
    found = await invoice_pages.payments_of_invoices(db, scope, [invoice_id])
    its = found.get(invoice_id)
    payment = None if its is None else await payments.read(db, scope, its.payment_id)
    its_policy = overlay(policy, None if payment is None else payment.overrides)
    subscription = await invoice_stories.read_its_subscription(db, scope, row)
    standing = _standing(row, subscription)
    before = None if payment is None else payment.continues
    return WholeInvoice(
        invoice=row,
        collecting=None
        if its is None
        else await payment_pages.read_whole(db, scope, its.payment_id),
        words=in_words(standing, payment, its_policy, now),
        overdue=standing.is_overdue(now),
        follows=None if payment is None else next_attempt(payment, its_policy, now),
        subscription=subscription,
        actions=await invoice_actions.of_invoice(db, scope, invoice_id),
        continues=None if before is None else (await payments.read(db, scope, before)).invoice_id,
    )


def _standing(row: Any, subscription: ItsSubscription | None) -> Standing:
    return Standing(
        status=InvoiceStatus(row.status),
        collection_method=row.collection_method,
        remaining=Money(row.amount_remaining_minor, row.currency),
        due_at=row.due_at,
        subscription_status=None if subscription is None else subscription.status,
        subscription_since=None if subscription is None else subscription.since,
    )
