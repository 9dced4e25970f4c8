"""Cleaning up after a checkout that expired: the processor, the invoice, the subscription.

Stripe calls a `send_invoice` subscription active from the start, so one that nobody finished has
to be ended by us. A step that finds its work done goes on.
"""

from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.signup import SignupState, Step
from twintill.domain.switching import KIND as SWITCH
from twintill.errors import ProcessorRefused, StripeRefused
from twintill.flows import access, drop_tokens, removing
from twintill.flows.checkout import read_its
from twintill.flows.operating import Operating
from twintill.processors import SetupStatus
from twintill.store import mirror, operations, outgoing
from twintill.store.checkouts import Checkout, Purpose
from twintill.store.subscription_history import Told


async def drop_setup(operating: Operating) -> Operating | None:
    """Nothing that the customer left at the processor stays there."""
    its = await read_its(operating)
    if its.setup_session_id is not None:
        await _drop(operating, its, its.setup_session_id)
    async with operating.means.database.begin() as db:
        if its.purpose is Purpose.SIGNUP:
            return await operating.moved(db, Step.VOID)
        await operating.end(db, Step.EXPIRED)
        await operations.ring_of_customer(db, operating.scope, its.customer_id, SWITCH)
        return None


async def void(operating: Operating) -> Operating | None:
    """The invoice is never to be paid; unless somebody has paid it in Stripe meanwhile."""
    its = await read_its(operating)
    look = await operating.means.stripe.read_invoice(str(its.invoice_id))
    if look.status is InvoiceStatus.DRAFT:
        look = await _finalize(operating, look)
    if look.status in (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE):
        look = await _void(operating, look)
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, operating.scope, look)
    if look.status is InvoiceStatus.PAID and look.amount_paid_minor > 0:
        await access.grant(operating, its)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.CANCEL)


async def cancel(operating: Operating) -> Operating | None:
    """The end of the subscription, and of a method that was stored for it alone."""
    its, scope = await read_its(operating), operating.scope
    await operating.means.stripe.cancel_subscription(str(its.subscription_id))
    async with operating.means.database.begin() as db:
        await mirror.saw_subscription(
            db,
            scope,
            subscription_id=str(its.subscription_id),
            customer_id=its.customer_id,
            status="canceled",
            collection_method="send_invoice",
            by=Told(operating.id),
        )
        await drop_tokens.ask(db, scope, its.customer_id)
        await operating.end(db, Step.EXPIRED)
        if operating.means.tells_app:
            told = access.told(operating, its, SignupState.EXPIRED)
            await outgoing.add(db, scope, "signup.expired", operating.id, told)
    return None


async def _drop(operating: Operating, its: Checkout, session_id: str) -> None:
    """Cancel the set-up; where the customer was faster, take back what he left."""
    processor = operating.means.processor(its.processor)
    try:
        result = await processor.get_setup(session_id)
        if result.status is SetupStatus.OPEN:
            await processor.cancel_setup(session_id)
            result = await processor.get_setup(session_id)
    except ProcessorRefused as refused:
        if refused.code == "not_found":
            return
        # Completed between the look and the cancelling.
        result = await processor.get_setup(session_id)
        if result.status is SetupStatus.OPEN:
            raise
    if result.method is None:
        return
    if not await removing.lives_on(operating, processor.account_id, result.method.token):
        await processor.revoke_method(result.method)


async def _finalize(operating: Operating, look: InvoiceLook) -> InvoiceLook:
    """A subscription's draft cannot be deleted: it is finalized in order to be voided."""
    stripe = operating.means.stripe
    try:
        return await stripe.finalize(look.invoice_id, f"{operating.key}:finalize")
    except StripeRefused:
        # A draft that cannot be finalized (no tax location) asks nobody for money either: Stripe
        # stops advancing it when its subscription is cancelled.
        return await stripe.read_invoice(look.invoice_id)


async def _void(operating: Operating, look: InvoiceLook) -> InvoiceLook:
    stripe = operating.means.stripe
    try:
        return await stripe.void(look.invoice_id, f"{operating.key}:void")
    except StripeRefused:
        now = await stripe.read_invoice(look.invoice_id)
        if not now.closed:
            raise
        return now
