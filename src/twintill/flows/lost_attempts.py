"""One invoice after a restore: its payment, the attempts that were lost, and their end.

Under the payment's lease, so that no worker calls out for it meanwhile; what is found is learned as
facts, in one commit with the report that Stripe shows.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import (
    Fact,
    InvoiceReported,
    InvoiceTouched,
    LookGaveUp,
    Unparked,
)
from twintill.domain.found import waits_for_recover
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.payment import Payment
from twintill.domain.report import MARKED_BY_OTHERS, judge_paid
from twintill.flows.asking_processors import Asked, ask_for_lost
from twintill.flows.invoices import mirrored, new_payment
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope, payment_id
from twintill.processors import LookUpBy
from twintill.store import brakes, clock, methods, mirror, payments, work
from twintill.store.work import PAYMENTS, Lease
from twintill.stripe_billing.invoices import MarkedInvoice

_ACTOR = "recover"
_RECEIPT = "rct_"  # how its ids begin


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one invoice, in a sentence.

    `incomplete`: something could not be read, so that charging must stay paused.
    """

    invoice_id: str
    said: str
    incomplete: bool = False


def differs(known: Payment | None, seen: MarkedInvoice) -> bool:
    """Whether Stripe's list shows something of ours that our rows do not."""
    marks = seen.marks
    if not marks.highest_n and marks.our_reference is None:
        return False
    if known is None:
        return True
    numbers = {a.n for a in known.attempts if not a.unresolved}
    paid = seen.invoice.known_status is InvoiceStatus.PAID
    return (
        not numbers.issuperset(range(1, marks.highest_n + 1))
        or waits_for_recover(known)
        or (paid and (known.unapplied_minor > 0 or _is_lost_money(known, marks.our_reference)))
    )


async def learn_lost(means: Means, scope: Scope, seen: MarkedInvoice) -> list[Finding]:
    """Ask everybody about this invoice, and learn it. Raises StripeError, SettingsError."""
    invoice_id = seen.invoice.id
    opened, findings = await _open(means, scope, seen)
    async with means.database.begin() as db:
        lease = await work.hold(db, PAYMENTS, scope, payment_id(scope, invoice_id))
    if lease is None:
        return [*findings, Finding(invoice_id, "a worker looks at it: run again", incomplete=True)]
    try:
        asked = await _ask(means, lease, seen)
        look = await means.stripe.read_invoice(invoice_id)
        findings += await _learn(means, lease, look, asked, opened=opened)
    finally:
        async with means.database.begin() as db:
            await work.release(db, PAYMENTS, lease)
    return findings


async def _ask(means: Means, lease: Lease, seen: MarkedInvoice) -> Asked:
    async with means.database.connect() as db:
        payment = await payments.read(db, lease.scope, lease.row_id)
        stored = await methods.list_of_customer(db, lease.scope, payment.customer_id, removed=True)
        shown_at = await _shown_at(db, means, lease.scope)
    return await ask_for_lost(means, lease.scope, payment, stored, seen, shown_at)


async def _shown_at(db: AsyncConnection, means: Means, scope: Scope) -> dict[str, datetime]:
    """Of processors that do not show yet all that was sent before charging was held.

    "Not found" means nothing before then: it may be the money of the lost time.
    """
    now = await clock.now(db)
    held = {brake.processor: brake.tripped_at for brake in await brakes.all_on(db, scope)}
    lags = {p.name: p.capabilities for p in means.processors.values()}
    ends = {
        name: held.get(name, now) + timedelta(seconds=its.look_up_lag_s)
        for name, its in lags.items()
        if its.look_up is LookUpBy.REFERENCE and its.look_up_lag_s
    }
    return {name: end for name, end in ends.items() if now <= end}


