"""The last look: whether this invoice may be charged now, as Stripe answered a moment ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment, Reason
from twintill.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class Chargeable:
    """Charge exactly this much: Stripe's amount_remaining, never its total."""

    amount_minor: int


@dataclass(frozen=True, slots=True)
class Wait:
    reason: Reason
    until: datetime


@dataclass(frozen=True, slots=True)
class Closed:
    reason: Reason


@dataclass(frozen=True, slots=True)
class NeedsPerson:
    why: str


RUN_RECOVER = "Run `twintill recover`: it asks the processors what that attempt came to"
Verdict = Chargeable | Wait | Closed | NeedsPerson


def judge_charge(
    payment: Payment, look: InvoiceLook, n: int, policy: Policy, now: datetime
) -> Verdict:
    """The requirements of a charge, in the order in which they matter.

    `n` is the number of the attempt that is about to be made, or replayed.
    """
    if look.closed or look.status is InvoiceStatus.UNCOLLECTIBLE:
        return Closed(why_closed(look))
    if look.foreign_installation is not None:
        return NeedsPerson(
            f"installation {look.foreign_installation} charges this invoice too: two copies of "
            "Twintill run with the same Stripe key; stop one, take its keys "
            f"(twintill_{look.foreign_installation}_0 to _3) out of the invoice's metadata, "
            "then unpark"
        )
    if look.highest_n > n:
        return NeedsPerson(
            f"attempt {look.highest_n} of this invoice was made by a database that this one does "
            f"not know of (here the next is {n}): was a backup restored? {RUN_RECOVER}"
        )
    if look.currency != payment.currency:
        return NeedsPerson(f"the invoice is in {look.currency}, not in {payment.currency}")
    if look.stripe_payment is StripePayment.PAID:
        return NeedsPerson(
            "the invoice is partly paid through Stripe: finish it there, or credit the rest"
        )
    return _wait(payment, look, policy, now) or Chargeable(look.amount_remaining_minor)


def why_closed(look: InvoiceLook) -> Reason:
    """Of one that is closed, or uncollectible."""
    if look.status is InvoiceStatus.PAID and look.amount_due_minor == look.amount_paid_minor == 0:
        return Reason.NOTHING_DUE  # Stripe pays zero invoices (trials, credit) by itself
    return _CLOSED[look.status]


_CLOSED = {
    InvoiceStatus.VOID: Reason.INVOICE_VOID,
    InvoiceStatus.DELETED: Reason.INVOICE_DELETED,
    InvoiceStatus.PAID: Reason.PAID_ELSEWHERE,
    InvoiceStatus.UNCOLLECTIBLE: Reason.UNCOLLECTIBLE,
}


def _wait(payment: Payment, look: InvoiceLook, policy: Policy, now: datetime) -> Wait | None:
    later = now + policy.look_pause
    if look.status is InvoiceStatus.DRAFT:
        return Wait(_hold(payment) or Reason.DRAFT, now + timedelta(hours=1))
    if look.collection_method != "send_invoice" or look.handed_by is not None:
        return Wait(Reason.HANDED_TO_STRIPE, later)
    if look.stripe_payment is StripePayment.PROCESSING:
        return Wait(Reason.STRIPE_PAYMENT_PROCESSING, now + timedelta(hours=1))
    if look.amount_remaining_minor <= 0:
        return Wait(Reason.NOTHING_DUE, now + timedelta(hours=1))
    if payment.limit_minor is not None and look.amount_remaining_minor > payment.limit_minor:
        return Wait(_hold(payment) or Reason.CONSENT, later)
    return None


def _hold(payment: Payment) -> Reason | None:
    """A limit of zero means that the customer has not agreed to anything yet.

    At the checkout he may; what was opened for money by hand, he pays by wire, or by hand: what
    follows on it too.
    """
    if payment.limit_minor != 0:
        return None
    opened_by_hand = payment.by_hand or payment.continues is not None
    return Reason.NO_METHOD if opened_by_hand else Reason.CHECKOUT
