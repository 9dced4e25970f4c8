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

from twintill.domain import ledger
from twintill.domain.decision import (
    Decision,
    Notice,
    find_attempt,
    look_again,
    parked,
    with_attempt,
)
from twintill.domain.doubt import next_ask, overdue
from twintill.domain.dunning import GiveUp, next_try, wait_or_give_up
from twintill.domain.facts import Answered, FailedLate, NotFoundThere, Via
from twintill.domain.late_failure import failed_late
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    Finality,
    NeedsCustomer,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import (
    UNANSWERED,
    Attempt,
    Outcome,
    Payment,
    Reason,
    Receipt,
    State,
)
from twintill.domain.policy import Policy, pause_after

# Whose "declined" closes an attempt: the first sending's own, and the processor's records.
_DEFINITE = frozenset((Via.FIRST, Via.EXACT_REPLAY, Via.RECORD, Via.PERSON))
_PENDING = frozenset((Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER))


def answered(payment: Payment, fact: Answered, policy: Policy, now: datetime) -> Decision:
    """Raises BrokenInvariant when the attempt is not this payment's."""
    attempt = find_attempt(payment, fact.attempt_id)
    outcome = fact.outcome
    match outcome:
        case Approved():
            return _approved(payment, attempt, outcome, fact.via, now)
        case Accepted():
            return _accepted(payment, attempt, outcome, policy, now)
        case NeedsCustomer():
            return _needs_customer(payment, attempt, outcome, policy, now)
        case Declined():
            return _declined(payment, attempt, outcome, fact.via, policy, now)
        case NoAnswer():
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
    proved = NotSent(NotSentReason.NETWORK, "never reached the processor: looked up and not found")
    return _did_nothing(payment, attempt, proved, policy, now)


def _approved(
    payment: Payment, attempt: Attempt, outcome: Approved, via: Via, now: datetime
) -> Decision:
    if outcome.amount != attempt.amount:
        why = f"{attempt.amount} was asked for and {outcome.amount} was taken: compare by hand"
        payment = parked(replace(payment, reason=Reason.AMOUNT_DIFFERS), why)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    if attempt.outcome is Outcome.APPROVED:
        return _told_again(payment, attempt, outcome)
    if attempt.outcome is Outcome.DECLINED and via is Via.RECORD and _may_be_old(payment, outcome):
        return _ask_about_it(payment, attempt, outcome, now)
    if any(r.attempt_id == attempt.id for r in payment.receipts):
        why = "a debit that had failed late was approved again: compare with the processor"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    attempt = replace(
        attempt,
        outcome=Outcome.APPROVED,
        finality=outcome.finality,
        processor_payment_id=outcome.processor_payment_id,
        answered_at=now,
    )
    if via is Via.FIRST:
        # The holder of the lease goes on to report in the same look: say so before it does.
        payment = replace(payment, reports=payment.reports + 1)
    return _collected(with_attempt(payment, attempt), attempt, now)


def _collected(payment: Payment, attempt: Attempt, now: datetime) -> Decision:
    assert attempt.finality is not None, "set with the approval"
    receipt = Receipt(
        id=attempt.id.replace("att_", "rct_", 1),
        attempt_id=attempt.id,
        source="attempt",
        processor_account_id=attempt.processor_account_id,
        currency=attempt.amount.currency,
        finality=attempt.finality,
        collected_minor=attempt.amount.minor,
        collected_at=now,
    )
    postings = [ledger.collected(receipt)]
    if payment.reported_minor or payment.stranded_minor:
        # Stripe has confirmed the invoice's money already: all of this is the customer's.
        postings.append(ledger.stranded(receipt, receipt.collected_minor))
        receipt = replace(receipt, stranded_minor=receipt.collected_minor)
        payment = replace(
            payment,
            receipts=(*payment.receipts, receipt),
            state=State.STRANDED,
            reason=Reason.MORE_THAN_DUE,
            parked_why="collected twice for one invoice: refund or credit the second",
            ended=False,
        )
        notices = (Notice.COLLECTED, Notice.STRANDED, Notice.NEEDS_PERSON)
        return Decision(payment, None, tuple(postings), notices, attempt.id)
    payment = replace(
        _answer_is_here(payment),
        receipts=(*payment.receipts, receipt),
        state=State.COLLECTED,
        reason=None,
        next_look_at=now,
        ended=False,
    )
    return Decision(payment, None, tuple(postings), (Notice.COLLECTED,), attempt.id)


