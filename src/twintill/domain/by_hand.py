"""Money that did not come through a processor: what is told of it means (part of `decide`). Pure.

It is booked when it is recorded, as the customer's credit, and put on its invoice in the same
decision if nothing else may still bring money for it. While a charge is out it waits, and no other
begins; declined, the money by hand is put on the invoice instead of a retry; approved, it stays
credit, unless that fails before its report. Stripe's answer to the report says what the invoice
takes; the rest is credit as well.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import hand_ledger, ledger
from twintill.domain.decision import Decision, Notice, waiting
from twintill.domain.hand import HandKind, HandPayment, HandState
from twintill.domain.hand_facts import (
    CreditReturned,
    CreditTaken,
    HandFact,
    HandPaymentCorrected,
    HandPaymentUndone,
    PaidByHand,
)
from twintill.domain.hand_rules import (
    correct_refusal,
    find,
    put,
    receipt_of,
    record_refusal,
    undo_refusal,
    with_receipts,
)
from twintill.domain.late_failure import after_the_report, while_out
from twintill.domain.ledger import LedgerTransaction
from twintill.domain.outcomes import Finality
from twintill.domain.payment import Payment, Reason, Receipt, State
from twintill.domain.policy import Policy
from twintill.domain.report import MORE_IS_DUE

_ANSWERED = frozenset((State.REPORTED, State.STRANDED, State.REFUNDED, State.CANCELED))
_GAVE_UP = frozenset((Notice.EXHAUSTED, Notice.IN_DUNNING))


def by_hand_told(payment: Payment, fact: HandFact, policy: Policy, now: datetime) -> Decision:
    """The door has asked the same rules under the same lock: what does not fit is noted."""
    match fact:
        case PaidByHand():
            return _recorded(payment, fact, now)
        case HandPaymentUndone():
            return _undone(payment, fact, now)
        case HandPaymentCorrected():
            return _corrected(payment, fact, policy, now)
        case CreditTaken():
            return _used(payment, fact)
        case CreditReturned():
            return _returned(payment, fact)
    assert_never(fact)


def by_hand_comes_next(decision: Decision, now: datetime) -> Decision:
    """Whatever happened: is what waits put on the invoice now, or is it the customer's credit?"""
    decision = _credited_back(decision)
    payment = decision.payment
    for hand in payment.by_hand:
        if hand.waits and _is_answered(payment):
            payment = put(payment, replace(hand, state=HandState.CREDIT))
            decision = replace(decision, payment=payment)
        elif _pays_now(payment, hand):
            decision = _applied(decision, hand, now)
            payment = decision.payment
    return decision


def _recorded(payment: Payment, fact: PaidByHand, now: datetime) -> Decision:
    if any(hand.id == fact.hand_id for hand in payment.by_hand):
        return Decision(payment, note="recorded already")
    refused = record_refusal(payment)
    if refused is not None:
        return Decision(payment, note=refused.why)
    hand = HandPayment(
        id=fact.hand_id,
        kind=fact.kind,
        amount_minor=fact.amount_minor,
        currency=payment.currency,
        received_on=fact.received_on,
        reference=fact.reference,
        recorded_by=fact.by,
        recorded_at=now,
        note=fact.note,
        credit_minor=fact.amount_minor,
        source_id=fact.source_id,
    )
    completes = payment.parked_why is not None and MORE_IS_DUE in payment.parked_why
    if completes:
        payment = replace(payment, parked_why=None, next_look_at=now)
    payment = replace(payment, by_hand=(*payment.by_hand, hand))
    recorded = Decision(payment, postings=(hand_ledger.recorded(hand),))
    if completes and payment.unresolved_attempt is None:
        # What is here does not suffice, whoever brought it: a charge has not paid for it all.
        return _applied(recorded, hand, now)
    return recorded


def _pays_now(payment: Payment, hand: HandPayment) -> bool:
    """It waits; or a charge beside it made it credit, and failed before Stripe was told of that."""
    if payment.unresolved_attempt is not None or payment.parked_why is not None:
        return False
    whole = hand.receipt_id is None and hand.free_minor == hand.amount_minor
    return hand.waits or (whole and payment.state in (State.WAITING, State.EXHAUSTED))


def _is_answered(payment: Payment) -> bool:
    """Stripe has said what becomes of the invoice, or a charge has brought the money for it."""
    charged = any(r.attempt_id and r.unapplied_minor for r in payment.receipts)
    return payment.state in _ANSWERED or charged


def _applied(decision: Decision, hand: HandPayment, now: datetime) -> Decision:
    payment = decision.payment
    receipt = Receipt(
        id=hand.id.replace("hp_", "rct_h", 1),  # never that of an attempt
        attempt_id=None,
        source="credit" if hand.kind is HandKind.CREDIT else "hand",
        processor_account_id=None,
        currency=payment.currency,
        finality=Finality.FINAL,
        collected_minor=hand.amount_minor,
        collected_at=now,
    )
    hand = replace(hand, state=HandState.APPLIED, credit_minor=0, receipt_id=receipt.id)
    payment = replace(
        put(payment, hand),
        receipts=(*payment.receipts, receipt),
        state=State.COLLECTED,
        reason=None,
        next_look_at=now,
        ended=False,
    )
    told = tuple(n for n in decision.notices if n not in (*_GAVE_UP, Notice.COLLECTED))
    return replace(
        decision,
        payment=payment,
        postings=(*decision.postings, hand_ledger.applied(hand)),
        notices=(*told, Notice.COLLECTED),
    )


