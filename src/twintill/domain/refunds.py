"""Giving money back: what each fact about a refund means (part of `decide`). Pure.

Stranded money goes back by itself; reported money because somebody asked for it, or made a credit
note in Stripe. The rules are those of a charge (DESIGN law 7): the intent is committed first, a
missing answer is not a refusal, the same key is sent again or nothing, and only a definite no lets
a new one be made. Besides: never more than there is on that receipt, only money that is final,
none while an attempt of the payment is out, and within the caps that a person can lift.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import ledger, refund_books
from twintill.domain.afterwards import at_rest, rest_or_go_on
from twintill.domain.decision import Decision, Notice, parked, with_refund
from twintill.domain.doubt import next_ask
from twintill.domain.facts import (
    RefundAnswered,
    RefundNotFoundThere,
    RefundReplayStarted,
    RefundStarted,
    Via,
)
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
from twintill.domain.payment import Outcome, Payment, Reason, Receipt, Refund, RefundOf, State
from twintill.domain.policy import Policy
from twintill.domain.return_facts import RefundSeenThere
from twintill.domain.unsent_refunds import NOT_GIVEN, not_sent
from twintill.errors import BrokenInvariant
from twintill.money import Money

_DEFINITE = frozenset((Via.FIRST, Via.EXACT_REPLAY, Via.RECORD, Via.PERSON))


# How a parking for a refund's own sake begins: its answer lifts that one, and no other.
_NO_END = "a refund"
_FOR_A_REFUND = (NOT_GIVEN, _NO_END)

RefundFact = (
    RefundStarted | RefundReplayStarted | RefundAnswered | RefundNotFoundThere | RefundSeenThere
)


def refund_told(payment: Payment, fact: RefundFact, policy: Policy, now: datetime) -> Decision:
    """Raises BrokenInvariant when the refund is not this payment's."""
    match fact:
        case RefundStarted():
            return _started(payment, fact, now)
        case RefundReplayStarted():
            return _replay_started(payment, fact, policy, now)
        case RefundAnswered():
            return _answered(payment, fact, policy, now)
        case RefundNotFoundThere():
            return _not_found_there(payment, fact, policy, now)
        case RefundSeenThere():
            return seen_there(payment, fact, policy, now)
    assert_never(fact)


def strand(
    payment: Payment, reason: Reason, why: str, policy: Policy, now: datetime
) -> tuple[Payment, tuple[Notice, ...]]:
    """Money that Stripe does not take: it goes back by itself, or a person decides."""
    payment = replace(payment, state=State.STRANDED, reason=reason, ended=False)
    by_itself = policy.refund_stranded and payment.receipt_to_give_back is not None
    if payment.parked_why is not None or not by_itself:
        why = payment.parked_why or why
        return parked(payment, why), (Notice.STRANDED, Notice.NEEDS_PERSON)
    return at_rest(payment, now + policy.refund_pause), (Notice.STRANDED,)


def _started(payment: Payment, fact: RefundStarted, now: datetime) -> Decision:
    """May it be sent? Everything that could have changed since the look is checked again."""
    if payment.parked_why is not None:
        return Decision(payment, note="parked: a person looks at it")
    if payment.unresolved_attempt or payment.unresolved_refund or payment.unapplied_minor:
        return Decision(payment, note="something else comes first")
    if refund_books.is_gone(payment, fact):
        payment = rest_or_go_on(refund_books.ask_refused(payment, fact), now)
        note = "it was given back by somebody else meanwhile"
        return Decision(payment, notices=(Notice.REFUND_FAILED,), note=note)
    if refund_books.is_more_than_there_is(payment, fact):
        why = "a credit note says more than is left of this money: compare with the processor"
        return _for_a_person(payment, why)
    receipt = refund_books.meant(payment, fact)
    if receipt is None or fact.n != payment.next_refund_n:
        return Decision(payment, note="prepared for something older")
    if receipt.finality is not Finality.FINAL:
        return Decision(payment, note="not final, or another amount by now")
    if fact.refused is not None:
        return _cannot_be_asked(payment, fact, fact.refused, now)
    if fact.over_cap is not None and not payment.refund_agreed and fact.ask_id is None:
        return _for_a_person(payment, f"{fact.over_cap}; unpark it to give the money back")
    attempt = next(a for a in payment.attempts if a.id == receipt.attempt_id)
    refund = Refund(
        id=fact.refund_id,
        n=fact.n,
        receipt_id=receipt.id,
        processor=attempt.processor,
        processor_account_id=attempt.processor_account_id,
        amount=Money(fact.amount_minor, payment.currency),
        reference=fact.reference,
        idempotency_key=fact.idempotency_key,
        first_sent_at=now,
        of=RefundOf.REPORTED if fact.reported else RefundOf.STRANDED,
        sealed_body=fact.sealed_body,
    )
    payment = refund_books.ask_begun(with_refund(payment, refund), refund, fact.ask_id)
    reason = Reason.REFUND_WANTED if payment.reason is Reason.BRAKED else payment.reason
    payment = replace(payment, reason=reason, unreadable=0, next_look_at=now)
    return Decision(payment, give_back=refund, attempt_id=refund.id)


