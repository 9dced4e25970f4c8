"""Tripwires: what pauses charging through a processor until a person has looked. Pure.

Some trip at once, in the transaction of the fact (`at_once`); the others are figures of the last
hour, judged each minute (`judge`). Only what happened since the last release counts, so that the
evidence that a person has seen does not trip again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from twintill.domain.facts import (
    Answered,
    Fact,
    RefundAnswered,
    Via,
)
from twintill.domain.outcomes import Approved, NotSent, NotSentReason
from twintill.domain.payment import Attempt, Outcome, Payment
from twintill.domain.policy import Policy


class Tripwire(StrEnum):
    """What tripped; kept with the brake as its `tripped_by`."""

    CREDENTIALS = "credentials"  # the processor refuses our key
    CONFIG = "config"  # something is not set up there, for several payments
    DUPLICATE = "duplicate"  # two charges with money for one invoice, or under one reference
    IN_DOUBT = "in_doubt"
    OVERCHARGED = "overcharged"  # more charged in an hour than was due in it
    DECLINES = "declines"  # the share of declines jumped


@dataclass(frozen=True, slots=True)
class Trip:
    processor: str
    by: Tripwire
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One processor's last hour, since its last release; the history is of the 7 days before."""

    processor: str
    in_doubt: int  # charges without an answer for two minutes or longer
    config: int  # payments whose charge was refused for something that is not set up
    approved: int
    declined: int
    approved_before: int
    declined_before: int


@dataclass(frozen=True, slots=True)
class Charged:
    """What all processors together took in the last hour in one currency."""

    currency: str
    charges: int
    charged_minor: int
    due_minor: int  # of the distinct invoices that were charged, once each
    processors: tuple[str, ...]


HOUR = timedelta(hours=1)
# A charge that is simply on its way is not in doubt.
DOUBT_AFTER = timedelta(minutes=2)
HISTORY = timedelta(days=7)


def at_once(before: Payment, fact: Fact, after: Payment) -> Trip | None:
    """What one answer of a processor proves by itself."""
    if isinstance(fact, RefundAnswered):
        return _refused_refund(fact, after)
    if not isinstance(fact, Answered) or fact.via is Via.PERSON:
        return None
    attempt = next(a for a in after.attempts if a.id == fact.attempt_id)
    match fact.outcome:
        case NotSent(reason=NotSentReason.CREDENTIALS, detail=detail):
            return refused_key(attempt.processor, detail)
        case Approved() as approved:
            return _duplicate(before, after, attempt, approved)
    return None


def refused_key(processor: str, detail: str) -> Trip:
    """Whatever was asked: nothing else will be taken with that key."""
    return Trip(processor, Tripwire.CREDENTIALS, f"{processor} refuses our credentials: {detail}")


def judge(figures: Sequence[Figures], charged: Sequence[Charged], policy: Policy) -> list[Trip]:
    """Which processors must not charge any more, and why; at most one reason for each."""
    trips: dict[str, Trip] = {}
    for trip in (*_overcharged(charged, policy), *(_judge(f, policy) for f in figures)):
        if trip is not None:
            trips.setdefault(trip.processor, trip)
    return list(trips.values())


def asks_for_history(seen: Figures, policy: Policy) -> bool:
    """Whether the hour looks bad enough to read the week before it."""
    answers = seen.approved + seen.declined
    enough = answers >= policy.brake_declines_min
    return enough and 100 * seen.declined >= answers * policy.brake_declines_rise


def _refused_refund(fact: RefundAnswered, after: Payment) -> Trip | None:
    told = fact.outcome
    if not isinstance(told, NotSent) or told.reason is not NotSentReason.CREDENTIALS:
        return None
    refund = next(r for r in after.refunds if r.id == fact.refund_id)
    return refused_key(refund.processor, told.detail)


def _duplicate(
    before: Payment, after: Payment, attempt: Attempt, approved: Approved
) -> Trip | None:
    known = attempt.processor_payment_id
    if attempt.outcome is Outcome.APPROVED and known != approved.processor_payment_id:
        why = (
            f"{attempt.processor} tells of two charges under the reference {attempt.reference}: "
            f"{known} and {approved.processor_payment_id}"
        )
        return Trip(attempt.processor, Tripwire.DUPLICATE, why)
    if len(after.receipts) > len(before.receipts) and _with_money(after) > 1:
        why = f"two charges with money for the invoice {after.invoice_id} ({after.id})"
        return Trip(attempt.processor, Tripwire.DUPLICATE, why)
    return None


def _with_money(payment: Payment) -> int:
    return sum(1 for r in payment.receipts if not r.failed and r.refunded_minor < r.collected_minor)


def _judge(seen: Figures, policy: Policy) -> Trip | None:
    if seen.in_doubt >= policy.brake_in_doubt:
        why = f"{seen.in_doubt} charges have no answer (limit {policy.brake_in_doubt})"
        return Trip(seen.processor, Tripwire.IN_DOUBT, why)
    if seen.config >= policy.brake_config:
        why = f"{seen.config} payments within an hour were refused for what is not set up there"
        return Trip(seen.processor, Tripwire.CONFIG, why)
    return _declines(seen, policy)


def _declines(seen: Figures, policy: Policy) -> Trip | None:
    """In whole percent, rounded against us on neither side: counts are compared, not shares."""
    answers = seen.approved + seen.declined
    answers_before = seen.approved_before + seen.declined_before
    if answers < policy.brake_declines_min or answers_before < policy.brake_declines_history:
        return None
    now, usual = 100 * seen.declined // answers, 100 * seen.declined_before // answers_before
    if now < usual + policy.brake_declines_rise:
        return None
    why = f"{now} % of {answers} charges were declined in the last hour, {usual} % in the week"
    return Trip(seen.processor, Tripwire.DECLINES, why)


def _overcharged(charged: Sequence[Charged], policy: Policy) -> list[Trip]:
    return [
        Trip(
            processor,
            Tripwire.OVERCHARGED,
            f"{took.charged_minor} {took.currency} (minor units) were charged in the last hour "
            f"for invoices with {took.due_minor} due",
        )
        for took in charged
        if took.charges >= policy.brake_charged_min
        and took.charged_minor * 100 > took.due_minor * policy.brake_charged_percent
        for processor in took.processors
    ]
