"""An open invoice that Stripe charges, when its subscription goes to a processor.

left to Stripe:  pin     Stripe keeps the method that it charges this one with
asked for again: draft_again -> lines_again -> stop -> void -> issue
                 a draft of the same, of which nobody can collect anything; Stripe stops; the
                 old one is void; only then is the new one issued, for us to collect
discard          the old one was paid meanwhile, or cannot be said again: the draft goes
"""

from collections.abc import Mapping
from datetime import timedelta

from twintill.domain.invoice import InvoiceStatus
from twintill.domain.switching import Did, Step, is_idle
from twintill.errors import StripeRefused
from twintill.flows.operating import Operating, Walk
from twintill.flows.switching import done, with_entry
from twintill.store import mirror
from twintill.stripe_billing.switching import MOST_LINES, InvoiceTerms

_EARLIER = timedelta(hours=1)  # Stripe's clock and ours need not agree
_AT_THE_BANK = timedelta(hours=1)


async def pin(operating: Operating) -> Operating | None:
    """Before the subscription's method is forgotten: else Stripe's next try would find none."""
    invoice_id, former = operating.data["at"], operating.data["was"]["default_payment_method"]
    entry = operating.data["invoices"][invoice_id]
    if former is None or entry.get("pinned") is not None:
        return await _left(operating)
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        look = await operating.means.stripe.pin_method(
            invoice_id, former, f"{operating.key}:{invoice_id}"
        )
    except StripeRefused:
        look = await operating.means.stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.OPEN:
            raise
    if look.closed:
        return await done(operating, Did.CLOSED, look=look)
    return await _left(operating)


async def draft_again(operating: Operating) -> Operating | None:
    invoice_id, stripe = operating.data["at"], operating.means.stripe
    terms = await stripe.read_repeatable(invoice_id)
    why = _cannot_be_said_again(terms)
    if why is not None:
        return await _leave(operating, why)
    made = None
    if operating.key_is_doubtful:
        since = operating.operation.created_at - _EARLIER
        made = await stripe.find_draft_again(terms.customer_id, invoice_id, operating.id, since)
        if made is None:
            operating = await operating.with_next_key()
    if made is None:
        days, key = operating.data["asked"]["days_until_due"], f"{operating.key}:{invoice_id}"
        made = await stripe.draft_again(terms, invoice_id, days, operating.id, key)
    async with operating.means.database.begin() as db:
        entries = with_entry(operating, by=made)
        return await operating.moved(db, Step.LINES_AGAIN, invoices=entries)


async def lines_again(operating: Operating) -> Operating | None:
    """To the cent the same, tax included; or it is not asked for again by a machine.

    Lines that were written twice, because an answer was lost for a day, come to another sum.
    """
    invoice_id, stripe = operating.data["at"], operating.means.stripe
    entry = operating.data["invoices"][invoice_id]
    terms = await stripe.read_repeatable(invoice_id)
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    total_minor = await stripe.write_lines(
        entry["by"], terms.lines, f"{operating.key}:{invoice_id}"
    )
    if total_minor != terms.total_minor:
        why = f"the same lines come to {total_minor}, not to {terms.total_minor}"
        return await _discard(operating, why)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.STOP)


async def stop(operating: Operating) -> Operating | None:
    """No more retries of Stripe's; one that succeeded before is the end of it."""
    stripe, invoice_id = operating.means.stripe, operating.data["at"]
    try:
        look = await stripe.stop_advancing(invoice_id)
    except StripeRefused:
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.OPEN:
            raise
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.DISCARD if look.closed else Step.VOID)


async def void(operating: Operating) -> Operating | None:
    """Refused while a bank debit of Stripe's is on its way: what becomes of it comes first."""
    stripe, invoice_id = operating.means.stripe, operating.data["at"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    look = await stripe.read_invoice(invoice_id)
    if is_idle(look) or look.status is InvoiceStatus.UNCOLLECTIBLE:
        try:
            look = await stripe.void(invoice_id, f"{operating.key}:{invoice_id}")
        except StripeRefused:
            look = await stripe.read_invoice(invoice_id)
            if is_idle(look):
                raise
    if not look.closed:
        await operating.pause(_AT_THE_BANK)
        return None
    step = Step.ISSUE if look.status is InvoiceStatus.VOID else Step.DISCARD
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, operating.scope, look)
        return await operating.moved(db, step)


async def issue(operating: Operating) -> Operating | None:
    """From here on it is an invoice like any other that we collect: its event opens its payment."""
    stripe, made = operating.means.stripe, operating.data["invoices"][operating.data["at"]]["by"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        await stripe.finalize(made, f"{operating.key}:{made}")
    except StripeRefused:
        look = await stripe.read_invoice(made)
        if look.status is InvoiceStatus.DRAFT:
            raise
    return await done(operating, Did.REINVOICED)


async def discard(operating: Operating) -> Operating | None:
    """The draft that is not needed."""
    entry = operating.data["invoices"][operating.data["at"]]
    await operating.means.stripe.delete_draft(entry["by"])
    why = entry.get("why")
    if why is None:
        return await done(operating, Did.CLOSED, by=None)
    async with operating.means.database.begin() as db:
        entries = with_entry(operating, by=None)
        return await operating.moved(db, Step.PIN, invoices=entries)


def _cannot_be_said_again(terms: InvoiceTerms) -> str | None:
    if terms.amount_paid_minor:
        return "a part of it is paid"
    if not terms.plain or len(terms.lines) > MOST_LINES:
        return "discounts, tax rates of its own, credit or shipping stand on it"
    return None


async def _leave(operating: Operating, why: str) -> Operating:
    async with operating.means.database.begin() as db:
        entries = with_entry(operating, why=why)
        return await operating.moved(db, Step.PIN, invoices=entries)


async def _discard(operating: Operating, why: str) -> Operating:
    async with operating.means.database.begin() as db:
        entries = with_entry(operating, why=why)
        return await operating.moved(db, Step.DISCARD, invoices=entries)


async def _left(operating: Operating) -> Operating:
    return await done(operating, Did.LEFT)


STEPS: Mapping[str, Walk] = {
    Step.PIN: pin,
    Step.DRAFT_AGAIN: draft_again,
    Step.LINES_AGAIN: lines_again,
    Step.STOP: stop,
    Step.VOID: void,
    Step.ISSUE: issue,
    Step.DISCARD: discard,
}