def _cannot_be_asked(
    payment: Payment, fact: RefundStarted, refused: NotSent, now: datetime
) -> Decision:
    why = f"cannot be given back through this processor: {refused.detail}"
    if fact.ask_id is None:
        return _for_a_person(payment, why)
    payment = rest_or_go_on(refund_books.ask_refused(payment, fact), now)
    return Decision(payment, notices=(Notice.REFUND_FAILED,), note=why)


def _replay_started(
    payment: Payment, fact: RefundReplayStarted, policy: Policy, now: datetime
) -> Decision:
    """The same key once more; a void cannot be undone, so no new look at Stripe is needed."""
    refund = payment.unresolved_refund
    if refund is None or refund.id != fact.refund_id or refund.outcome is Outcome.ACCEPTED:
        return Decision(payment, note="this refund is answered already")
    if payment.parked_why is not None:
        return Decision(payment, note="parked: a person looks at it")
    if _receipt(payment, refund).failed:
        detail = "not sent again: the debit has failed meanwhile"
        return _in_doubt(payment, refund, detail, policy, now)
    if payment.is_held(refund.receipt_id):
        # If the first one never arrived, the customer would have it from the dispute as well.
        return _in_doubt(payment, refund, "not sent again: a dispute holds it", policy, now)
    sent = replace(refund, asked=refund.asked + 1, sendings=refund.sendings + 1)
    payment = replace(with_refund(payment, sent), next_look_at=now)
    return Decision(payment, give_back=sent, attempt_id=sent.id)


def _answered(payment: Payment, fact: RefundAnswered, policy: Policy, now: datetime) -> Decision:
    refund = _find(payment, fact.refund_id)
    match fact.outcome:
        case Approved() as told:
            return _approved(payment, refund, told, now)
        case Accepted() as told:
            return _accepted(payment, refund, told, policy, now)
        case Declined() as told:
            return _declined(payment, refund, told, fact.via, policy, now)
        case NotSent() as told if fact.via is Via.FIRST and refund.outcome is Outcome.STARTED:
            return not_sent(payment, refund, told, policy, now)
        case NotSent() | NoAnswer() as told:
            return _in_doubt(payment, refund, told.detail, policy, now)
        case NeedsCustomer():
            return _in_doubt(payment, refund, "asks for the customer", policy, now)
    assert_never(fact.outcome)


def _not_found_there(
    payment: Payment, fact: RefundNotFoundThere, policy: Policy, now: datetime
) -> Decision:
    """A proof only once nothing can appear any more."""
    refund = _find(payment, fact.refund_id)
    if not fact.conclusive or refund.outcome not in (Outcome.STARTED, Outcome.NO_ANSWER):
        return _in_doubt(payment, refund, "not found at the processor", policy, now)
    # Whoever asked for it may ask again: by now somebody else may have given it back.
    failed = refund_books.ask_failed(payment, refund)
    notices = (Notice.REFUND_FAILED,) if failed.asks != payment.asks else ()
    proved = NotSent(NotSentReason.NETWORK, "never reached the processor: looked up, not found")
    return replace(not_sent(failed, refund, proved, policy, now), notices=notices)


