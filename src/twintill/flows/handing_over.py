"""An open invoice of ours, left to Stripe's side by a switch: charged there at once, or voided.

    hand: payment's lease -> our mark on the invoice (a last look) -> learn(HandedToStripe) COMMIT
    act: pay with Stripe's method, or void -> await: what Stripe shows -> learn(HandOverEnded)
    unmark: still open there: our mark goes, and the invoice is ours again

No charge of ours is out when it is handed over, and none begins before it came back.
"""

from collections.abc import Mapping
from datetime import timedelta

from twintill.domain.facts import HandedToStripe, HandOverEnded
from twintill.domain.handing import cannot_be_handed, is_handed
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.payment import Payment
from twintill.domain.switching import Did, OpenInvoices, Step, ended_as, is_idle
from twintill.errors import StripeRefused
from twintill.flows import resolve
from twintill.flows.learn import learn_within
from twintill.flows.looking import Looking
from twintill.flows.operating import Operating, Walk
from twintill.flows.switching import done, go_on, with_entry
from twintill.ids import payment_id
from twintill.store import clock, mirror, payments, work
from twintill.store.work import PAYMENTS, Lease
from twintill.stripe_billing.switching import is_gone

_HELD = timedelta(seconds=5)  # a worker looks at the payment right now
_ASKED = timedelta(minutes=1)
_OUT = timedelta(hours=6)  # a payment that moves rings before that
_AT_THE_BANK = timedelta(hours=1)


async def hand(operating: Operating) -> Operating | None:
    """Under the payment's lease: nobody else calls anybody about this invoice meanwhile."""
    async with operating.holding(_payment_id(operating)) as lease:
        if lease is None:
            return None
        async with operating.means.database.connect() as db:
            payment = await payments.read(db, operating.scope, lease.row_id)
            now = await clock.now(db)
        if is_handed(payment) or cannot_be_handed(payment, now) is None:
            return await _hand(operating, lease, payment)
        if payment.ended:
            return await _not_any_more(operating, payment)
    await operating.pause(_OUT)  # a charge is out, or a person is called
    return None


async def act(operating: Operating) -> Operating | None:
    """Once, and only while it is handed over; what Stripe answers is then read from the invoice."""
    invoice_id, stripe = operating.data["at"], operating.means.stripe
    if not is_handed(await _read(operating)):
        async with operating.means.database.begin() as db:
            return await operating.moved(db, Step.AWAIT)
    if operating.key_is_doubtful:
        look = await stripe.read_invoice(invoice_id)
        if not is_idle(look):
            return await _ask(operating, None)
        operating = await operating.with_next_key()
    key, refused = f"{operating.key}:{invoice_id}", None
    asked = operating.data["asked"]
    try:
        if asked["open_invoices"] == OpenInvoices.VOID:
            await stripe.void(invoice_id, key)
        else:
            await stripe.pay_with_method(invoice_id, asked["payment_method_id"], key)
    except StripeRefused as error:
        refused = str(error)
    return await _ask(operating, refused)


async def await_end(operating: Operating) -> Operating | None:
    """Closed: that is its end. A bank debit of Stripe's takes days. Open: it comes back."""
    try:
        look = await operating.means.stripe.read_invoice(operating.data["at"])
    except StripeRefused as refused:
        if not is_gone(refused):
            raise
        return await done(operating, Did.CLOSED)
    if is_idle(look):
        async with operating.means.database.begin() as db:
            return await operating.moved(db, Step.UNMARK)
    if look.status is InvoiceStatus.OPEN:
        await operating.pause(_AT_THE_BANK)
        return None
    return await _ended(operating, look, ended_as(look))


async def unmark(operating: Operating) -> Operating | None:
    """The mark first: a charge that began before it is gone would wait for hours."""
    look = await operating.means.stripe.unmark_handed_over(operating.data["at"])
    if not is_idle(look):  # paid, or begun to be, between two looks
        async with operating.means.database.begin() as db:
            return await operating.moved(db, Step.AWAIT)
    ours = operating.data["invoices"][operating.data["at"]].get("ours", True)
    return await _ended(operating, look, Did.CAME_BACK if ours else Did.NOT_OURS)


async def _read(operating: Operating) -> Payment:
    async with operating.means.database.connect() as db:
        return await payments.read(db, operating.scope, _payment_id(operating))


def _payment_id(operating: Operating) -> str:
    return payment_id(operating.scope, operating.data["at"])


async def _hand(operating: Operating, lease: Lease, payment: Payment) -> Operating | None:
    looking = Looking(operating.means, lease, payment, operating.now)
    if not is_handed(payment) and await resolve.came_after_all(looking):
        await operating.pause(_ASKED)  # a person said "not charged": it was, or nobody knows
        return None
    look = await operating.means.stripe.mark_handed_over(payment.invoice_id, operating.id)
    return await _commit(operating, lease, look)


async def _not_any_more(operating: Operating, payment: Payment) -> Operating:
    """Its payment has ended: so has the invoice."""
    look = await operating.means.stripe.read_invoice(payment.invoice_id)
    if is_idle(look):  # ended here, and open there: nobody but a person knows why
        return await done(operating, Did.LEFT, look=look, why=f"its payment is {payment.state}")
    return await done(operating, ended_as(look), look=look)


async def _commit(operating: Operating, lease: Lease, look: InvoiceLook) -> Operating | None:
    """The fact, the end of the lease and the operation's step are one commit."""
    scope, fact = operating.scope, HandedToStripe(look, operating.id)
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, scope, look)
        decision = await learn_within(
            db, operating.means, scope, lease.row_id, fact, actor=operating.id
        )
        await work.release(db, PAYMENTS, lease)
        if is_handed(decision.payment):
            return await operating.moved(db, Step.ACT)
        if decision.payment.ended and not look.closed:
            return await operating.moved(db, Step.UNMARK)  # nothing of ours will end it
    if look.closed:
        return await done(operating, ended_as(look), look=look)
    await operating.pause(_HELD)
    return None


async def _ask(operating: Operating, refused: str | None) -> Operating:
    async with operating.means.database.begin() as db:
        entries = with_entry(operating, refused=refused)
        return await operating.moved(db, Step.AWAIT, invoices=entries)


async def _ended(operating: Operating, look: InvoiceLook, did: Did) -> Operating:
    scope = operating.scope
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, scope, look)
        if did is not Did.NOT_OURS:
            ended = HandOverEnded(look)
            its_id = _payment_id(operating)
            await learn_within(db, operating.means, scope, its_id, ended, actor=operating.id)
        return await go_on(db, operating, with_entry(operating, did=did.value))


STEPS: Mapping[str, Walk] = {
    Step.HAND: hand,
    Step.ACT: act,
    Step.AWAIT: await_end,
    Step.UNMARK: unmark,
}
