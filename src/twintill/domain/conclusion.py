"""What dunning ends with in Stripe, once it gave up: by setting (part of `decide`). Pure.

    EXHAUSTED -> a last look -> ConclusionStarted -> the call -> Concluded: ended

Under the payment's lease, so never beside a charge. A new method or a late approval that comes
before the start wins; a crash between start and end repeats the call, which is harmless.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from twintill.domain.decision import Decision, Notice, parked
from twintill.domain.dunning import TryAt, next_move, wait_or_give_up
from twintill.domain.facts import Concluded, ConclusionStarted
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import Exhausted, Policy

_PAUSE = timedelta(hours=1)
PERHAPS_OURS = "paid in Stripe, perhaps by our report of a debit that failed: compare by hand"


def conclusion_started(
    payment: Payment, fact: ConclusionStarted, policy: Policy, now: datetime
) -> Decision:
    """May it be done? Nothing may have been collected, and the invoice must still be ours."""
    if not _is_open(payment):
        return Decision(payment, note="not given up any more")
    follows = next_move(payment, policy, now)
    if isinstance(follows, TryAt) and payment.reason is not Reason.UNCOLLECTIBLE:
        return Decision(wait_or_give_up(payment, follows, policy, now), note="a try is left")
    if fact.look.closed:
        return _closed_meanwhile(payment, fact.look)
    if fact.look.stripe_payment is StripePayment.PROCESSING:
        later = replace(payment, next_look_at=now + _PAUSE)
        return Decision(later, note="the customer pays through Stripe")
    if payment.reason is Reason.UNCOLLECTIBLE or _nothing_to_do(fact.look, policy):
        return Decision(_end(payment), note="nothing is to be done in Stripe")
    # Should this worker die now, another one repeats it when the lease is over.
    return Decision(replace(payment, next_look_at=now), conclude=policy.exhausted)


def concluded(payment: Payment, fact: Concluded) -> Decision:
    """Done; what came in between (a method, an approval) goes its own way."""
    if not _is_open(payment):
        return Decision(payment, note=f"{fact.did} came too late")
    return Decision(_end(payment))


def _is_open(payment: Payment) -> bool:
    given_up = payment.state is State.EXHAUSTED and not payment.ended
    alone = payment.unresolved_attempt is None and payment.parked_why is None
    return given_up and alone and payment.unapplied_minor == 0


def _nothing_to_do(look: InvoiceLook, policy: Policy) -> bool:
    if look.collection_method != "send_invoice":
        return True  # handed to Stripe
    written_off = look.status is InvoiceStatus.UNCOLLECTIBLE
    return policy.exhausted is Exhausted.LEAVE_OPEN or (
        written_off and policy.exhausted is Exhausted.MARK_UNCOLLECTIBLE
    )


def _closed_meanwhile(payment: Payment, look: InvoiceLook) -> Decision:
    if look.status is InvoiceStatus.PAID and payment.reports and payment.receipts:
        return Decision(parked(payment, PERHAPS_OURS), notices=(Notice.NEEDS_PERSON,))
    payment = replace(_end(payment), state=State.CANCELED, reason=_CLOSED[look.status])
    return Decision(payment, notices=(Notice.CANCELED,))


_CLOSED = {
    InvoiceStatus.VOID: Reason.INVOICE_VOID,
    InvoiceStatus.DELETED: Reason.INVOICE_DELETED,
    InvoiceStatus.PAID: Reason.PAID_ELSEWHERE,
}


def _end(payment: Payment) -> Payment:
    return replace(payment, next_look_at=None, ended=True)