def seen_there(payment: Payment, fact: RefundSeenThere, policy: Policy, now: datetime) -> Decision:
    """Somebody gave it back at the processor, by hand: booked, and only the rest is ours to do."""
    receipt = next((r for r in payment.receipts if r.id == fact.receipt_id), None)
    if payment.unresolved_refund is not None or receipt is None or receipt.attempt_id is None:
        return Decision(payment, note="nothing here to put it to")
    if any(r.processor_refund_id == fact.processor_refund_id for r in payment.refunds):
        return Decision(payment, note="known already")
    of = refund_books.which(receipt, fact.amount)
    if of is None:
        why = (
            f"{fact.processor_refund_id} gave {fact.amount} back at the processor by hand, more "
            f"than the {receipt.stranded_minor} that is stranded or what was reported"
        )
        return _for_a_person(payment, why)
    attempt = next(a for a in payment.attempts if a.id == receipt.attempt_id)
    by_hand = Refund(
        id=fact.refund_id,
        n=fact.n,
        receipt_id=receipt.id,
        processor=attempt.processor,
        processor_account_id=attempt.processor_account_id,
        amount=fact.amount,
        reference=fact.processor_refund_id,
        idempotency_key=f"by-hand-{fact.processor_refund_id}",
        first_sent_at=now,
        of=of,
        sendings=0,
    )
    payment = with_refund(payment, by_hand)
    if fact.ours:
        payment = refund_books.ask_answered(payment, by_hand)
    if fact.under_way:
        # It may still come back: no credit note is made for it before it has arrived.
        return _accepted(payment, by_hand, Accepted(fact.processor_refund_id), policy, now)
    return _approved(payment, by_hand, Approved(fact.processor_refund_id, fact.amount), now)


def _approved(payment: Payment, refund: Refund, told: Approved, now: datetime) -> Decision:
    receipt = _receipt(payment, refund)
    if refund.outcome is Outcome.APPROVED:
        return _told_again(payment, refund, told)
    if told.amount != refund.amount or not refund_books.is_there(refund, receipt):
        why = f"{told.amount} was given back, {refund.amount} was asked for: compare by hand"
        return _for_a_person(payment, why, refund)
    if refund.outcome is Outcome.DECLINED and refund.processor_refund_id is not None:
        why = f"{refund.processor_refund_id} failed and is told to be done: compare by hand"
        return _for_a_person(payment, why, refund)
    done = replace(
        refund,
        outcome=Outcome.APPROVED,
        processor_refund_id=told.processor_payment_id,
        answered_at=now,
    )
    booked = ledger.refunded(refund, receipt)
    payment = _with_receipt(with_refund(payment, done), refund_books.given(refund, receipt))
    payment = _no_more_agreed(refund_books.ask_done(payment, done), refund)
    if payment.parked_why is not None and payment.parked_why.startswith(_FOR_A_REFUND):
        payment = replace(payment, parked_why=None)
    payment = _after_it(payment, refund, now)
    return Decision(payment, None, (booked,), (Notice.REFUNDED,), refund.id)


def _no_more_agreed(payment: Payment, refund: Refund) -> Payment:
    """A person agreed to one refund, and this was it; what somebody made by hand is another."""
    return replace(payment, refund_agreed=False) if refund.sendings else payment


def _after_it(payment: Payment, refund: Refund, now: datetime) -> Payment:
    if payment.unapplied_minor:
        return payment
    if refund.of is RefundOf.REPORTED:
        return rest_or_go_on(payment, now)
    if payment.receipt_to_give_back is None:
        state = State.REPORTED if payment.reported_minor else State.REFUNDED
        payment = replace(payment, state=state, reason=None)
    return at_rest(payment, now)


def _told_again(payment: Payment, refund: Refund, told: Approved) -> Decision:
    if told.processor_payment_id == refund.processor_refund_id:
        return Decision(payment, attempt_id=refund.id, note="told before")
    why = (
        f"the processor gave back twice under one reference: {refund.processor_refund_id} and "
        f"{told.processor_payment_id}: compare by hand"
    )
    return _for_a_person(payment, why, refund)


def _accepted(
    payment: Payment, refund: Refund, told: Accepted, policy: Policy, now: datetime
) -> Decision:
    if not refund.unresolved:
        return Decision(payment, attempt_id=refund.id, note="resolved already")
    receipt = _receipt(payment, refund)
    news = refund.outcome is not Outcome.ACCEPTED
    booked = (ledger.refund_under_way(refund, receipt),) if news and not receipt.failed else ()
    on_its_way = replace(
        refund,
        outcome=Outcome.ACCEPTED if booked or not news else refund.outcome,
        processor_refund_id=told.processor_payment_id,
        asked=0 if news else refund.asked + 1,
    )
    payment = replace(
        with_refund(payment, on_its_way),
        reason=payment.reason if payment.parked_why else Reason.REFUND_UNDER_WAY,
        next_look_at=now + policy.pending_pause,
    )
    if now > refund.first_sent_at + policy.pending_deadline:
        why = f"{_NO_END} is under way for over {policy.pending_deadline.days} days: ask for it"
        return replace(_for_a_person(payment, why, refund), postings=booked)
    return Decision(payment, None, booked, attempt_id=refund.id)


