"""A partial payment: the rest is credited on the invoice, which is then paid, and invoiced anew.

As Stripe's guide says; `pay` alone would forgive the rest. In this order: the credit note (its
intent committed first), the report, the new invoice. Each survives a crash before the next.
"""

from twintill.domain.follow_on import FollowOn, FollowOnWhy
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.money_back import NoteFor, NoteState
from twintill.domain.payment import Payment
from twintill.domain.policy import Partial, Policy


def rest_minor(payment: Payment, look: InvoiceLook, policy: Policy) -> int:
    """How much more the invoice asks for than is here, if that is to be credited; else 0."""
    alone = payment.unresolved_attempt is None and payment.unapplied_minor > 0
    splits = policy.partial is Partial.SPLIT and look.status is InvoiceStatus.OPEN
    same = look.currency == payment.currency and look.stripe_payment is StripePayment.NONE
    if not (alone and splits and same):
        return 0
    return max(look.amount_remaining_minor - payment.unapplied_minor, 0)


def follow_on_of(payment: Payment) -> FollowOn | None:
    """The new invoice for what was credited as the rest."""
    rests = [n for n in payment.notes if n.purpose is NoteFor.REST and n.state is NoteState.MADE]
    if not rests:
        return None
    cause, minor = rests[0].id, sum(note.amount_minor for note in rests)
    return FollowOn(cause, minor, FollowOnWhy.REST)
