"""What is still to be done about money that was reported: pure questions about a payment.

Two books tell of money that goes back: the processor's refunds and Stripe's credit notes. Either
may come first, from us, from a person, or from both. So nothing here pairs two events: each side
is added up (`Receipt.refund_due_minor`), and only the difference is acted on. That ends at zero.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.money_back import RefundAsk
from twintill.domain.payment import Payment, Reason, Receipt, State


def to_note_minor(payment: Payment) -> int:
    """What has left us and Stripe does not know: a credit note of so much is due."""
    return sum(_to_note(receipt) for receipt in payment.receipts)


def owed(payment: Payment) -> Receipt | None:
    """The oldest receipt of which Stripe was credited more than was given back."""
    of = (r for r in payment.receipts if r.refund_due_minor > 0 and not r.failed)
    return next((r for r in of if r.attempt_id is not None and not payment.is_held(r.id)), None)


def wanted(payment: Payment) -> RefundAsk | None:
    """What was asked for and may be begun: not while a dispute holds that money."""
    ask = payment.next_ask
    return None if ask is None or payment.is_held(ask.receipt_id) else ask


def available_minor(receipt: Receipt) -> int:
    """What of it may still be given back: reported, not gone yet, and not held for a dispute."""
    if receipt.failed:
        return 0
    free_minor = receipt.reported_minor + receipt.refund_due_minor + receipt.note_due_minor
    return free_minor - max(receipt.withheld_minor, 0) - receipt.loss_minor


def is_pending(payment: Payment) -> bool:
    """Something is to be done: compare, give back, or credit."""
    asked = payment.compare_at is not None or wanted(payment) is not None
    due = owed(payment) is not None or to_note_minor(payment) > 0
    return asked or due or payment.started_note is not None


def at_rest(payment: Payment, again_at: datetime) -> Payment:
    """Nothing is left to report: what is out, stranded or due still is; else it has ended."""
    if payment.unresolved_attempt is not None or payment.parked_why is not None:
        return replace(payment, ended=False)
    stranded, dispute = payment.receipt_to_give_back, payment.open_dispute
    goes_back = stranded is not None and not payment.is_held(stranded.id)
    if goes_back or payment.unresolved_refund is not None:
        return replace(payment, ended=False, next_look_at=again_at)
    if is_pending(payment):
        at = max(again_at, payment.compare_at) if payment.compare_at else again_at
        return replace(payment, ended=False, next_look_at=at)
    if dispute is not None:
        return replace(payment, ended=False, next_look_at=max(again_at, dispute.ask_at))
    return replace(payment, ended=True, next_look_at=None)


def rest_or_go_on(payment: Payment, again_at: datetime) -> Payment:
    """The same, of a payment that was reported: its reason says what comes next."""
    if payment.state in (State.REPORTED, State.REFUNDED) and payment.parked_why is None:
        lost_minor = sum(r.disputed_minor for r in payment.receipts)
        gone_minor = payment.refunded_minor + lost_minor
        rests = not is_pending(payment) and payment.open_dispute is None
        all_gone = payment.reported_minor == 0 and gone_minor > 0 and rests
        state = State.REFUNDED if all_gone else State.REPORTED
        payment = replace(payment, state=state, reason=_next(payment))
    return at_rest(payment, again_at)


def _next(payment: Payment) -> Reason | None:
    if payment.unresolved_refund is not None:
        return payment.reason
    if payment.compare_at is not None:
        return Reason.COMPARING
    if wanted(payment) is not None or owed(payment) is not None:
        return Reason.REFUND_WANTED
    if is_pending(payment):
        return Reason.CREDIT_NOTE_DUE
    if payment.open_dispute is not None:
        return Reason.DISPUTED
    failed = any(receipt.failed for receipt in payment.receipts)
    if failed and payment.reported_minor == 0:
        return Reason.FAILED_LATE
    return Reason.DISPUTE_LOST if any(r.disputed_minor for r in payment.receipts) else None


def _to_note(receipt: Receipt) -> int:
    if receipt.failed:
        return receipt.reported_minor  # told, and not there: its credit note, then a new invoice
    return max(-receipt.refund_due_minor, 0) + max(-receipt.note_due_minor, 0)
