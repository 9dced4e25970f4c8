"""What a processor's answer means for an attempt and its payment (part of `decide`). Pure.

Rules: an approval always counts, whoever brings it. A decline closes an attempt only when it
answers the first sending, or is the processor's own record of it; a not-sent only when it was the
first sending that did not leave: a replay or a look-up that did not leave proves nothing. Otherwise
the attempt stays in doubt. Provisional money that the processor's record shows as declined has
failed late; any other decline after an approval is an old one, delivered late.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from twintill.domain.afterwards import at_rest
from twintill.domain.approvals import approved, not_final_yet
from twintill.domain.decision import (
    Decision,
    Notice,
    answer_is_here,
    find_attempt,
    look_again,
    parked,
    unless_it_differs,
    with_attempt,
)
from twintill.domain.doubt import next_ask, overdue
from twintill.domain.dunning import GiveUp, next_move, wait_or_give_up
from twintill.domain.facts import (
    Answered,
    FailedLate,
    NotFoundThere,
    Via,
    Withdrawn,
)
from twintill.domain.late_failure import failed_late
from twintill.domain.look import why_closed
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    DeclineKind,
    Finality,
    NeedsCustomer,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import (
    Attempt,
    Outcome,
    Payment,
    Reason,
    State,
)
from twintill.domain.policy import Policy, pause_after

# Whose "declined" closes an attempt: the first sending's own, and the processor's records.
_DEFINITE = frozenset((Via.FIRST, Via.EXACT_REPLAY, Via.RECORD, Via.PERSON))
_PENDING = frozenset((Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER))
# The code of an attempt that was refused because there is a payment for its invoice: that this
# one is not found proves nothing of the other, and a charge elsewhere would be the second.
TAKEN = "paid_already"
_TAKEN_ELSEWHERE = (
    "{} refuses a second payment for this invoice, and the first is not found under our "
    "reference: it has money for it already; look there, then `twintill resolve`"
)


def answered(payment: Payment, fact: Answered, policy: Policy, now: datetime) -> Decision:
    """Raises BrokenInvariant when the attempt is not this payment's."""
    attempt = find_attempt(payment, fact.attempt_id)
    outcome = fact.outcome
    match outcome:
        case Approved():
            return approved(payment, attempt, outcome, fact.via, policy, now)
        case Accepted():
            return _accepted(payment, attempt, outcome, policy, now)
        case NeedsCustomer():
            return _needs_customer(payment, attempt, outcome, policy, now)
        case Declined():
            return _declined(payment, attempt, outcome, fact.via, policy, now)
        case NoAnswer():
            if outcome.taken:
                attempt = replace(attempt, code=TAKEN)
            return still_in_doubt(payment, attempt, outcome.detail, policy, now)
        case NotSent():
            return _not_sent(payment, attempt, outcome, fact.via, policy, now)
    assert_never(outcome)


def not_found_there(
    payment: Payment, fact: NotFoundThere, policy: Policy, now: datetime
) -> Decision:
    """Nothing under our reference: a proof only once nothing can appear any more."""
    attempt = find_attempt(payment, fact.attempt_id)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if not fact.conclusive or attempt.outcome in _PENDING:
        return still_in_doubt(payment, attempt, "not found at the processor", policy, now)
    if attempt.code == TAKEN:
        decision = still_in_doubt(payment, attempt, "not found at the processor", policy, now)
        held = parked(decision.payment, _TAKEN_ELSEWHERE.format(attempt.processor))
        return replace(decision, payment=held, notices=(Notice.NEEDS_PERSON,))
    proved = NotSent(NotSentReason.NETWORK, "never reached the processor: looked up and not found")
    return _did_nothing(payment, attempt, proved, policy, now)


