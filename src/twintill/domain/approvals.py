"""An approval: what it means that the processor has the money (part of `decide`). Pure.

It always counts, whoever brings it; but it may be told twice, tell another amount than was asked
for, be old news of a debit that failed, or come when Stripe's invoice needs no more money.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain import ledger
from twintill.domain.afterwards import at_rest, owed
from twintill.domain.decision import (
    Decision,
    Notice,
    answer_is_here,
    parked,
    unless_it_differs,
    with_attempt,
)
from twintill.domain.facts import Via
from twintill.domain.outcomes import Approved, Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.domain.policy import Partial, Policy, ReportWhen
from twintill.domain.refunds import strand
from twintill.money import Money


def approved(
    payment: Payment,
    attempt: Attempt,
    outcome: Approved,
    via: Via,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Money: it counts whoever brings it, unless it contradicts what is known."""
    if not _is_the_amount(payment, attempt, outcome, policy):
        why = f"{attempt.amount} was asked for and {outcome.amount} was taken: compare by hand"
        payment = parked(replace(payment, reason=Reason.AMOUNT_DIFFERS), why)
        return Decision(payment, attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    if attempt.outcome is Outcome.APPROVED:
        return _told_again(payment, attempt, outcome, policy, now)
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
    waits = policy.report_when is ReportWhen.FINAL and outcome.finality is Finality.PROVISIONAL
    if via is Via.FIRST and not waits:
        # The holder of the lease goes on to report in the same look: say so before it does.
        payment = replace(payment, reports=payment.reports + 1)
    return _collected(with_attempt(payment, attempt), attempt, outcome, policy, now)


def not_final_yet(payment: Payment, attempt: Attempt, policy: Policy, now: datetime) -> Decision:
    """Where it waits to be given back, ask again later; in the end a person."""
    if payment.reason is Reason.NOT_FINAL and payment.unapplied_minor:
        held = next(r for r in payment.receipts if r.attempt_id == attempt.id)
        return Decision(_hold(payment, held, policy, now), attempt_id=attempt.id, note="not final")
    receipt = payment.receipt_to_give_back or owed(payment)
    if receipt is None or receipt.attempt_id != attempt.id or payment.unapplied_minor:
        return Decision(payment, attempt_id=attempt.id, note="told before")
    if now > receipt.collected_at + policy.provisional_deadline:
        why = f"stranded, and not final after {policy.provisional_deadline.days} days: decide"
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    payment = at_rest(payment, now + policy.pending_pause)
    return Decision(payment, attempt_id=attempt.id, note="not final yet")


def _is_the_amount(payment: Payment, attempt: Attempt, outcome: Approved, policy: Policy) -> bool:
    """What was asked for; or part of it, if the processor calls it one; and the same for ever."""
    known = next((r for r in payment.receipts if r.attempt_id == attempt.id), None)
    if known is not None:
        return outcome.amount == Money(known.collected_minor, known.currency)
    if outcome.amount == attempt.amount:
        return True
    same_currency = outcome.amount.currency == attempt.amount.currency
    less = same_currency and 0 < outcome.amount.minor < attempt.amount.minor
    return outcome.partial and less and policy.partial is Partial.SPLIT


def _collected(
    payment: Payment, attempt: Attempt, outcome: Approved, policy: Policy, now: datetime
) -> Decision:
    assert attempt.finality is not None, "set with the approval"
    receipt = Receipt(
        id=attempt.id.replace("att_", "rct_", 1),
        attempt_id=attempt.id,
        source="attempt",
        processor_account_id=attempt.processor_account_id,
        currency=attempt.amount.currency,
        finality=attempt.finality,
        collected_minor=outcome.amount.minor,
        collected_at=now,
    )
    postings = [ledger.collected(receipt)]
    if payment.told_minor or any(_was_answered_for(r) for r in payment.receipts):
        # Stripe has answered for the invoice's money already: all of this is the customer's.
        postings.append(ledger.stranded(receipt, receipt.collected_minor))
        receipt = replace(receipt, stranded_minor=receipt.collected_minor)
        payment = replace(payment, receipts=(*payment.receipts, receipt))
        why = "collected twice for one invoice: refund or credit the second"
        payment, notices = strand(payment, Reason.MORE_THAN_DUE, why, policy, now)
        return Decision(payment, None, tuple(postings), (Notice.COLLECTED, *notices), attempt.id)
    payment = replace(
        answer_is_here(payment),
        receipts=(*payment.receipts, receipt),
        state=State.COLLECTED,
        reason=None,
        next_look_at=now,
        ended=False,
    )
    payment = _hold(payment, receipt, policy, now)
    return Decision(payment, None, tuple(postings), (Notice.COLLECTED,), attempt.id)


def _hold(payment: Payment, receipt: Receipt, policy: Policy, now: datetime) -> Payment:
    """By setting a debit that may still fail is not reported; at the latest when it is nearly due.

    One that never becomes final is reported in the end as well: the customer has paid.
    """
    if policy.report_when is not ReportWhen.FINAL or receipt.finality is Finality.FINAL:
        return payment
    latest = receipt.collected_at + policy.provisional_deadline
    if payment.due_at is not None:
        latest = min(latest, payment.due_at - policy.due_margin)
    if now >= latest:
        return replace(payment, reason=None, next_look_at=now)
    again_at = min(now + policy.pending_pause, latest)
    return replace(payment, reason=Reason.NOT_FINAL, next_look_at=again_at)


def _was_answered_for(receipt: Receipt) -> bool:
    """Stripe was told of it, or did not take it; whatever became of it since."""
    still = receipt.reported_minor or receipt.stranded_minor
    gone = receipt.refunded_minor or receipt.disputed_minor or receipt.refund_due_minor
    return bool(still or gone)


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
        reason=unless_it_differs(payment, Reason.ACCEPTED),
        next_look_at=now,
        ended=False,
    )
    note = "told to be approved after it was declined: asked for"
    return Decision(payment, attempt_id=attempt.id, note=note)


def _told_again(
    payment: Payment, attempt: Attempt, outcome: Approved, policy: Policy, now: datetime
) -> Decision:
    """Duplicates are normal; the only news can be that provisional money became final."""
    if outcome.processor_payment_id != attempt.processor_payment_id:
        why = (
            f"the processor charged twice under one reference: {attempt.processor_payment_id} and "
            f"{outcome.processor_payment_id}: refund one there"
        )
        return Decision(parked(payment, why), attempt_id=attempt.id, notices=(Notice.NEEDS_PERSON,))
    if attempt.finality is Finality.FINAL:
        return Decision(payment, attempt_id=attempt.id, note="told before")
    if outcome.finality is Finality.PROVISIONAL:
        return not_final_yet(payment, attempt, policy, now)
    payment = with_attempt(payment, replace(attempt, finality=Finality.FINAL))
    receipts = tuple(
        replace(r, finality=Finality.FINAL) if r.attempt_id == attempt.id else r
        for r in payment.receipts
    )
    payment = replace(payment, receipts=receipts)
    if payment.reason is Reason.NOT_FINAL:
        payment = replace(payment, reason=None, next_look_at=now)
    waited_for = payment.receipt_to_give_back is not None or owed(payment) is not None
    waited_for = waited_for and not payment.unapplied_minor
    return Decision(at_rest(payment, now) if waited_for else payment, attempt_id=attempt.id)
