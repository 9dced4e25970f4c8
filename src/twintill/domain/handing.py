"""Handing an invoice over to Stripe, and back: a switch asked for it (part of `decide`). Pure.

    our mark on the invoice -> HandedToStripe COMMIT -> Stripe charges it, or it is voided there
    -> closed: that is its end; still open: the mark goes, HandOverEnded COMMIT, ours again

From the first commit on no charge of ours can begin; and it is refused while one is out, or money
is here: at no moment can both sides charge. The mark says the same to a database that was restored.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.decision import Decision, Notice, ended, waiting
from twintill.domain.doubt import may_still_arrive
from twintill.domain.facts import HandedToStripe, HandOverEnded
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.look import why_closed
from twintill.domain.payment import Payment, Reason, State

_GIVEN_UP_OR_WAITING = frozenset((State.WAITING, State.EXHAUSTED))
_AT_THE_CHECKOUT = frozenset((Reason.CHECKOUT, Reason.CONSENT))


def is_handed(payment: Payment) -> bool:
    return payment.state is State.CANCELED and payment.reason is Reason.HANDED_TO_STRIPE


def cannot_be_handed(payment: Payment, now: datetime) -> str | None:
    """Why this payment must go on with us for now, in words; None: it may be handed over."""
    if payment.parked_why is not None:
        return "parked: a person looks at it"
    if payment.closing is not None:
        return "it is being closed"
    if payment.unresolved_attempt is not None or payment.unapplied_minor:
        return "a charge is out, or the money is here"
    if payment.state not in _GIVEN_UP_OR_WAITING:
        return f"it is {payment.state}"
    if payment.reason in _AT_THE_CHECKOUT:
        return "its checkout is not finished"
    if may_still_arrive(payment, now):
        return "a request that a person called not charged may still arrive"
    return None


def handing_told(payment: Payment, fact: HandedToStripe | HandOverEnded, now: datetime) -> Decision:
    if isinstance(fact, HandedToStripe):
        return _handed_to_stripe(payment, fact, now)
    return _hand_over_ended(payment, fact, now)


def _handed_to_stripe(payment: Payment, fact: HandedToStripe, now: datetime) -> Decision:
    """Only an open invoice, and only while nothing of ours can still bring money for it."""
    why_not = cannot_be_handed(payment, now)
    if why_not is not None:
        return Decision(payment, note=why_not)
    why_not = _shown_otherwise(payment, fact.look)
    if why_not is not None:
        # Its own look says what that means, where it has one to come.
        soon = payment if payment.ended else replace(payment, next_look_at=now)
        return Decision(soon, note=why_not)
    handed = ended(payment, State.CANCELED, Reason.HANDED_TO_STRIPE)
    return Decision(handed, notices=(Notice.CANCELED,))


def _shown_otherwise(payment: Payment, look: InvoiceLook) -> str | None:
    """What Stripe shows that our books do not know of: a charge may be out for it all the same."""
    if look.status is not InvoiceStatus.OPEN:
        return f"it is {look.status} in Stripe"
    if look.foreign_installation is not None:
        return f"installation {look.foreign_installation} charges it too"
    if look.highest_n > payment.next_n:
        return f"attempt {look.highest_n} was made by a database that this one does not know of"
    return None


def _hand_over_ended(payment: Payment, fact: HandOverEnded, now: datetime) -> Decision:
    """What became of it at Stripe; a late approval of ours may have come first."""
    if not is_handed(payment):
        return Decision(payment, note="it is not handed over")
    if payment.unresolved_attempt is not None:
        return Decision(payment, note="a charge of ours was found meanwhile")
    look = fact.look
    if look.closed:
        return Decision(replace(payment, reason=why_closed(look)))
    if look.status is InvoiceStatus.UNCOLLECTIBLE:
        given_up = ended(payment, State.EXHAUSTED, Reason.UNCOLLECTIBLE)
        return Decision(given_up, notices=(Notice.EXHAUSTED,))
    if look.stripe_payment is StripePayment.PROCESSING or look.handed_by is not None:
        return Decision(payment, note="Stripe's side is not done with it")
    return Decision(waiting(payment, Reason.READY, now))