def _accepted(
    payment: Payment, attempt: Attempt, outcome: Accepted, policy: Policy, now: datetime
) -> Decision:
    if not attempt.unresolved:
        return _pending_again(payment, attempt, policy, now)
    news = attempt.outcome is not Outcome.ACCEPTED
    attempt = replace(
        attempt,
        outcome=Outcome.ACCEPTED,
        processor_payment_id=outcome.processor_payment_id,
        expected_at=outcome.expected_at,
        asked=0 if news else attempt.asked + 1,
    )
    later = max(now + policy.pending_pause, (outcome.expected_at or now) + timedelta(hours=1))
    return _pending(payment, attempt, Reason.ACCEPTED, later, policy, now, news=news)


def _needs_customer(
    payment: Payment, attempt: Attempt, outcome: NeedsCustomer, policy: Policy, now: datetime
) -> Decision:
    """Stays unresolved until it is cancelled or has expired at the processor."""
    if not attempt.unresolved:
        return _pending_again(payment, attempt, policy, now)
    news = attempt.outcome is not Outcome.NEEDS_CUSTOMER
    attempt = replace(
        attempt,
        outcome=Outcome.NEEDS_CUSTOMER,
        processor_payment_id=outcome.processor_payment_id,
        action_url=outcome.action_url,
        expected_at=outcome.expires_at,
        asked=0 if news else attempt.asked + 1,
    )
    later = now + timedelta(hours=1)
    return _pending(payment, attempt, Reason.NEEDS_CUSTOMER, later, policy, now, news=news)


def _pending_again(payment: Payment, attempt: Attempt, policy: Policy, now: datetime) -> Decision:
    """Old news; but who asks whether provisional money is final by now must not ask at once."""
    if attempt.finality is Finality.PROVISIONAL and attempt.outcome is Outcome.APPROVED:
        return not_final_yet(payment, attempt, policy, now)
    return Decision(payment, attempt_id=attempt.id, note="resolved already")


def _pending(
    payment: Payment,
    attempt: Attempt,
    reason: Reason,
    later: datetime,
    policy: Policy,
    now: datetime,
    *,
    news: bool,
) -> Decision:
    payment = replace(look_again(with_attempt(payment, attempt), later), ended=False)
    if payment.state in (State.CHARGING, State.PENDING):
        payment = replace(payment, state=State.PENDING, reason=unless_it_differs(payment, reason))
    if now > attempt.first_sent_at + policy.pending_deadline:
        why = f"{reason} for longer than {policy.pending_deadline.days} days: ask the processor"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id, notices=(Notice.PENDING,) if news else ())


def _declined(
    payment: Payment,
    attempt: Attempt,
    outcome: Declined,
    via: Via,
    policy: Policy,
    now: datetime,
) -> Decision:
    if attempt.outcome is Outcome.APPROVED:
        return _declined_after_approval(payment, attempt, outcome, via, policy, now)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if via not in _DEFINITE:
        return still_in_doubt(payment, attempt, f"answered {outcome.code} to {via}", policy, now)
    attempt = replace(
        attempt,
        outcome=Outcome.DECLINED,
        decline_kind=outcome.kind,
        code=outcome.code,
        detail=outcome.text,
        retry_after_s=outcome.retry_after_s,
        processor_payment_id=outcome.processor_payment_id or attempt.processor_payment_id,
        answered_at=now,
    )
    return _after_decline(with_attempt(payment, attempt), attempt, policy, now)


