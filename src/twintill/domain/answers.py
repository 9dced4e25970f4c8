"""What a processor's answer means for an attempt and its payment (part of `decide`). Pure.

Rules: an approval always counts, whoever brings it. A decline or a not-sent closes an attempt only
when it answers the first sending, or is the processor's own record of it; otherwise the attempt
stays in doubt. What was approved and is declined later has failed late.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from twintill.domain import ledger
from twintill.domain.decision import Decision, Notice, with_attempt
from twintill.domain.doubt import next_ask
from twintill.domain.dunning import GiveUp, TryAt, next_try
from twintill.domain.facts import Answered, FailedLate, NotFoundThere, Via
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
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.domain.policy import Policy, pause_after
from twintill.errors import BrokenInvariant

# Answers that close an attempt with "no": the first sending's own, and the processor's records.
_DEFINITE = frozenset((Via.FIRST, Via.EXACT_REPLAY, Via.RECORD, Via.PERSON))


def answered(payment: Payment, fact: Answered, policy: Policy, now: datetime) -> Decision:
    """Raises BrokenInvariant when the attempt is not this payment's."""
    attempt = _find(payment, fact.attempt_id)
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
            return _still_in_doubt(payment, attempt, outcome.detail, policy, now)
        case NotSent():
            return _not_sent(payment, attempt, outcome, fact.via, policy, now)
    assert_never(outcome)


def not_found_there(
    payment: Payment, fact: NotFoundThere, policy: Policy, now: datetime
) -> Decision:
    """Nothing under our reference: a proof only once nothing can appear any more."""
    attempt = _find(payment, fact.attempt_id)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if not fact.conclusive or attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER):
        return _still_in_doubt(payment, attempt, "not found at the processor", policy, now)
    proved = NotSent(NotSentReason.NETWORK, "never reached the processor: looked up and not found")
    return _not_sent(payment, attempt, proved, Via.RECORD, policy, now)


def failed_late(payment: Payment, fact: FailedLate, now: datetime) -> Decision:
    """A debit that was collected failed by itself. Before the report: waiting again.

    After it: `paid_out_of_band` cannot be undone, so the customer owes it until a person (or the
    late-failure procedure) makes the credit note and the replacement invoice.
    """
    attempt = _find(payment, fact.attempt_id)
    receipt = next((r for r in payment.receipts if r.attempt_id == attempt.id), None)
    if receipt is None or receipt.failed:
        return Decision(payment, attempt_id=attempt.id, note="nothing was collected by it")
    postings = _undo(receipt)
    failed = replace(receipt, failed=True)
    receipts = tuple(failed if r.id == receipt.id else r for r in payment.receipts)
    attempt = replace(attempt, outcome=Outcome.DECLINED, code=fact.code, detail=fact.detail)
    payment = replace(with_attempt(payment, attempt), receipts=receipts, reason=Reason.FAILED_LATE)
    notices: tuple[Notice, ...] = (Notice.FAILED_LATE,)
    if receipt.reported_minor or receipt.stranded_minor:
        why = f"the debit failed after it was reported ({fact.code}): credit note and new invoice"
        payment = replace(payment, parked_why=why, ended=False)
        notices = (Notice.FAILED_LATE, Notice.NEEDS_PERSON)
    else:
        payment = replace(payment, state=State.WAITING, next_look_at=now, ended=False)
    return Decision(payment, postings=postings, notices=notices, attempt_id=attempt.id)


def _undo(receipt: Receipt) -> tuple[ledger.LedgerTransaction, ...]:
    legs = (
        (receipt.unapplied_minor, ledger.failed_before_report),
        (receipt.reported_minor, ledger.failed_after_report),
        (receipt.stranded_minor, ledger.failed_after_stranding),
    )
    return tuple(make(receipt, amount) for amount, make in legs if amount)


def _approved(
    payment: Payment, attempt: Attempt, outcome: Approved, via: Via, now: datetime
) -> Decision:
    if outcome.amount != attempt.amount:
        why = f"{attempt.amount} was asked for and {outcome.amount} was taken: compare by hand"
        payment = replace(payment, parked_why=why, ended=False)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    if attempt.outcome is Outcome.APPROVED:
        return _told_again(payment, attempt, outcome)
    if any(r.attempt_id == attempt.id for r in payment.receipts):
        why = "a debit that had failed late was approved again: compare with the processor"
        payment = replace(payment, parked_why=why, ended=False)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
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
        payment,
        receipts=(*payment.receipts, receipt),
        state=State.COLLECTED,
        reason=None,
        next_look_at=now,
        ended=False,
    )
    return Decision(payment, None, tuple(postings), (Notice.COLLECTED,), attempt.id)