def _declined(
    payment: Payment, refund: Refund, told: Declined, via: Via, policy: Policy, now: datetime
) -> Decision:
    if refund.outcome in (Outcome.DECLINED, Outcome.NOT_SENT):
        return Decision(payment, attempt_id=refund.id, note="resolved already")
    if via not in _DEFINITE:
        detail = f"answered {told.code} to {via}"
        return _in_doubt(payment, refund, detail, policy, now)
    receipt = _receipt(payment, refund)
    booked: tuple[ledger.LedgerTransaction, ...] = ()
    if refund.outcome in (Outcome.ACCEPTED, Outcome.APPROVED):
        booked = (ledger.refund_failed(refund, receipt),)
    if refund.outcome is Outcome.APPROVED:
        receipt = refund_books.came_back(refund, receipt)
    failed = replace(
        refund,
        outcome=Outcome.DECLINED,
        code=told.code,
        detail=told.text,
        processor_refund_id=told.processor_payment_id or refund.processor_refund_id,
        answered_at=now,
    )
    payment = _no_more_agreed(_with_receipt(with_refund(payment, failed), receipt), refund)
    decision = _not_given(payment, failed, told, now)
    return replace(decision, postings=booked)


def _not_given(payment: Payment, refund: Refund, told: Declined, now: datetime) -> Decision:
    """The customer is still owed it, unless it was only asked for: then the ask has failed."""
    stranded = refund.of is RefundOf.STRANDED
    payment = refund_books.ask_failed(payment, refund)
    receipt = _receipt(payment, refund)
    if not stranded and receipt.refund_due_minor <= 0 and payment.parked_why is None:
        payment = rest_or_go_on(replace(payment, reason=None), now)
        return Decision(payment, None, (), (Notice.REFUND_FAILED,), refund.id)
    state = State.STRANDED if stranded else State.REPORTED
    payment = replace(payment, state=state, reason=Reason.REFUND_REFUSED)
    why = f"{NOT_GIVEN} ({told.code}): pay the customer another way"
    return _for_a_person(payment, payment.parked_why or why, refund)


def _in_doubt(
    payment: Payment, refund: Refund, detail: str, policy: Policy, now: datetime
) -> Decision:
    if not refund.unresolved:
        return Decision(payment, attempt_id=refund.id, note="resolved already")
    under_way = refund.outcome is Outcome.ACCEPTED
    later = now + policy.pending_pause if under_way else next_ask(refund, policy, now)
    asked = replace(
        refund,
        outcome=refund.outcome if under_way else Outcome.NO_ANSWER,
        detail=detail,
        asked=refund.asked + 1,
    )
    reason: Reason | None = Reason.REFUND_UNDER_WAY if under_way else Reason.REFUND_IN_DOUBT
    if payment.parked_why is not None:
        reason = payment.reason  # what it waits for a person for
    payment = replace(with_refund(payment, asked), reason=reason, next_look_at=later)
    deadline = policy.pending_deadline if under_way else policy.doubt_deadline
    if now > refund.first_sent_at + deadline:
        why = (
            f"{_NO_END} without an end since {refund.first_sent_at:%Y-%m-%d %H:%M} UTC: ask for it"
        )
        return _for_a_person(payment, why, refund)
    return Decision(payment, attempt_id=refund.id, note=detail)


def _for_a_person(payment: Payment, why: str, refund: Refund | None = None) -> Decision:
    attempt_id = None if refund is None else refund.id
    return Decision(parked(payment, why), attempt_id=attempt_id, notices=(Notice.NEEDS_PERSON,))


def _find(payment: Payment, refund_id: str) -> Refund:
    refund = next((r for r in payment.refunds if r.id == refund_id), None)
    if refund is None:
        raise BrokenInvariant(f"{refund_id} is not a refund of {payment.id}")
    return refund


def _receipt(payment: Payment, refund: Refund) -> Receipt:
    return next(r for r in payment.receipts if r.id == refund.receipt_id)


def _with_receipt(payment: Payment, receipt: Receipt) -> Payment:
    receipts = tuple(receipt if r.id == receipt.id else r for r in payment.receipts)
    return replace(payment, receipts=receipts)
