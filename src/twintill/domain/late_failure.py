"""A debit that was collected fails by itself: what stands then (part of `decide`). Pure.

Before the report it is a decline that came late: dunning decides. After it, `paid_out_of_band`
cannot be undone: a credit note on its invoice, and then a new invoice that is collected in its
place (or a person, by setting). Stranded money that fails was to go back anyway: there is nothing
left to do, unless a refund of it was sent already.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain import ledger, refund_books
from twintill.domain.afterwards import at_rest, rest_or_go_on
from twintill.domain.decision import (
    Decision,
    Notice,
    find_attempt,
    look_again,
    parked,
    with_attempt,
)
from twintill.domain.dunning import GiveUp, TryAt, next_move, wait_or_give_up
from twintill.domain.facts import FailedLate
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, RefundOf, State
from twintill.domain.policy import FailedAfterReport, Policy


def failed_late(payment: Payment, fact: FailedLate, policy: Policy, now: datetime) -> Decision:
    """Raises BrokenInvariant when the attempt is not this payment's."""
    attempt = find_attempt(payment, fact.attempt_id)
    receipt = next((r for r in payment.receipts if r.attempt_id == attempt.id), None)
    if attempt.unresolved:
        # Told before its approval: the processor's own record says what is true now.
        note = "failed before it was known to be collected: asked for"
        return Decision(look_again(payment, now), attempt_id=attempt.id, note=note)
    if receipt is None or receipt.failed:
        return Decision(payment, attempt_id=attempt.id, note="nothing was collected by it")
    claimed = any(d.is_open and d.receipt_id == receipt.id for d in payment.disputes)
    if claimed or receipt.withheld_minor or receipt.disputed_minor or receipt.loss_minor:
        # Also of a claim that holds nothing yet: PayPal takes what it decides for the customer by
        # reversing the capture, and who won his money back is not charged for it anew.
        why = (
            f"the debit failed ({fact.code}) and is disputed as well: which of the two took the "
            "money? Nothing is booked of the failure; compare with the processor"
        )
        called = (Notice.FAILED_LATE, Notice.NEEDS_PERSON)
        return Decision(parked(payment, why), notices=called, attempt_id=attempt.id)
    postings = _undo(payment, receipt)
    failed = replace(receipt, failed=True)
    receipts = tuple(failed if r.id == receipt.id else r for r in payment.receipts)
    attempt = replace(
        attempt,
        outcome=Outcome.DECLINED,
        decline_kind=fact.kind,
        code=fact.code,
        detail=fact.detail,
        answered_at=now,
    )
    payment = replace(with_attempt(payment, attempt), receipts=receipts)
    payment = refund_books.asks_end(payment, receipt)
    if _was_judged(receipt):
        why = f"the debit failed after it was {{}} ({fact.code})"
        payment, notices = after_the_report(payment, receipt, why, policy, now)
    else:
        payment, notices = _before_the_report(payment, policy, now)
    return Decision(payment, None, postings, notices, attempt.id)


def _undo(payment: Payment, receipt: Receipt) -> tuple[ledger.LedgerTransaction, ...]:
    of_stranded = _under_way_minor(payment, receipt, RefundOf.STRANDED)
    of_reported = _under_way_minor(payment, receipt, RefundOf.REPORTED)
    legs = (
        (receipt.unapplied_minor, ledger.failed_before_report),
        (receipt.reported_minor, ledger.failed_after_report),
        (receipt.stranded_minor - of_stranded, ledger.failed_after_stranding),
        (receipt.refunded_minor + of_stranded, ledger.failed_after_refund),
        (receipt.refund_due_minor, ledger.failed_bridge),
        (of_reported, ledger.failed_under_way),
    )
    return tuple(make(receipt, amount) for amount, make in legs if amount)


def _under_way_minor(payment: Payment, receipt: Receipt, of: RefundOf) -> int:
    on_its_way = (r for r in payment.refunds if r.outcome is Outcome.ACCEPTED and r.of is of)
    return sum(r.amount.minor for r in on_its_way if r.receipt_id == receipt.id)


