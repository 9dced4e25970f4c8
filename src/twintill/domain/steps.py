"""What a worker does when it looks at a payment: at most one thing, chosen from the state alone."""

from dataclasses import dataclass

from twintill.domain.payment import Attempt, Outcome, Payment, State


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
class Rest:
    """Nothing to do."""


Step = Charge | Report | Resolve | Ask | Rest


def next_step(payment: Payment) -> Step:
    """Reports before everything else: they are never paused."""
    if payment.unapplied_minor > 0:
        return Report()
    attempt = payment.unresolved_attempt
    if attempt is not None:
        known = attempt.outcome in (Outcome.ACCEPTED, Outcome.NEEDS_CUSTOMER)
        return Ask(attempt) if known else Resolve(attempt)
    return Charge() if payment.state is State.WAITING else Rest()
