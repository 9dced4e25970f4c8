"""What dunning ends with in Stripe, once it gave up: by setting (part of `decide`). Pure.

    EXHAUSTED -> a last look -> ConclusionStarted -> the call -> Concluded: ended

Under the payment's lease, so never beside a charge. A new method or a late approval that comes
before the start wins; a crash between start and end repeats the call, which is harmless.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from twintill.domain.closing import as_it_stands, closed, closing_started
from twintill.domain.decision import Decision
from twintill.domain.dunning import TryAt, next_move, wait_or_give_up
from twintill.domain.facts import Concluded, ConclusionStarted
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import Exhausted, Policy

_PAUSE = timedelta(hours=1)


def conclusion_told(
    payment: Payment, fact: ConclusionStarted | Concluded, policy: Policy, now: datetime
) -> Decision:
    if isinstance(fact, Concluded):
        return _concluded(payment, fact)
    return _started(payment, fact, policy, now)


def _started(payment: Payment, fact: ConclusionStarted, policy: Policy, now: datetime) -> Decision:
    """May it be done? Nothing may have been collected, and the invoice must still be ours."""
    # Written off already, it was closed: whatever a person was called for since is nothing to do.
    if payment.closing is not None and payment.reason is not Reason.UNCOLLECTIBLE:
        return closing_started(payment, fact, policy, now)
    if not _is_open(payment):
        return Decision(payment, note="not given up any more")
    follows = next_move(payment, policy, now)
    if isinstance(follows, TryAt) and payment.reason is not Reason.UNCOLLECTIBLE:
        return Decision(wait_or_give_up(payment, follows, policy, now), note="a try is left")
    if fact.look.closed:
        return as_it_stands(payment, fact.look)
    if fact.look.stripe_payment is StripePayment.PROCESSING:
        later = replace(payment, next_look_at=now + _PAUSE)
        return Decision(later, note="the customer pays through Stripe")
    if payment.reason is Reason.UNCOLLECTIBLE or _nothing_to_do(fact.look, policy):
        return Decision(_end(payment), note="nothing is to be done in Stripe")
    # Should this worker die now, another one repeats it when the lease is over.
    return Decision(replace(payment, next_look_at=now), conclude=policy.exhausted)


def _concluded(payment: Payment, fact: Concluded) -> Decision:
    """Done; what came in between (a method, an approval) goes its own way."""
    if fact.look is not None:
        return closed(payment, fact.look)
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


def _end(payment: Payment) -> Payment:
    return replace(payment, next_look_at=None, ended=True)