def _told_again(payment: Payment, attempt: Attempt, outcome: Approved) -> Decision:
    """Duplicates are normal; the only news can be that provisional money became final."""
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
    later = min(now + timedelta(hours=1), max(outcome.expires_at or now, now + timedelta(hours=1)))
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
    payment = with_attempt(payment, attempt)
    if now > attempt.first_sent_at + policy.pending_deadline:
        why = f"{reason} for longer than {policy.pending_deadline.days} days: ask the processor"
        payment = replace(payment, parked_why=why, ended=False)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    payment = replace(payment, next_look_at=later, ended=False)
    if payment.state in (State.WAITING, State.CHARGING, State.PENDING):
        payment = replace(payment, state=State.PENDING, reason=reason)
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
        return failed_late(payment, FailedLate(attempt.id, outcome.code, outcome.text), now)
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    if via not in _DEFINITE:
        return _still_in_doubt(payment, attempt, f"answered {outcome.code} to {via}", policy, now)
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


def _after_decline(payment: Payment, attempt: Attempt, policy: Policy, now: datetime) -> Decision:
    if payment.state not in (State.CHARGING, State.PENDING):
        # The money came by another attempt meanwhile; this one is merely no longer out.
        done = payment.unapplied_minor == 0 and payment.parked_why is None
        return Decision(replace(payment, ended=done), attempt_id=attempt.id)
    match next_try(payment, attempt, policy, now):
        case TryAt(at):
            payment = replace(payment, state=State.WAITING, reason=Reason.RETRY, next_look_at=at)
            return Decision(payment, attempt_id=attempt.id, notices=(Notice.DECLINED,))
        case GiveUp(reason):
            payment = replace(
                payment, state=State.EXHAUSTED, reason=reason, next_look_at=None, ended=True
            )
            notices = (Notice.DECLINED, Notice.EXHAUSTED)
            return Decision(payment, attempt_id=attempt.id, notices=notices)


def _not_sent(
    payment: Payment,
    attempt: Attempt,
    outcome: NotSent,
    via: Via,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Certain that nothing happened: no dunning step is used, a fast back-off of its own."""
    if not attempt.unresolved or attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER):
        return Decision(payment, attempt_id=attempt.id, note=outcome.detail)
    if via not in _DEFINITE:
        return _still_in_doubt(payment, attempt, outcome.detail, policy, now)
    attempt = replace(
        attempt,
        outcome=Outcome.NOT_SENT,
        code=outcome.reason.value,
        detail=outcome.detail,
        answered_at=now,
    )
    payment = with_attempt(payment, attempt)
    if payment.state not in (State.CHARGING, State.PENDING):
        return _after_decline(payment, attempt, policy, now)
    wait = pause_after(policy.not_sent_pauses, _not_sent_in_a_row(payment) - 1)
    wait = max(wait, timedelta(seconds=outcome.wait_s or 0))
    payment = replace(payment, state=State.WAITING, reason=Reason.NOT_SENT, next_look_at=now + wait)
    if outcome.reason is NotSentReason.INEXACT:
        why = f"cannot be charged with this processor: {outcome.detail}"
        payment = replace(payment, parked_why=why)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id)


def _not_sent_in_a_row(payment: Payment) -> int:
    count = 0
    for attempt in reversed(payment.attempts):
        if attempt.outcome is not Outcome.NOT_SENT:
            break
        count += 1
    return count


def _still_in_doubt(
    payment: Payment, attempt: Attempt, detail: str, policy: Policy, now: datetime
) -> Decision:
    """Nothing is known. An attempt that was accepted stays accepted: asking it just failed."""
    if not attempt.unresolved:
        return Decision(payment, attempt_id=attempt.id, note="resolved already")
    later = next_ask(attempt, policy, now)
    pending = attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER)
    attempt = replace(
        attempt,
        outcome=attempt.outcome if pending else Outcome.NO_ANSWER,
        detail=detail,
        asked=attempt.asked + 1,
    )
    payment = replace(with_attempt(payment, attempt), next_look_at=later, ended=False)
    if payment.state is State.CHARGING:
        payment = replace(payment, reason=Reason.IN_DOUBT)
    deadline = policy.pending_deadline if pending else policy.doubt_deadline
    if now > attempt.first_sent_at + deadline:
        why = f"in doubt since {attempt.first_sent_at:%Y-%m-%d %H:%M} UTC: ask the processor"
        payment = replace(payment, parked_why=why)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    return Decision(payment, attempt_id=attempt.id, note=detail)


def _find(payment: Payment, attempt_id: str) -> Attempt:
    attempt = next((a for a in payment.attempts if a.id == attempt_id), None)
    if attempt is None:
        raise BrokenInvariant(f"{attempt_id} is not an attempt of {payment.id}")
    return attempt
