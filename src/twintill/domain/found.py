"""A charge that this database has no attempt for: a backup was restored, and the charge was made
after it (part of `decide`). Pure.

Names are deterministic, so it is found again under its number. From there on it is an attempt like
any other: the same rules say what its answer means. What nobody can be asked for goes to a person.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.answers import answered
from twintill.domain.decision import Decision, Notice, parked, with_attempt
from twintill.domain.facts import (
    Answered,
    AttemptFound,
    Via,
)
from twintill.domain.look import RUN_RECOVER
from twintill.domain.outcomes import Approved, Declined, NoAnswer, NotSent
from twintill.domain.payment import Attempt, Payment, State
from twintill.domain.policy import Policy

# Nothing else can move the payment from here by itself.
_AT_REST = (State.WAITING, State.EXHAUSTED)


def attempt_found(payment: Payment, fact: AttemptFound, policy: Policy, now: datetime) -> Decision:
    """The attempt is added, and answered with what was found."""
    if any(attempt.n == fact.n for attempt in payment.attempts):
        return Decision(payment, note="known by now")
    if waits_for_recover(payment):
        payment = replace(payment, parked_why=None)
    contradiction = _contradiction(payment, fact)
    if contradiction is not None:
        # Money that is here is reported, whatever else has to be seen to.
        held = payment if payment.unapplied_minor else parked(payment, contradiction)
        return Decision(held, notices=(Notice.NEEDS_PERSON,), note=contradiction)
    attempt = _as_sent(fact, now)
    before = with_attempt(payment, attempt)
    if _is_where_it_stands(payment, fact):
        before = replace(before, state=State.CHARGING, reason=None, next_look_at=now, ended=False)
    # It was begun once and its number is known: what did not leave then is not in doubt now.
    via = Via.FIRST if isinstance(fact.outcome, NotSent) else Via.RECORD
    decision = answered(before, Answered(attempt.id, fact.outcome, via), policy, now)
    if not isinstance(fact.outcome, NoAnswer) or payment.unapplied_minor:
        return decision
    why = (
        f"attempt {fact.n} was begun by the database that was lost, and {fact.processor} cannot "
        f"be asked for {fact.reference}: look there, then `twintill resolve`"
    )
    notices = (Notice.NEEDS_PERSON,)
    return replace(decision, payment=parked(decision.payment, why), notices=notices)


def _is_where_it_stands(payment: Payment, fact: AttemptFound) -> bool:
    """Whether the payment stands or falls with it; a closed one only if money may have moved."""
    closed = payment.state is State.CANCELED
    if closed and isinstance(fact.outcome, Declined | NotSent):
        return False
    return (closed or payment.state in _AT_REST) and payment.unresolved_attempt is None


def waits_for_recover(payment: Payment) -> bool:
    """A last look saw a number that this database does not know, and called a person."""
    return payment.parked_why is not None and RUN_RECOVER in payment.parked_why


def _contradiction(payment: Payment, fact: AttemptFound) -> str | None:
    other = payment.unresolved_attempt
    if other is not None and not isinstance(fact.outcome, Approved):
        return (
            f"attempt {fact.n} was found at {fact.processor} ({fact.reference}) while attempt "
            f"{other.n} has no answer: resolve that one, then run `twintill recover` again"
        )
    if fact.amount.currency != payment.currency:
        return (
            f"{fact.amount} was found at {fact.processor} ({fact.reference}) for an invoice in "
            f"{payment.currency}: compare by hand"
        )
    return None


def _as_sent(fact: AttemptFound, now: datetime) -> Attempt:
    """When it was sent nobody knows any more: now is the careful end of it for every deadline."""
    return Attempt(
        id=fact.attempt_id,
        n=fact.n,
        method_id=fact.method_id,
        processor=fact.processor,
        processor_account_id=fact.processor_account_id,
        amount=fact.amount,
        reference=fact.reference,
        idempotency_key=fact.idempotency_key,
        first_sent_at=now,
    )
