"""What is not collected any more: voided or written off in Stripe, by setting. Pure.

    SubscriptionEnded | FirstPaymentGivenUp -> `closing` -> a last look -> ConclusionStarted
    -> the call -> Concluded: ended, as Stripe's answer shows the invoice

Under the payment's lease, so never beside a charge. An attempt that is out is waited for, and money
that is here is reported: closing begins when there is neither.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.decision import Decision, Notice, ended, parked
from twintill.domain.doubt import may_still_arrive
from twintill.domain.facts import (
    ConclusionStarted,
    Fact,
    FirstPaymentGivenUp,
    LookFailed,
    SubscriptionEnded,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.look import Closed, NeedsPerson, Wait, judge_charge, why_closed
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import AtEnd, Policy

PERHAPS_OURS = "paid in Stripe, perhaps by our report of a debit that failed: compare by hand"

_OPEN = frozenset((State.WAITING, State.CHARGING, State.PENDING, State.COLLECTED, State.EXHAUSTED))
_IDLE = frozenset((State.WAITING, State.EXHAUSTED))
_CLOSED_BY_HAND = frozenset(
    (InvoiceStatus.VOID, InvoiceStatus.DELETED, InvoiceStatus.UNCOLLECTIBLE)
)
# A sign-up that nobody has finished voids its invoice itself.
_OF_A_SIGNUP = frozenset((Reason.CHECKOUT, Reason.CONSENT))
# They set the time of the next look themselves.
_THEIR_OWN_PAUSE = (ConclusionStarted, LookFailed)


def closing_wanted(
    payment: Payment, fact: SubscriptionEnded | FirstPaymentGivenUp, policy: Policy
) -> Decision:
    """By setting at a subscription's end. Nothing was ever paid for it: its invoice goes with it.

    What was being collected may still have to be waited for.
    """
    if isinstance(fact, FirstPaymentGivenUp):
        if payment.state is not State.EXHAUSTED:
            return Decision(payment, note="not given up any more")
        return _close(payment, AtEnd.VOID)
    if policy.open_invoices_at_end is AtEnd.COLLECT:
        return Decision(payment, note="by setting it is collected all the same")
    if payment.reason in _OF_A_SIGNUP:
        return Decision(payment, note="its sign-up cleans up")
    return _close(payment, policy.open_invoices_at_end)


def closing_started(
    payment: Payment, fact: ConclusionStarted, policy: Policy, now: datetime
) -> Decision:
    """May it be closed now? As strict as a charge, but for what the customer agreed to."""
    if not _may_be_closed(payment):
        return Decision(payment, note="something is out, or the money is here")
    payment = replace(payment, unreadable=0)
    whole = replace(payment, limit_minor=None)
    match judge_charge(whole, fact.look, payment.next_n, policy, now):
        case Closed():
            return as_it_stands(payment, fact.look)
        case NeedsPerson(why):
            return Decision(parked(payment, why), notices=(Notice.NEEDS_PERSON,))
        case Wait(reason, until):
            return Decision(replace(payment, next_look_at=until), note=f"not yet: {reason}")
    # Should this worker die now, another one repeats it when the lease is over.
    return Decision(replace(payment, next_look_at=now), conclude=payment.closing)


def closed(payment: Payment, look: InvoiceLook) -> Decision:
    """Done; what came in between (an approval of an old request) goes its own way."""
    if not _may_be_closed(payment):
        return Decision(payment, note="closing came too late")
    return as_it_stands(payment, look)


def invoice_closed(payment: Payment, look: InvoiceLook, now: datetime) -> Decision:
    """Somebody had it closed, under the payment's lease: whatever it waited for, this is its end.

    What came in between (an approval of an old request) goes its own way.
    """
    out = payment.unresolved_attempt is not None or payment.unapplied_minor != 0
    if out or payment.state not in _IDLE or may_still_arrive(payment, now):
        return Decision(payment, note="something is out, or the money is here")
    if look.status not in _CLOSED_BY_HAND:
        return Decision(payment, note=f"it is {look.status} in Stripe")
    if payment.ended and payment.reason is why_closed(look):
        return Decision(payment, note="it has ended so")
    return as_it_stands(replace(payment, parked_why=None), look)


def as_it_stands(payment: Payment, look: InvoiceLook) -> Decision:
    """The end of a payment whose invoice is closed, or written off, by whomever."""
    if look.status is InvoiceStatus.PAID and payment.reports and payment.receipts:
        return Decision(parked(payment, PERHAPS_OURS), notices=(Notice.NEEDS_PERSON,))
    reason = why_closed(look)
    if reason is not Reason.UNCOLLECTIBLE:
        return Decision(ended(payment, State.CANCELED, reason), notices=(Notice.CANCELED,))
    told = () if payment.state is State.EXHAUSTED else (Notice.EXHAUSTED,)
    return Decision(ended(payment, State.EXHAUSTED, reason), notices=told)


def closing_comes_next(before: Payment, fact: Fact, decision: Decision, now: datetime) -> Decision:
    """Whatever else happened to a payment that is to be closed: no retry, no pause, no end."""
    after = decision.payment
    if after == before or isinstance(fact, _THEIR_OWN_PAUSE) or not _may_be_closed(after):
        return decision
    if may_still_arrive(after, now):
        return decision
    return replace(decision, payment=replace(after, next_look_at=now, ended=False))


def _close(payment: Payment, how: AtEnd) -> Decision:
    if payment.state not in _OPEN or payment.reason is Reason.UNCOLLECTIBLE:
        return Decision(payment, note="paid, or closed already")
    if payment.closing is not None:
        return Decision(payment, note="it is being closed already")
    return Decision(replace(payment, closing=how))


def _may_be_closed(payment: Payment) -> bool:
    wanted = payment.closing is not None and payment.reason is not Reason.UNCOLLECTIBLE
    alone = payment.unresolved_attempt is None and payment.parked_why is None
    return wanted and alone and payment.state in _IDLE and payment.unapplied_minor == 0