def _was_judged(receipt: Receipt) -> bool:
    """Stripe was told of it, or its invoice was closed: `refund_due`: credited there since."""
    told = receipt.reported_minor or receipt.refund_due_minor
    return bool(told or receipt.stranded_minor or receipt.refunded_minor)


def after_the_report(
    payment: Payment, receipt: Receipt, what: str, policy: Policy, now: datetime
) -> tuple[Payment, tuple[Notice, ...]]:
    """The credit note comes next, or a person; `receipt` as it was before it failed.

    `what` happened, in words, with a gap for what had been done with the money.
    """
    why = None
    # Once: a debit that is always confirmed, and always comes back, would go on for ever.
    again = payment.continues is not None
    by_person = policy.failed_after_report is FailedAfterReport.PERSON or again
    if receipt.refunded_minor or payment.unresolved_refund is not None:
        why = f"{what.format('given back')}: the customer has it twice"
    elif receipt.reported_minor and by_person:
        why = (
            f"{what.format('reported')}: unpark it to have a credit note "
            "made and a new invoice collected, or make the credit note yourself before that"
        )
    if payment.reason is Reason.REFUND_REFUSED:
        payment = replace(payment, parked_why=None)  # nothing is owed to the customer any more
    payment = replace(payment, reason=Reason.FAILED_LATE)
    if why is not None:
        return parked(payment, why), (Notice.FAILED_LATE, Notice.NEEDS_PERSON)
    if receipt.reported_minor or receipt.refund_due_minor:
        return _to_be_replaced(payment, now), (Notice.FAILED_LATE,)
    return _nothing_to_give_back(payment, now), (Notice.FAILED_LATE,)


def _to_be_replaced(payment: Payment, now: datetime) -> Payment:
    """A credit note comes next, of what none was made of; what is stranded goes back first."""
    if payment.receipt_to_give_back is not None:
        return at_rest(payment, max(now, payment.next_look_at or now))
    return rest_or_go_on(replace(payment, state=State.REPORTED), now)


def _nothing_to_give_back(payment: Payment, now: datetime) -> Payment:
    """It was only stranded, and is gone by itself: the invoice was closed to it anyway."""
    if payment.receipt_to_give_back is None and not payment.unapplied_minor:
        state = State.REPORTED if payment.reported_minor else State.CANCELED
        payment = replace(payment, state=state)
    return at_rest(payment, now) if not payment.unapplied_minor else payment


def _before_the_report(
    payment: Payment, policy: Policy, now: datetime
) -> tuple[Payment, tuple[Notice, ...]]:
    if payment.unapplied_minor:
        return payment, (Notice.FAILED_LATE,)  # other money is here, and waits to be reported
    out = payment.unresolved_attempt
    if out is not None:
        return while_out(payment, out, now), (Notice.FAILED_LATE,)
    follows = next_move(payment, policy, now)
    gave_up = (Notice.EXHAUSTED,) if isinstance(follows, GiveUp) else ()
    if isinstance(follows, TryAt) and follows.reason is Reason.RETRY:
        follows = replace(follows, reason=Reason.FAILED_LATE)
    payment = wait_or_give_up(payment, follows, policy, now)
    return payment, (Notice.FAILED_LATE, *gave_up)


def while_out(payment: Payment, attempt: Attempt, now: datetime) -> Payment:
    """No money is here; it stands or falls with this attempt, which is asked for now."""
    state, reason = _OUT[attempt.outcome]
    return replace(payment, state=state, reason=reason, next_look_at=now, ended=False)


_OUT = {
    Outcome.STARTED: (State.CHARGING, None),
    Outcome.NO_ANSWER: (State.CHARGING, Reason.IN_DOUBT),
    Outcome.ACCEPTED: (State.PENDING, Reason.ACCEPTED),
    Outcome.NEEDS_CUSTOMER: (State.PENDING, Reason.NEEDS_CUSTOMER),
}
