"""When a declined payment is tried again, and when it is not.

The schedule is at most `len(retry_pauses) + 1` tries with one method, at least a day apart, inside
`retry_span`, and ends before the invoice is due: after that Stripe's own settings act. A try that
cannot fit is not made, and the payment says so (facts: card-network retry rules).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, State
from twintill.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class TryAt:
    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: Reason


def next_try(payment: Payment, declined: Attempt, policy: Policy, now: datetime) -> TryAt | GiveUp:
    """What follows the decline of this attempt (already among the payment's attempts)."""
    if declined.decline_kind is not DeclineKind.SOFT:
        return GiveUp(Reason.DECLINED_FOR_GOOD)
    declines = _declines(payment, declined.method_id)
    if len(declines) > len(policy.retry_pauses):
        return GiveUp(Reason.TRIES_USED_UP)
    pause = max(policy.retry_pauses[len(declines) - 1], policy.retry_gap_min)
    pause = max(pause, timedelta(seconds=declined.retry_after_s or 0))
    return _if_it_fits(payment, declines, now + pause, policy)


def next_charge(payment: Payment, method_id: str, policy: Policy, now: datetime) -> TryAt | GiveUp:
    """When this method may be charged, whoever rings: dunning's rules hold on every way here."""
    declines = _declines(payment, method_id)
    if not declines:
        return TryAt(now)
    last = declines[-1]
    follows = next_try(payment, last, policy, last.answered_at or last.first_sent_at)
    if isinstance(follows, GiveUp) or follows.at > now:
        return follows
    return _if_it_fits(payment, declines, now, policy)


def wait_or_give_up(payment: Payment, follows: TryAt | GiveUp, reason: Reason) -> Payment:
    """The payment waits for its next try, for this reason; or dunning gave up."""
    if isinstance(follows, TryAt):
        return replace(payment, state=State.WAITING, reason=reason, next_look_at=follows.at)
    return replace(
        payment,
        state=State.EXHAUSTED,
        reason=follows.reason,
        next_look_at=None,
        ended=payment.parked_why is None,
    )


def _if_it_fits(
    payment: Payment, declines: list[Attempt], at: datetime, policy: Policy
) -> TryAt | GiveUp:
    if at > declines[0].first_sent_at + policy.retry_span:
        return GiveUp(Reason.TRIES_USED_UP)
    if payment.due_at is not None and at > payment.due_at - policy.due_margin:
        return GiveUp(Reason.NO_TRY_FITS)
    return TryAt(at)


def _declines(payment: Payment, method_id: str) -> list[Attempt]:
    return [
        attempt
        for attempt in payment.attempts
        if attempt.outcome is Outcome.DECLINED and attempt.method_id == method_id
    ]
