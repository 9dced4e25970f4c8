"""The start of a charge: may it be sent, with which method, or why not (part of `decide`). Pure.

The last look was taken and the request is prepared; nothing has left yet.
"""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from twintill.domain import facts
from twintill.domain.braked import charge_braked
from twintill.domain.closing import PERHAPS_OURS
from twintill.domain.decision import Decision, Notice, Send, ended, parked, waiting, with_attempt
from twintill.domain.dunning import (
    GiveUp,
    TryAt,
    choose,
    exhausted,
    next_charge,
    next_move,
    wait_or_give_up,
)
from twintill.domain.look import Chargeable, Closed, NeedsPerson, Wait, judge_charge
from twintill.domain.payment import Attempt, Payment, Reason, State
from twintill.domain.policy import Policy
from twintill.money import Money


def charge_started(
    payment: Payment, fact: facts.ChargeStarted, policy: Policy, now: datetime
) -> Decision:
    if payment.state is not State.WAITING or payment.unresolved_attempt or payment.unapplied_minor:
        return Decision(payment, note="another attempt is out, or the money is here")
    if payment.parked_why is not None or payment.waiting_by_hand is not None:
        return Decision(payment, note="a person looks at it, or has the money in hand")
    if payment.closing is not None:
        return Decision(payment, note="it is to be closed, not collected")
    if fact.n != payment.next_n:
        return Decision(payment, note="prepared for an older attempt")
    payment = replace(payment, unreadable=0, due_at=fact.look.due_at or payment.due_at)
    verdict = judge_charge(payment, fact.look, fact.n, policy, now)
    if not isinstance(verdict, Chargeable):
        return _not_chargeable(payment, verdict)
    if fact.method is None:
        return _wait_for_a_method(payment, policy, now)
    if _another_comes_first(payment, fact.method, policy, now):
        return _as_dunning_says(payment, policy, now)
    match next_charge(payment, fact.method.id, policy, now):
        case GiveUp(reason):
            gave_up = exhausted(payment, reason, policy, now)
            return Decision(gave_up, notices=(Notice.EXHAUSTED,))
        case TryAt(at, reason) if at > now:
            return Decision(waiting(payment, reason, at))
    if fact.refused is not None:
        why = f"cannot be charged with this processor: {fact.refused.detail}"
        return Decision(parked(payment, why), notices=(Notice.NEEDS_PERSON,))
    if fact.braked is not None:
        return charge_braked(payment, fact.braked, policy, now)
    return _send(payment, fact, fact.method, verdict.amount_minor, now)


def no_method_found(payment: Payment, policy: Policy, now: datetime) -> Decision:
    if payment.state is not State.WAITING:
        return Decision(payment, note="no charge waits for a method")
    if payment.reason in (Reason.CHECKOUT, Reason.CONSENT):
        return Decision(waiting(payment, payment.reason, now + policy.look_pause))
    return _wait_for_a_method(payment, policy, now)


def method_lost(payment: Payment, policy: Policy, now: datetime) -> Decision:
    """A method was revoked while a try waits: the next stored one at once, or nothing is left."""
    waits = payment.state is State.WAITING and payment.reason in _FOR_A_TRY
    if not waits or payment.parked_why is not None:
        return Decision(payment, note="no try waits")
    return _as_dunning_says(payment, policy, now)


_FOR_A_TRY = frozenset((Reason.RETRY, Reason.NETWORK_LIMIT, Reason.FAILED_LATE))


def _another_comes_first(
    payment: Payment, method: facts.Method, policy: Policy, now: datetime
) -> bool:
    """A stored method is charged only when those before it are dead."""
    stored = any(m.id == method.id for m in payment.methods)
    return stored and choose(payment, policy, now) != method.id


def _as_dunning_says(payment: Payment, policy: Policy, now: datetime) -> Decision:
    follows = next_move(payment, policy, now)
    notices = (Notice.EXHAUSTED,) if isinstance(follows, GiveUp) else ()
    return Decision(wait_or_give_up(payment, follows, policy, now), notices=notices)


def _wait_for_a_method(payment: Payment, policy: Policy, now: datetime) -> Decision:
    if payment.methods:
        # Given since the worker looked: its wake-up must not be lost.
        return Decision(waiting(payment, Reason.READY, now))
    return Decision(waiting(payment, Reason.NO_METHOD, now + policy.look_pause))


def _send(
    payment: Payment,
    fact: facts.ChargeStarted,
    method: facts.Method,
    amount_minor: int,
    now: datetime,
) -> Decision:
    attempt = Attempt(
        id=fact.attempt_id,
        n=fact.n,
        method_id=method.id,
        processor=method.processor,
        processor_account_id=method.processor_account_id,
        amount=Money(amount_minor, payment.currency),
        reference=fact.reference,
        idempotency_key=fact.idempotency_key,
        first_sent_at=now,
        sealed_body=fact.sealed_body,
    )
    payment = replace(
        with_attempt(payment, attempt),
        state=State.CHARGING,
        reason=None,
        # Should this worker die now, another asks for the outcome when the lease is over.
        next_look_at=now,
        ended=False,
    )
    return Decision(payment, send=Send(attempt), attempt_id=attempt.id)


def _not_chargeable(payment: Payment, verdict: Wait | Closed | NeedsPerson) -> Decision:
    match verdict:
        case Wait(reason, until):
            return Decision(waiting(payment, reason, until))
        case Closed(Reason.UNCOLLECTIBLE as reason):
            return Decision(ended(payment, State.EXHAUSTED, reason), notices=(Notice.EXHAUSTED,))
        case Closed(Reason.PAID_ELSEWHERE) if payment.reports and payment.receipts:
            return Decision(parked(payment, PERHAPS_OURS), notices=(Notice.NEEDS_PERSON,))
        case Closed(reason):
            return Decision(ended(payment, State.CANCELED, reason), notices=(Notice.CANCELED,))
        case NeedsPerson(why):
            return Decision(parked(payment, why), notices=(Notice.NEEDS_PERSON,))
    assert_never(verdict)
