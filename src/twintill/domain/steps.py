"""What a worker does when it looks at a payment: at most one thing, chosen from the state alone."""

from dataclasses import dataclass

from twintill.domain.outcomes import Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Receipt, Refund, State


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
class Conclude:
    """Dunning gave up, or the subscription has ended: do in Stripe what the setting says."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do."""


Step = Charge | Report | Resolve | Ask | GiveBack | AskRefund | Conclude | Rest


def next_step(payment: Payment) -> Step:
    """Reports before everything else: they are never paused."""
    if payment.unapplied_minor > 0:
        return Report()
    attempt = payment.unresolved_attempt
    if attempt is not None:
        known = attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER)
        return Ask(attempt) if known else Resolve(attempt)
    if payment.unresolved_refund is not None:
        return AskRefund(payment.unresolved_refund)
    receipt = payment.receipt_to_give_back
    if receipt is not None:
        return _give_back(payment, receipt)
    closing = payment.closing is not None and payment.state is State.WAITING
    if (payment.state is State.EXHAUSTED and not payment.ended) or closing:
        return Conclude()
    return Charge() if payment.state is State.WAITING else Rest()


def _give_back(payment: Payment, receipt: Receipt) -> GiveBack | Ask:
    """Provisional money could fail after it was given back: first it must be final."""
    if receipt.finality is Finality.FINAL:
        return GiveBack(receipt)
    return Ask(next(a for a in payment.attempts if a.id == receipt.attempt_id))