def _credited_back(decision: Decision) -> Decision:
    """A credit note in Stripe of money by hand: no processor gives it back, so it is credit."""
    payment, posted, receipts = decision.payment, list(decision.postings), []
    for receipt in payment.receipts:
        due_minor = receipt.refund_due_minor
        if receipt.attempt_id is None and due_minor > 0:
            posted.append(hand_ledger.kept(receipt, ledger.REFUND_DUE, due_minor))
            given_minor = receipt.credit_minor + due_minor
            receipt = replace(receipt, refund_due_minor=0, credit_minor=given_minor)  # noqa: PLW2901
        receipts.append(receipt)
    if tuple(receipts) == payment.receipts:
        return decision
    payment = with_receipts(payment, receipts)
    return replace(decision, payment=payment, postings=tuple(posted))


def _undone(payment: Payment, fact: HandPaymentUndone, now: datetime) -> Decision:
    hand = find(payment, fact.hand_id)
    refused = undo_refusal(payment, hand)
    if refused is not None:
        return Decision(payment, note=refused.why)
    payment, postings = _take_back(payment, hand, HandState.UNDONE, fact.why, fact.by, now)
    if hand.state is not HandState.APPLIED:
        return Decision(payment, postings=postings)
    # `pay` was certainly not sent: what becomes of the invoice from here on is not our doing.
    payment = replace(payment, reports=0, parked_why=None)
    if payment.unapplied_minor:
        return Decision(replace(payment, next_look_at=now), postings=postings)
    if payment.unresolved_attempt is not None:
        return Decision(while_out(payment, payment.unresolved_attempt, now), postings=postings)
    return Decision(waiting(payment, Reason.READY, now), postings=postings)


def _corrected(
    payment: Payment, fact: HandPaymentCorrected, policy: Policy, now: datetime
) -> Decision:
    """As a debit that failed after its report: a credit note, then what the setting says."""
    hand = find(payment, fact.hand_id)
    refused = correct_refusal(payment, hand)
    if refused is not None:
        return Decision(payment, note=refused.why)
    receipt = receipt_of(payment, hand)
    payment, postings = _take_back(payment, hand, HandState.CORRECTED, fact.why, fact.by, now)
    if receipt is None or not receipt.reported_minor:
        return Decision(payment, postings=postings)
    what = f"the payment by hand {hand.id} was corrected after it was {{}}"
    payment, notices = after_the_report(payment, receipt, what, policy, now)
    return Decision(payment, postings=postings, notices=notices)


def _take_back(
    payment: Payment, hand: HandPayment, state: HandState, why: str, by: str, now: datetime
) -> tuple[Payment, tuple[LedgerTransaction, ...]]:
    """From wherever it stands now; what was paid out of it, the customer owes."""
    receipt = receipt_of(payment, hand)
    legs = {
        ledger.UNAPPLIED: receipt.unapplied_minor if receipt else 0,
        ledger.FAILED: (receipt.reported_minor if receipt else 0) + hand.paid_out_minor,
        ledger.CREDIT: hand.credit_minor,
    }
    postings = tuple(hand_ledger.taken_back(hand, to, minor) for to, minor in legs.items() if minor)
    ended = replace(
        hand,
        state=state,
        credit_minor=0,
        taken_back_why=why,
        taken_back_by=by,
        taken_back_at=now,
    )
    receipts = tuple(
        replace(r, failed=True) if r.id == hand.receipt_id else r for r in payment.receipts
    )
    return replace(put(payment, ended), receipts=receipts), postings


def _used(payment: Payment, fact: CreditTaken) -> Decision:
    hand = find(payment, fact.hand_id)
    if hand.free_minor < fact.amount_minor:
        return Decision(payment, note="there is not so much credit")
    moved = fact.paid_out is None
    to = ledger.CREDIT_MOVED if moved else ledger.PAID_OUT
    posted = hand_ledger.used(hand, fact.use_id, fact.amount_minor, to)
    left = replace(
        hand,
        credit_minor=hand.credit_minor - fact.amount_minor,
        moved_minor=hand.moved_minor + (fact.amount_minor if moved else 0),
        paid_out_minor=hand.paid_out_minor + (0 if moved else fact.amount_minor),
    )
    return Decision(put(payment, left), postings=(posted,))


def _returned(payment: Payment, fact: CreditReturned) -> Decision:
    hand = find(payment, fact.hand_id)
    if hand.moved_minor < fact.amount_minor:
        return Decision(payment, note="not so much was used")
    posted = hand_ledger.returned(hand, fact.use_id, fact.amount_minor)
    back = replace(
        hand,
        credit_minor=hand.credit_minor + fact.amount_minor,
        moved_minor=hand.moved_minor - fact.amount_minor,
    )
    return Decision(put(payment, back), postings=(posted,))
