"""Reporting: what Stripe's answer to our metadata write means, before and after `pay`.

MONEY: the amounts are compared. "Already paid" has several causes and only some of them strand.
"""

from dataclasses import dataclass, replace

from twintill.domain.facts import (
    InvoiceReported,
    ReportFailed,
    ReportRefused,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class Pay:
    """Call `pay(paid_out_of_band)` now: the invoice wants no more than what was collected."""


MARKED_BY_OTHERS = "the invoice was marked paid by somebody else (perhaps because of our charge)"
MORE_IS_DUE = "`pay` would forgive the rest"
ReportVerdict = Pay | InvoiceReported | ReportRefused | ReportFailed


def judge_report(payment: Payment, look: InvoiceLook) -> ReportVerdict:
    """What to do after our reference was written and Stripe answered with the invoice."""
    if look.status in (InvoiceStatus.VOID, InvoiceStatus.DELETED):
        return ReportRefused(look)
    if look.status is InvoiceStatus.PAID:
        return judge_paid(payment, look)
    if look.status is InvoiceStatus.DRAFT:
        return ReportFailed("the invoice is a draft again", needs_person=True)
    if look.currency != payment.currency:
        return ReportFailed(f"the invoice is in {look.currency} now", needs_person=True)
    if look.stripe_payment is StripePayment.PROCESSING:
        return ReportFailed("a payment of Stripe's own is still processing: waiting for it")
    if look.amount_remaining_minor > payment.unapplied_minor:
        return ReportFailed(
            f"{look.amount_remaining_minor} is due but {payment.unapplied_minor} was collected: "
            f"{MORE_IS_DUE}",
            needs_person=True,
        )
    return Pay()


def judge_answer(
    payment: Payment, before: InvoiceLook, after: InvoiceLook
) -> InvoiceReported | ReportRefused | ReportFailed:
    """The answer to our own `pay`: compared with what was open just before.

    Part of the invoice may have been paid through Stripe already: that part is not ours, and it
    does not close the rest to us.
    """
    if after.status is not InvoiceStatus.PAID:
        return ReportFailed(f"after `pay` the invoice is {after.status}")
    ours = replace(after, amount_paid_minor=after.amount_paid_minor - before.amount_paid_minor)
    if after.stripe_paid_minor is not None:
        share_minor = after.stripe_paid_minor - (before.stripe_paid_minor or 0)
        by_stripe = StripePayment.PAID if share_minor else StripePayment.NONE
        ours = replace(ours, stripe_payment=by_stripe, stripe_paid_minor=share_minor)
    elif before.stripe_payment is StripePayment.PAID:
        ours = replace(ours, stripe_payment=StripePayment.NONE)
    return judge_paid(payment, ours, told_by_us=True)


def judge_paid(
    payment: Payment, look: InvoiceLook, *, told_by_us: bool = False
) -> InvoiceReported | ReportRefused | ReportFailed:
    """An invoice that Stripe shows as paid: because of us, or of somebody else?

    `told_by_us`: this is the answer to our own `pay` call.
    """
    look = _without_stripes_share(look)
    if look.stripe_payment is StripePayment.PAID:
        return ReportRefused(look)
    if look.amount_paid_minor == 0:
        return ReportRefused(look)  # a credit note or the customer's balance took it to zero
    if not told_by_us and payment.reports <= 1:
        # This is our first look at it with money in hand, so it was not our `pay` that did it:
        # somebody marked it by hand, perhaps because of our charge.
        return ReportFailed(
            MARKED_BY_OTHERS,
            needs_person=True,
        )
    if look.amount_paid_minor > payment.unapplied_minor:
        return ReportFailed(
            f"Stripe shows {look.amount_paid_minor} as paid, {payment.unapplied_minor} was "
            "collected",
            needs_person=True,
        )
    return InvoiceReported(look.amount_paid_minor)


def _without_stripes_share(look: InvoiceLook) -> InvoiceLook:
    """Stripe took a part while our charge was out: the rest was marked by a report, maybe ours."""
    share_minor = look.stripe_paid_minor
    if share_minor is None or share_minor >= look.amount_paid_minor:
        return look
    rest_minor = look.amount_paid_minor - share_minor
    return replace(look, amount_paid_minor=rest_minor, stripe_payment=StripePayment.NONE)