def _may_be_old(payment: Payment, outcome: Approved) -> bool:
    """A debit is approved, then fails; told of in the other order, the approval is history."""
    return outcome.finality is Finality.PROVISIONAL and not payment.receipts


def _ask_about_it(payment: Payment, attempt: Attempt, outcome: Approved, now: datetime) -> Decision:
    """Only what the processor's record says now can tell: the attempt is out again until then."""
    if payment.unresolved_attempt is not None:
        why = (
            f"{outcome.processor_payment_id} was declined and is told to be approved, while "
            "another attempt is out: compare with the processor"
        )
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    attempt = replace(
        attempt,
        outcome=Outcome.ACCEPTED,
        processor_payment_id=outcome.processor_payment_id,
        decline_kind=None,
        asked=0,
        answered_at=None,
    )
    payment = replace(
        with_attempt(payment, attempt),
        state=State.PENDING,
        reason=_unless_it_differs(payment, Reason.ACCEPTED),
        next_look_at=now,
        ended=False,
    )
    note = "told to be approved after it was declined: asked for"
    return Decision(payment, attempt_id=attempt.id, note=note)


def _told_again(payment: Payment, attempt: Attempt, outcome: Approved) -> Decision:
    """Duplicates are normal; the only news can be that provisional money became final."""
    if outcome.processor_payment_id != attempt.processor_payment_id:
        why = (
            f"the processor charged twice under one reference: {attempt.processor_payment_id} and "
            f"{outcome.processor_payment_id}: refund one there"
        )
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    if attempt.finality is Finality.FINAL or outcome.finality is Finality.PROVISIONAL:
        return Decision(payment, attempt_id=attempt.id, note="told before")
    payment = with_attempt(payment, replace(attempt, finality=Finality.FINAL))
    receipts = tuple(
        replace(r, finality=Finality.FINAL) if r.attempt_id == attempt.id else r
        for r in payment.receipts
    )
    return Decision(replace(payment, receipts=receipts), attempt_id=attempt.id)


def _accepted(
    payment: Payment, attempt: Attempt, outcome: Accepted, policy: Policy, now: datetime
) -> Decision:
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
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
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
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
        payment = replace(payment, state=State.PENDING, reason=_unless_it_differs(payment, reason))
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
        return _no_longer_out(payment, attempt)
    payment = _answer_is_here(payment)
    follows = next_try(payment, attempt, policy, now)
    payment = wait_or_give_up(payment, follows, Reason.RETRY)
    gave_up = (Notice.EXHAUSTED,) if isinstance(follows, GiveUp) else ()
    return Decision(payment, attempt_id=attempt.id, notices=(Notice.DECLINED, *gave_up))


def _no_longer_out(payment: Payment, attempt: Attempt) -> Decision:
    """The money came by another attempt meanwhile; this one is merely resolved."""
    if payment.unapplied_minor == 0 and payment.parked_why is None:
        payment = replace(payment, ended=True, next_look_at=None)
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
        return _no_longer_out(payment, attempt)
    payment = _answer_is_here(payment)
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


def _answer_is_here(payment: Payment) -> Payment:
    """A person was called because nobody answered: not needed any more."""
    waited = payment.reason in UNANSWERED
    return replace(payment, parked_why=None) if waited else payment


def _unless_it_differs(payment: Payment, reason: Reason) -> Reason:
    """A contradiction about the amount is for a person, whatever comes after it."""
    return Reason.AMOUNT_DIFFERS if payment.reason is Reason.AMOUNT_DIFFERS else reason


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
        payment = replace(payment, reason=_unless_it_differs(payment, Reason.IN_DOUBT))
    if overdue(attempt, policy, now):
        why = f"in doubt since {attempt.first_sent_at:%Y-%m-%d %H:%M} UTC: ask the processor"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id, note=detail)