async def _open(means: Means, scope: Scope, seen: MarkedInvoice) -> tuple[bool, list[Finding]]:
    """The payment's row, if the restore lost it; held back until everybody was asked."""
    invoice, findings = seen.invoice, []
    customer_id, status = invoice.customer_id, invoice.known_status
    if customer_id is None or status is None:
        return False, [Finding(invoice.id, "has no customer, or an unknown status: see to it")]
    async with means.database.begin() as db:
        if not await mirror.customer_is_known(db, scope, customer_id):
            await mirror.add_customer(db, scope, customer_id)
            said = f"{customer_id} signed up in the lost time: ask for a payment method again"
            findings.append(Finding(invoice.id, said))
        await mirror.saw_invoice(db, scope, mirrored(invoice, customer_id, status))
        method = await methods.active_default(db, scope, customer_id)
        now = await clock.now(db)
        payment = new_payment(scope, invoice, customer_id, now + means.policy.look_pause)
        lane = method.processor if method else work.NO_LANE
        return await payments.add(db, scope, payment, lane, now), findings


async def _learn(
    means: Means, lease: Lease, look: InvoiceLook, asked: Asked, *, opened: bool
) -> list[Finding]:
    """Everything that follows, in one commit: no worker sees the money without its report."""
    scope, invoice_id = lease.scope, look.invoice_id
    async with means.database.begin() as db:
        if not await work.keep(db, PAYMENTS, lease):
            return [Finding(invoice_id, "it took too long: run again", incomplete=True)]
        await mirror.saw_look(db, scope, look)
        facts = asked.facts(look)
        for fact in facts:
            await _tell(db, means, lease, fact)
        async for fact in _that_follow(db, lease, look, complete=not asked.unreadable):
            await _tell(db, means, lease, fact)
        if opened:
            await _tell(db, means, lease, InvoiceTouched("recover"))
        payment = await payments.read(db, scope, lease.row_id)
    said = [Finding(invoice_id, why, incomplete=True) for why in asked.unreadable]
    if facts or opened or _is_lost_money(payment, look.our_reference):
        where = payment.parked_why or payment.state.value
        told = ", ".join(asked.told) or "nothing was charged"
        said.append(Finding(invoice_id, f"{payment.id}: {told}; now {where}"))
    return said


async def _that_follow(
    db: AsyncConnection, lease: Lease, look: InvoiceLook, *, complete: bool
) -> AsyncIterator[Fact]:
    """Our own report, recognised by the reference that we wrote before it; and back to work."""
    payment = await payments.read(db, lease.scope, lease.row_id)
    ours = look.our_reference in _references(payment)
    if look.status is InvoiceStatus.PAID and payment.unapplied_minor and ours:
        verdict = judge_paid(payment, look, told_by_us=True)
        if isinstance(verdict, InvoiceReported):
            yield verdict
            payment = await payments.read(db, lease.scope, lease.row_id)
    if look.status is InvoiceStatus.PAID and _is_lost_money(payment, look.our_reference):
        paid_minor = look.amount_paid_minor
        why = (
            f"Stripe was told of money by hand ({paid_minor} {payment.currency}) that only the "
            "lost database knew: compare with what you have in hand"
        )
        yield LookGaveUp(why)
        return
    waited_for_this = payment.parked_why == MARKED_BY_OTHERS and not payment.unapplied_minor
    if complete and (waited_for_this or waits_for_recover(payment)):
        yield Unparked("both sides were read")


def _references(payment: Payment) -> set[str]:
    """What we write on an invoice before we report this money."""
    return {a.reference for a in payment.attempts} | {r.id for r in payment.receipts}


def _is_lost_money(payment: Payment, reference: str | None) -> bool:
    """Of money by hand its receipt is the reference: one that this database does not know."""
    by_hand = reference is not None and reference.startswith(_RECEIPT)
    return by_hand and reference not in _references(payment)


async def _tell(db: AsyncConnection, means: Means, lease: Lease, fact: Fact) -> None:
    await learn_within(db, means, lease.scope, lease.row_id, fact, actor=_ACTOR)
