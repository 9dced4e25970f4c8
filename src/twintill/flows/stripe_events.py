"""Stripe's events as hints: mirror what they show, open payments, ring; never believe an amount."""

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import InvoiceTouched
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.return_facts import MoneyBackTold
from twintill.flows import draft_window, drop_tokens, ended, ending, switch_seen, tax
from twintill.flows.invoices import saw_invoice
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.flows.payment_news import PaidInvoice, invoice_paid
from twintill.flows.verdict import DONE, Verdict, ignored, parked
from twintill.ids import Scope
from twintill.store import checkouts, mirror, operations
from twintill.store.subscription_history import Told
from twintill.stripe_billing.credit_notes import is_our_key
from twintill.stripe_billing.events import StripeEvent
from twintill.stripe_billing.marks import is_our_report
from twintill.stripe_billing.shapes import InvoiceShape


async def take_in(db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent) -> Verdict:
    """Everything that follows from one event, in the caller's transaction."""
    if event.livemode != scope.livemode:
        return ignored("of the other mode (livemode)")
    if event.account not in (None, scope.stripe_account_id):
        return ignored(f"of a connected account ({event.account})")
    if event.thin:
        return await _thin(db, means, scope, event)
    if event.type.startswith("invoice.") and event.invoice is not None:
        status = event.invoice_status
        if event.type == "invoice.finalization_failed":
            await tax.saw_failure(db, scope, event.invoice)
        verdict = await saw_invoice(
            db, means, scope, event.invoice, status, what=event.type, actor=event.id
        )
        if status is InvoiceStatus.PAID:
            await _paid(db, means, scope, event, event.invoice)
        await draft_window.saw(db, means, scope, event)
        return verdict
    if event.type == "customer.updated":
        await tax.saw_customer(db, scope, event)
        return DONE
    if event.type.startswith("customer.subscription."):
        return await _subscription(db, means, scope, event)
    if event.type.startswith("credit_note.") and event.invoice_id is not None:
        return await _credit_note(db, means, scope, event, event.invoice_id)
    if event.type == "customer.deleted" and event.customer_id is not None:
        return await _customer_deleted(db, means, scope, event.customer_id, event.id)
    return ignored(f"nothing to do for {event.type}")


async def _paid(
    db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent, invoice: InvoiceShape
) -> None:
    """Also of one that Stripe collects itself: the app waits for one event, whoever collects."""
    if await mirror.invoice_seen(db, scope, invoice.id) is None:
        return
    by_us = is_our_report(event.request_idempotency_key)
    paid = PaidInvoice(invoice.id, invoice.amount_due_minor, invoice.amount_paid_minor, by_us)
    await invoice_paid(db, means, scope, paid)


async def _subscription(
    db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent
) -> Verdict:
    seen = event.subscription
    if seen is None or seen.customer_id is None:
        return parked("a subscription event without its subscription")
    if not await mirror.customer_is_known(db, scope, seen.customer_id):
        return ignored("not a customer of ours")
    over = event.type == "customer.subscription.deleted"
    if event.type == "customer.subscription.updated":
        await switch_seen.saw(db, scope, event, seen, seen.customer_id)
    await mirror.saw_subscription(
        db,
        scope,
        subscription_id=seen.id,
        customer_id=seen.customer_id,
        status="canceled" if over else seen.status,
        collection_method=seen.collection_method or "unknown",
        cancels_at_period_end=seen.cancel_at_period_end,
        by=Told(event.id, event.created_at),
    )
    if seen.tax_disabled_because is not None and not over:
        await tax.ask(db, scope, seen.customer_id)
    if over:
        for operation_id in await checkouts.expire_now(db, scope, seen.id):
            await operations.ring(db, scope, operation_id)
        await ending.subscription_ended(db, means, scope, seen.id, actor=event.id)
        await drop_tokens.ask(db, scope, seen.customer_id)
    return DONE


async def _credit_note(
    db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent, invoice_id: str
) -> Verdict:
    """Somebody credited something: both sides are compared, in a while."""
    if is_our_key(event.request_idempotency_key):
        return ignored("a credit note of our own")
    existing = await mirror.payment_of_invoice(db, scope, invoice_id)
    if existing is None:
        return ignored("a credit note of an invoice without a payment")
    await learn_within(db, means, scope, existing, MoneyBackTold(event.type), actor=event.id)
    return DONE


async def _customer_deleted(
    db: AsyncConnection, means: Means, scope: Scope, customer_id: str, event_id: str
) -> Verdict:
    """Stripe cancels the subscriptions of a deleted customer; the tokens go with the last one."""
    if not await mirror.customer_is_known(db, scope, customer_id):
        return ignored("not a customer of ours")
    await mirror.customer_deleted(db, scope, customer_id)
    await ended.with_its_customer(db, means, scope, customer_id, actor=event_id)
    return DONE


async def _thin(db: AsyncConnection, means: Means, scope: Scope, event: StripeEvent) -> Verdict:
    """A thin notification has no snapshot: it can ring for what we know already."""
    if event.invoice_id is None:
        return ignored("a thin notification: send snapshot events to this endpoint too")
    existing = await mirror.payment_of_invoice(db, scope, event.invoice_id)
    if existing is None:
        return ignored("a thin notification of an invoice without a payment")
    await learn_within(db, means, scope, existing, InvoiceTouched(event.type), actor=event.id)
    return DONE
