"""Invoices that an event or a list showed: mirrored, and a payment opened for those that are ours.

Invoices of customers who pay Stripe by card, or who pay `send_invoice` invoices by wire, are shown
in the same ways: recorded at most, and never touched.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import InvoiceOpened, InvoiceTouched
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.payment import Payment, Reason, State
from twintill.flows import ending
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.verdict import DONE, Verdict, ignored, parked
from twintill.ids import Scope, payment_id
from twintill.store import clock, methods, mirror, payments, reviews, subscriptions
from twintill.store.work import NO_LANE
from twintill.stripe_billing.shapes import InvoiceShape

CLOCKS_DIFFER = timedelta(minutes=5)


async def saw_invoice(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    invoice: InvoiceShape,
    status: InvoiceStatus | None,
    *,
    what: str,
    actor: str,
) -> Verdict:
    """An invoice was shown, by an event or a list: mirror it, open or ring its payment.

    `what`: the event's type, or which list; `actor`: for the payment's history.
    """
    customer_id = invoice.customer_id
    if customer_id is None or not await mirror.customer_is_known(db, scope, customer_id):
        return ignored("not a customer of ours")
    if status is None:
        return parked(f"an invoice status that this version does not know: {invoice.status}")
    await mirror.saw_invoice(db, scope, mirrored(invoice, customer_id, status))
    existing = await mirror.payment_of_invoice(db, scope, invoice.id)
    if existing is not None:
        # It has a payment: tell it that there may be something to see.
        if status is not InvoiceStatus.DRAFT:
            is_open = status is InvoiceStatus.OPEN
            fact = InvoiceOpened(invoice.due_at) if is_open else InvoiceTouched(what)
            await learn_within(db, means, scope, existing, fact, actor=actor)
        return DONE
    return await _perhaps_ours(db, means, scope, invoice, customer_id, status, what)


async def _perhaps_ours(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    invoice: InvoiceShape,
    customer_id: str,
    status: InvoiceStatus,
    what: str,
) -> Verdict:
    """Open a payment for an open `send_invoice` invoice of a customer who gave us a method."""
    if invoice.collection_method != "send_invoice":
        return ignored("Stripe collects this invoice itself")
    if status is not InvoiceStatus.OPEN or invoice.amount_remaining_minor <= 0:
        return Verdict("done", f"nothing to collect: {status}")
    if await reviews.is_being_voided(db, scope, invoice.id):
        return ignored("it was finalized only to be voided")
    why_not = await why_not_collected(db, scope, invoice, customer_id)
    if why_not is not None:
        return ignored(why_not)
    method = await methods.active_default(db, scope, customer_id)
    now = await clock.now(db)
    opened = new_payment(scope, invoice, customer_id, now)
    lane = method.processor if method else NO_LANE
    if opened.reason is Reason.CHECKOUT:
        # Faster than the answer to its sign-up: its checkout will find it held.
        held = replace(opened, next_look_at=now + means.policy.look_pause)
        await payments.add(db, scope, held, lane, now)
        return DONE
    await payments.open_and_ring(db, scope, opened, lane, now)
    its = invoice.subscription_id
    if its is not None and await subscriptions.has_ended(db, scope, its):
        await ending.subscription_ended(db, means, scope, its, actor=what)
    return DONE


async def why_not_collected(
    db: AsyncConnection, scope: Scope, invoice: InvoiceShape, customer_id: str
) -> str | None:
    """An older one may be on its way by wire already, and nobody agreed that we collect it."""
    if not await mirror.collects_from(db, scope, customer_id):
        return "the customer has no payment method with us (pays by wire)"
    if invoice.finalized_at is None:
        return None
    by_then = invoice.finalized_at + CLOCKS_DIFFER
    if await mirror.collected_from_at(db, scope, customer_id, by_then):
        return None
    return "the customer had no payment method with us when it was sent out"


def new_payment(
    scope: Scope, invoice: InvoiceShape, customer_id: str, next_look_at: datetime
) -> Payment:
    """Of an invoice that has none; of a sign-up's, nobody has agreed to anything yet."""
    signed_up = invoice.billing_reason == "subscription_create" and invoice.operation_id is not None
    return Payment(
        id=payment_id(scope, invoice.id),
        invoice_id=invoice.id,
        customer_id=customer_id,
        currency=invoice.currency,
        state=State.WAITING,
        reason=Reason.CHECKOUT if signed_up else Reason.READY,
        limit_minor=0 if signed_up else None,
        next_look_at=next_look_at,
        due_at=invoice.due_at,
    )


def mirrored(invoice: InvoiceShape, customer_id: str, status: InvoiceStatus) -> dict[str, object]:
    """The row of the mirror."""
    return {
        "invoice_id": invoice.id,
        "customer_id": customer_id,
        "subscription_id": invoice.subscription_id,
        "number": invoice.number,
        "status": status.value,
        "collection_method": invoice.collection_method or "unknown",
        "billing_reason": invoice.billing_reason,
        "currency": invoice.currency,
        "amount_due_minor": invoice.amount_due_minor,
        "amount_paid_minor": invoice.amount_paid_minor,
        "amount_remaining_minor": invoice.amount_remaining_minor,
        "total_minor": invoice.total_minor,
        "due_at": invoice.due_at,
        "finalized_at": invoice.finalized_at,
    }
