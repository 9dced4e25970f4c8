"""The only place where a payment changes state: (payment, fact, policy, now) -> Decision. Pure.

Each fact has one function below; answers to an attempt are in `answers`. A fact that means nothing
in the present state is noted in the history and changes nothing.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import closing, facts, refunds, reporting
from twintill.domain.afterwards import owed
from twintill.domain.another_try import try_asked
from twintill.domain.answers import answered, not_found_there, still_in_doubt, withdrawn
from twintill.domain.braked import charge_braked, refund_braked
from twintill.domain.by_hand import by_hand_comes_next, by_hand_told
from twintill.domain.charging import charge_started, method_lost, no_method_found
from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.conclusion import conclusion_told
from twintill.domain.credit_notes import NoteFact, note_told
from twintill.domain.customer_facts import TryAsked
from twintill.domain.decision import (
    Decision,
    Notice,
    Send,
    ended,
    parked,
    waiting,
    with_attempt,
)
from twintill.domain.disputes import DisputeFact, dispute_told
from twintill.domain.doubt import may_still_arrive, overdue
from twintill.domain.facts import Fact
from twintill.domain.found import attempt_found
from twintill.domain.hand_facts import HandFact
from twintill.domain.handing import handing_told
from twintill.domain.late_failure import failed_late
from twintill.domain.look import Chargeable, NeedsPerson, judge_charge
from twintill.domain.paid_another_way import paid_another_way
from twintill.domain.payment import (
    TIMED,
    Outcome,
    Payment,
    Reason,
    State,
)
from twintill.domain.person import person_said
from twintill.domain.policy import Policy, pause_after
from twintill.domain.refund_asks import refund_asked
from twintill.domain.refunds import RefundFact
from twintill.domain.retrying import in_dunning
from twintill.domain.return_facts import PaidAnotherWay, RefundAsked, RefundBraked
from twintill.domain.steps import Conclude, Rest, next_step


def decide(payment: Payment, fact: Fact, policy: Policy, now: datetime) -> Decision:
    """What this fact means for this payment. Raises BrokenInvariant only for a bug of ours."""
    decision = by_hand_comes_next(_decide(payment, fact, policy, now), now)
    return in_dunning(closing.closing_comes_next(payment, fact, decision, now), now)


def _decide(  # noqa: C901, PLR0912 -- one flat table, a case per fact
    payment: Payment, fact: Fact, policy: Policy, now: datetime
) -> Decision:
    if isinstance(fact, _Moved):
        return _moved(payment, fact, policy, now)
    match fact:
        case facts.InvoiceOpened():
            return _invoice_opened(payment, fact, now)
        case facts.InvoiceTouched():
            return _touched(payment, fact, now)
        case facts.ChargeStarted():
            return charge_started(payment, fact, policy, now)
        case facts.ChargeBraked():
            return charge_braked(payment, fact.why, policy, now)
        case facts.NoMethodFound():
            return no_method_found(payment, policy, now)
        case facts.LookFailed():
            return _look_failed(payment, fact, policy, now)
        case facts.Answered():
            return answered(payment, fact, policy, now)
        case facts.PersonSaid():
            return person_said(payment, fact, policy, now)
        case facts.NotFoundThere():
            return not_found_there(payment, fact, policy, now)
        case facts.ReplayStarted():
            return _replay_started(payment, fact, policy, now)
        case facts.Withdrawn():
            return withdrawn(payment, fact, now)
        case facts.AttemptFound():
            return attempt_found(payment, fact, policy, now)
        case facts.FailedLate():
            return failed_late(payment, fact, policy, now)
        case facts.InvoiceReported():
            return reporting.invoice_reported(payment, fact, policy, now)
        case facts.ReportRefused():
            return reporting.report_refused(payment, fact, policy, now)
        case facts.ReportFailed():
            return reporting.report_failed(payment, fact, policy, now)
        case facts.AmountAgreed() | facts.MethodAdded():
            return _customer_came(payment, fact, now)
        case TryAsked():
            return try_asked(payment, fact, policy, now)
        case facts.MethodLost():
            return method_lost(payment, policy, now)
        case facts.CheckoutExpired():
            return _checkout_expired(payment)
        case facts.SubscriptionEnded() | facts.FirstPaymentGivenUp():
            return closing.closing_wanted(payment, fact, policy)
        case facts.ConclusionStarted() | facts.Concluded():
            return conclusion_told(payment, fact, policy, now)
        case InvoiceClosed():
            return closing.invoice_closed(payment, fact.look, now)
        case facts.HandedToStripe() | facts.HandOverEnded():
            return handing_told(payment, fact, now)
        case facts.LookGaveUp():
            return Decision(parked(payment, fact.detail), notices=(Notice.NEEDS_PERSON,))
        case facts.Unparked():
            return _unparked(payment, now)
    assert_never(fact)


_Moved = (
    HandFact | RefundFact | RefundAsked | RefundBraked | PaidAnotherWay | NoteFact | DisputeFact
)


def _moved(payment: Payment, fact: _Moved, policy: Policy, now: datetime) -> Decision:
    """Money that came or went without a charge of ours."""
    if isinstance(fact, HandFact):
        return by_hand_told(payment, fact, policy, now)
    if isinstance(fact, RefundAsked):
        return refund_asked(payment, fact, now)
    if isinstance(fact, RefundBraked):
        return refund_braked(payment, fact.why, policy, now)
    if isinstance(fact, PaidAnotherWay):
        return paid_another_way(payment, fact, now)
    if isinstance(fact, RefundFact):
        return refunds.refund_told(payment, fact, policy, now)
    if isinstance(fact, NoteFact):
        return note_told(payment, fact, policy, now)
    return dispute_told(payment, fact, policy, now)


def _invoice_opened(payment: Payment, fact: facts.InvoiceOpened, now: datetime) -> Decision:
    payment = replace(payment, due_at=fact.due_at or payment.due_at)
    if payment.state is not State.WAITING or payment.reason is not Reason.DRAFT:
        return Decision(payment, note="the invoice was open already")
    return Decision(waiting(payment, Reason.READY, now))


_GIVES_BACK = frozenset((State.STRANDED, State.REPORTED, State.REFUNDED))
_CLOSING = frozenset(("invoice.voided", "invoice.paid", "invoice.deleted"))


def _touched(payment: Payment, fact: facts.InvoiceTouched, now: datetime) -> Decision:
    """Look sooner, where looking is all that is to be done; never while an attempt is out."""
    held = payment.ended or payment.parked_why is not None or payment.reason in TIMED
    goes_back = payment.state in _GIVES_BACK and not payment.unapplied_minor
    # A pending charge of an invoice that was closed may still be cancelled at the processor.
    pending = payment.state is State.PENDING and fact.event_type in _CLOSING
    out = payment.unresolved_attempt is not None and not pending
    if held or goes_back or out:
        return Decision(payment, note="nothing to look at")
    return Decision(replace(payment, next_look_at=now))


def _look_failed(
    payment: Payment, fact: facts.LookFailed, policy: Policy, now: datetime
) -> Decision:
    """Stripe unreadable means wait: never charge without a last look."""
    if payment.ended or payment.parked_why is not None:
        return Decision(payment, note=fact.detail)
    later = now + pause_after(policy.stripe_pauses, payment.unreadable)
    # Also with money to report: tried again at once, it would fail ten times in a second.
    payment = replace(payment, next_look_at=later, unreadable=payment.unreadable + 1)
    if payment.state is State.WAITING:
        payment = replace(payment, reason=Reason.STRIPE_UNREADABLE)
    out = payment.unresolved_attempt
    if out is not None and overdue(out, policy, now) and not payment.unapplied_minor:
        return Decision(parked(payment, fact.detail), notices=(Notice.NEEDS_PERSON,))
    concludes = isinstance(next_step(payment), Conclude)
    if concludes and payment.unreadable >= policy.reports_before_notice:
        why = f"what it is to end with cannot be done in Stripe: {fact.detail}"
        return Decision(parked(payment, why), notices=(Notice.NEEDS_PERSON,))
    # Somebody should look at a key that stays wrong while a customer waits for money.
    stuck = payment.state in _GIVES_BACK and payment.unreadable == policy.reports_before_notice
    notices = (Notice.NEEDS_PERSON,) if stuck else ()
    return Decision(payment, notices=notices, note=fact.detail)


def _replay_started(
    payment: Payment, fact: facts.ReplayStarted, policy: Policy, now: datetime
) -> Decision:
    attempt = payment.unresolved_attempt
    if attempt is None or attempt.id != fact.attempt_id:
        return Decision(payment, note="this attempt is resolved already")
    if attempt.outcome not in (Outcome.STARTED, Outcome.NO_ANSWER) or payment.parked_why:
        return Decision(payment, attempt_id=attempt.id, note="answered meanwhile, or parked")
    payment = replace(payment, unreadable=0)
    verdict = judge_charge(payment, fact.look, attempt.n, policy, now)
    money_is_here = any(not receipt.failed for receipt in payment.receipts)
    if isinstance(verdict, NeedsPerson) and not money_is_here:
        return Decision(parked(payment, verdict.why), notices=(Notice.NEEDS_PERSON,))
    closes = payment.closing is not None or payment.waiting_by_hand is not None
    if money_is_here or closes or verdict != Chargeable(attempt.amount.minor):
        # Sending it again could charge what is no longer due: only look-ups from here on.
        detail = "not sent again: not chargeable now"
        return still_in_doubt(payment, attempt, detail, policy, now)
    if fact.braked is not None:
        return charge_braked(payment, fact.braked, policy, now)
    sent = replace(attempt, asked=attempt.asked + 1, sendings=attempt.sendings + 1)
    payment = replace(with_attempt(payment, sent), next_look_at=now)
    return Decision(payment, send=Send(sent), attempt_id=sent.id)


def _customer_came(
    payment: Payment, fact: facts.AmountAgreed | facts.MethodAdded, now: datetime
) -> Decision:
    if isinstance(fact, facts.AmountAgreed):
        return _amount_agreed(payment, fact, now)
    return _method_added(payment, now)


def _amount_agreed(payment: Payment, fact: facts.AmountAgreed, now: datetime) -> Decision:
    """A limit only ever rises: an earlier, higher yes stays given. No limit stays none."""
    if payment.limit_minor is not None:
        payment = replace(payment, limit_minor=max(fact.limit_minor, payment.limit_minor))
    if payment.state is not State.WAITING or payment.reason in TIMED:
        return Decision(payment)
    return Decision(waiting(payment, Reason.READY, now))


def _method_added(payment: Payment, now: datetime) -> Decision:
    """A new method from the customer triggers a charge at once, also after dunning gave up."""
    held = payment.reason in (Reason.CHECKOUT, Reason.CONSENT, Reason.DRAFT)
    uncollectible = payment.reason is Reason.UNCOLLECTIBLE
    if payment.state not in (State.WAITING, State.EXHAUSTED) or held or uncollectible:
        return Decision(payment, note="no charge waits for a method")
    if may_still_arrive(payment, now):
        return Decision(payment, note="the request before it may still arrive")
    return Decision(waiting(payment, Reason.READY, now))


def _checkout_expired(payment: Payment) -> Decision:
    """Only a payment that nothing was attempted on, and nobody agreed to, can be called off."""
    unagreed = payment.limit_minor == 0 or payment.reason is Reason.CONSENT
    untouched = not payment.attempts and not payment.receipts
    if payment.state is not State.WAITING or not untouched or not unagreed:
        return Decision(payment, note="the checkout had gone further")
    payment = ended(replace(payment, parked_why=None), State.CANCELED, Reason.CHECKOUT_EXPIRED)
    return Decision(payment, notices=(Notice.CANCELED,))


def _unparked(payment: Payment, now: datetime) -> Decision:
    """Back to work where there is some; a scheduled retry is not brought forward by it."""
    if payment.parked_why is None:
        return Decision(payment, note="it was not parked")
    agreed = payment.receipt_to_give_back is not None or owed(payment) is not None
    payment = replace(payment, parked_why=None, refund_agreed=agreed)
    if isinstance(next_step(payment), Rest):
        return Decision(replace(payment, ended=True, next_look_at=None))
    scheduled = payment.state is State.WAITING and payment.reason in _SCHEDULED
    scheduled = scheduled or may_still_arrive(payment, now)
    return Decision(payment if scheduled else replace(payment, next_look_at=now))


_SCHEDULED = frozenset((Reason.RETRY, Reason.NETWORK_LIMIT))
