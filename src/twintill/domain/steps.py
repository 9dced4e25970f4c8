"""What a worker does when it looks at a payment: at most one thing, chosen from the state alone."""

from dataclasses import dataclass

from twintill.domain.afterwards import owed, to_note_minor, wanted
from twintill.domain.money_back import Dispute
from twintill.domain.outcomes import Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, Refund, State


@dataclass(frozen=True, slots=True)
class Charge:
    """Take the last look, then perhaps charge."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell Stripe of the money that is here."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """Find out what became of an attempt that nobody answered."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for an accepted attempt, or one that waits for the customer."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Refund what is stranded on this receipt."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class AskRefund:
    """Find out what became of a refund."""

    refund: Refund


@dataclass(frozen=True, slots=True)
class Compare:
    """List both sides: credit notes in Stripe, refunds at the processors."""


@dataclass(frozen=True, slots=True)
class GiveReportedBack:
    """Refund what was asked for, or what a credit note says, of this reported receipt."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Credit:
    """Make the credit note for what has left us."""


@dataclass(frozen=True, slots=True)
class AskDispute:
    """Ask the processor how far a dispute has come."""

    dispute: Dispute


@dataclass(frozen=True, slots=True)
class Conclude:
    """Dunning gave up, or the subscription has ended: do in Stripe what the setting says."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do."""


StepBack = GiveBack | AskRefund | Compare | GiveReportedBack | Credit | AskDispute
Step = Charge | Report | Resolve | Ask | Conclude | Rest | StepBack


def next_step(payment: Payment) -> Step:
    """Reports before everything else: they are never paused."""
    if payment.unapplied_minor > 0:
        return _not_final(payment) or Report()
    attempt = payment.unresolved_attempt
    if attempt is not None:
        known = attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER)
        return Ask(attempt) if known else Resolve(attempt)
    if payment.unresolved_refund is not None:
        return AskRefund(payment.unresolved_refund)
    receipt = payment.receipt_to_give_back
    if receipt is not None and not payment.is_held(receipt.id):
        return _give_back(payment, receipt)
    return _of_reported(payment) or _of_the_state(payment)


def _not_final(payment: Payment) -> Ask | None:
    """By setting its report waits (`approvals.hold`): ask whether it is final by now."""
    if payment.reason is not Reason.NOT_FINAL:
        return None
    waits = (r for r in payment.receipts if r.unapplied_minor)
    found = (_final_first(payment, receipt) for receipt in waits)
    return next((ask for ask in found if ask is not None), None)


def _of_reported(payment: Payment) -> Step | None:
    """Compare first; then give back what is asked for or owed; then tell Stripe what is gone."""
    if payment.state in _BEFORE_MONEY:
        return None
    if payment.compare_at is not None:
        return Compare()
    ask, due = wanted(payment), owed(payment)
    if ask is not None:
        due = next(r for r in payment.receipts if r.id == ask.receipt_id)
    if due is not None:
        return _final_first(payment, due) or GiveReportedBack(due)
    if payment.started_note is not None or to_note_minor(payment) > 0:
        return Credit()
    return None


# Whatever was told of money that went back: these have their own next step.
_BEFORE_MONEY = frozenset((State.WAITING, State.CHARGING, State.PENDING, State.EXHAUSTED))


def _of_the_state(payment: Payment) -> Step:
    closing = payment.closing is not None and payment.state is State.WAITING
    if (payment.state is State.EXHAUSTED and not payment.ended) or closing:
        return Conclude()
    if payment.state is State.WAITING:
        return Charge()
    return Rest() if payment.open_dispute is None else AskDispute(payment.open_dispute)


def _give_back(payment: Payment, receipt: Receipt) -> GiveBack | Ask:
    return _final_first(payment, receipt) or GiveBack(receipt)


def _final_first(payment: Payment, receipt: Receipt) -> Ask | None:
    """Provisional money could fail after it was given back: first it must be final."""
    if receipt.finality is Finality.FINAL:
        return None
    return Ask(next(a for a in payment.attempts if a.id == receipt.attempt_id))
