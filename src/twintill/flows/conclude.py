"""What a payment ends with in Stripe that is not collected any more: by setting, under its lease.

Dunning gave up, or the subscription has ended.

read the invoice -> learn(ConclusionStarted) COMMIT -> Stripe, no transaction open
-> learn(Concluded) COMMIT
"""

from typing import assert_never

from twintill.domain.facts import Concluded, ConclusionStarted
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.policy import AtEnd, Exhausted
from twintill.errors import StripeRefused
from twintill.flows import resolve
from twintill.flows.looking import Looking
from twintill.store import mirror


async def conclude(looking: Looking) -> None:
    """Repeated after a crash: both calls are harmless on what they have changed already."""
    if looking.payment.closing is not None and await resolve.came_after_all(looking):
        return
    look = await looking.means.stripe.read_invoice(looking.payment.invoice_id)
    async with looking.means.database.begin() as db:
        decision = await looking.learn_start(db, ConclusionStarted(look), look)
    if decision is None or decision.conclude is None:
        return
    match decision.conclude:
        case AtEnd():
            await _close(looking, decision.conclude)
        case Exhausted.MARK_UNCOLLECTIBLE:
            await _mark_uncollectible(looking)
        case Exhausted.CANCEL_SUBSCRIPTION:
            await _cancel_subscription(looking)
        case Exhausted.LEAVE_OPEN:
            raise AssertionError("then there is nothing to do")
        case _:
            assert_never(decision.conclude)


async def _close(looking: Looking, how: AtEnd) -> None:
    """Refused when it is not open any more: then its own state is the answer."""
    stripe, invoice_id = looking.means.stripe, looking.payment.invoice_id
    key = f"twintill-{how}-{looking.payment.id}-{looking.lease.looks}"
    act = stripe.void if how is AtEnd.VOID else stripe.mark_uncollectible
    try:
        look = await act(invoice_id, key)
    except StripeRefused:
        look = await stripe.read_invoice(invoice_id)
        if look.status in (InvoiceStatus.DRAFT, InvoiceStatus.OPEN):
            raise
    await looking.learn(Concluded(how, look.status.value, look), look=look)


async def _mark_uncollectible(looking: Looking) -> None:
    """Refused when it is not open any more: then its own state is the answer."""
    stripe, invoice_id = looking.means.stripe, looking.payment.invoice_id
    key = f"twintill-uncollectible-{looking.payment.id}-{looking.lease.looks}"
    try:
        look = await stripe.mark_uncollectible(invoice_id, key)
    except StripeRefused:
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.OPEN:
            raise
    await looking.learn(Concluded(Exhausted.MARK_UNCOLLECTIBLE, look.status.value), look=look)


async def _cancel_subscription(looking: Looking) -> None:
    """At once; the invoice stays open. A one-off invoice has none."""
    async with looking.means.database.connect() as db:
        subscription_id = await mirror.subscription_of_invoice(
            db, looking.lease.scope, looking.payment.invoice_id
        )
    if subscription_id is not None:
        await looking.means.stripe.cancel_subscription(subscription_id)
    detail = subscription_id or "a one-off invoice: no subscription"
    await looking.learn(Concluded(Exhausted.CANCEL_SUBSCRIPTION, detail))