def _declined_after_approval(
    payment: Payment,
    attempt: Attempt,
    outcome: Declined,
    via: Via,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Final money does not fail by itself: what says so is older than the approval."""
    recorded = via in (Via.RECORD, Via.PERSON)
    if recorded and attempt.finality is Finality.PROVISIONAL:
        late = FailedLate(attempt.id, outcome.code, outcome.text, outcome.kind)
        return failed_late(payment, late, policy, now)
    note = f"answered {outcome.code} to {via} after it was approved: the approval stands"
    return Decision(payment, attempt_id=attempt.id, note=note)


def _after_decline(payment: Payment, attempt: Attempt, policy: Policy, now: datetime) -> Decision:
    if payment.state not in (State.CHARGING, State.PENDING):
        return _no_longer_out(payment, attempt, now)
    payment = answer_is_here(payment)
    follows = next_move(payment, policy, now)
    payment = wait_or_give_up(payment, follows, policy, now)
    gave_up = (Notice.EXHAUSTED,) if isinstance(follows, GiveUp) else ()
    return Decision(payment, attempt_id=attempt.id, notices=(Notice.DECLINED, *gave_up))


def _no_longer_out(payment: Payment, attempt: Attempt, now: datetime) -> Decision:
    """The money came by another attempt meanwhile; this one is merely resolved."""
    payment = at_rest(payment, now) if payment.unapplied_minor == 0 else payment
    return Decision(payment, attempt_id=attempt.id)


def _not_sent(
    payment: Payment,
    attempt: Attempt,
    outcome: NotSent,
    via: Via,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Only the first sending can be not-sent, and only while nobody has seen it arrive."""
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if via is Via.PERSON or (via is Via.FIRST and attempt.outcome not in _PENDING):
        return _did_nothing(payment, attempt, outcome, policy, now)
    return still_in_doubt(payment, attempt, outcome.detail, policy, now)


def _did_nothing(
    payment: Payment, attempt: Attempt, outcome: NotSent, policy: Policy, now: datetime
) -> Decision:
    """Certain that nothing happened: no dunning step is used, a fast back-off of its own."""
    attempt = replace(
        attempt,
        outcome=Outcome.NOT_SENT,
        code=outcome.reason.value,
        detail=outcome.detail,
        answered_at=now,
    )
    payment = with_attempt(payment, attempt)
    if payment.state not in (State.CHARGING, State.PENDING):
        return _no_longer_out(payment, attempt, now)
    payment = answer_is_here(payment)
    wait = pause_after(policy.not_sent_pauses, _not_sent_in_a_row(payment) - 1)
    wait = max(wait, timedelta(seconds=outcome.wait_s or 0))
    payment = replace(payment, state=State.WAITING, reason=Reason.NOT_SENT, next_look_at=now + wait)
    if outcome.reason is NotSentReason.INEXACT:
        why = f"cannot be charged with this processor: {outcome.detail}"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id)


def _not_sent_in_a_row(payment: Payment) -> int:
    count = 0
    for attempt in reversed(payment.attempts):
        if attempt.outcome is not Outcome.NOT_SENT:
            break
        count += 1
    return count


def withdrawn(payment: Payment, fact: Withdrawn, now: datetime) -> Decision:
    """Nothing moved, and nothing will: the closed invoice needs no more looks."""
    attempt = find_attempt(payment, fact.attempt_id)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    attempt = replace(
        attempt,
        outcome=Outcome.DECLINED,
        decline_kind=DeclineKind.SOFT,
        code="withdrawn",
        detail="cancelled at the processor: the invoice is closed",
        answered_at=now,
    )
    payment = with_attempt(payment, attempt)
    if payment.state not in (State.CHARGING, State.PENDING):
        return _no_longer_out(payment, attempt, now)
    payment = replace(answer_is_here(payment), state=State.CANCELED, reason=why_closed(fact.look))
    return Decision(at_rest(payment, now), attempt_id=attempt.id, notices=(Notice.CANCELED,))


def still_in_doubt(
    payment: Payment, attempt: Attempt, detail: str, policy: Policy, now: datetime
) -> Decision:
    """Nothing is known. An attempt that was accepted stays accepted: asking it just failed."""
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    later = next_ask(attempt, policy, now)
    pending = attempt.outcome in _PENDING
    attempt = replace(
        attempt,
        outcome=attempt.outcome if pending else Outcome.NO_ANSWER,
        detail=detail,
        asked=attempt.asked + 1,
    )
    payment = replace(look_again(with_attempt(payment, attempt), later), ended=False)
    if payment.state is State.CHARGING:
        payment = replace(payment, reason=unless_it_differs(payment, Reason.IN_DOUBT))
    if overdue(attempt, policy, now):
        why = f"in doubt since {attempt.first_sent_at:%Y-%m-%d %H:%M} UTC: ask the processor"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id, note=detail)
