"""The payment of an invoice that nothing of ours collects (it is paid by wire, by cheque, in cash).

It is opened for what a person has in hand, or for the customer's credit, and never charged, also
when that was undone: who had no payment method with us when it was sent out agreed to nothing.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.domain.payment import Payment, Reason, State
from twintill.errors import ConflictError, NotFoundError, StripeRefused
from twintill.flows.invoices import mirrored, why_not_collected
from twintill.flows.means import Means
from twintill.ids import Scope, payment_id
from twintill.store import clock, methods, mirror, payments, reviews
from twintill.store.work import NO_LANE
from twintill.stripe_billing.shapes import InvoiceShape


@dataclass(frozen=True, slots=True)
class Opened:
    """A payment that is there, or will be, when `within` has run in the caller's transaction."""

    scope: Scope
    invoice_id: str
    invoice: InvoiceShape | None = None  # None: it is there

    async def within(self, db: AsyncConnection) -> str:
        """Its id. Raises ConflictError: it is open only in order to be voided."""
        invoice = self.invoice
        if invoice is None or invoice.customer_id is None:
            return payment_id(self.scope, self.invoice_id)
        if await reviews.is_being_voided(db, self.scope, invoice.id):
            raise ConflictError(f"{invoice.id} is just being voided.", code="review_busy")
        status = invoice.known_status or InvoiceStatus.DRAFT
        await mirror.add_customer(db, self.scope, invoice.customer_id)
        row: dict[str, Any] = mirrored(invoice, invoice.customer_id, status)
        await mirror.saw_invoice(db, self.scope, row)
        now = await clock.now(db)
        why_not = await why_not_collected(db, self.scope, invoice, invoice.customer_id)
        opened = Payment(
            id=payment_id(self.scope, invoice.id),
            invoice_id=invoice.id,
            customer_id=invoice.customer_id,
            currency=invoice.currency,
            state=State.WAITING,
            reason=Reason.NO_METHOD,
            next_look_at=now,
            due_at=invoice.due_at,
            limit_minor=None if why_not is None else 0,
        )
        if status in _CLOSED:
            closed = replace(opened, state=State.CANCELED, reason=_CLOSED[status])
            opened = replace(closed, ended=True, next_look_at=None)
        method = await methods.active_default(db, self.scope, invoice.customer_id)
        await payments.add(db, self.scope, opened, method.processor if method else NO_LANE, now)
        return opened.id


_CLOSED = {
    InvoiceStatus.PAID: Reason.PAID_ELSEWHERE,
    InvoiceStatus.VOID: Reason.INVOICE_VOID,
    InvoiceStatus.DELETED: Reason.INVOICE_DELETED,
}


async def payment_for(means: Means, scope: Scope, invoice_id: str) -> Opened:
    """Asks Stripe about an invoice that has no payment. Raises NotFoundError, ConflictError."""
    async with means.database.connect() as db:
        if await mirror.payment_of_invoice(db, scope, invoice_id) is not None:
            return Opened(scope, invoice_id)
    try:
        invoice = await means.stripe.read_shape(invoice_id)
    except StripeRefused as refused:
        if refused.code != "resource_missing":
            raise
        raise NotFoundError(f"No such invoice: {invoice_id}", param="invoice") from refused
    if invoice.known_status is None or invoice.known_status is InvoiceStatus.DRAFT:
        raise ConflictError(
            "Refused: the invoice is a draft: finalize it first.",
            code="not_finalized",
            param="invoice",
        )
    if invoice.collection_method != "send_invoice":
        raise ConflictError(
            "Refused: Stripe collects this invoice itself: mark it as paid there.",
            param="invoice",
        )
    if invoice.customer_id is None:
        raise ConflictError("Refused: the invoice has no customer.", param="invoice")
    return Opened(scope, invoice_id, invoice)
