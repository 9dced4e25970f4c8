"""When a declined payment is tried again, with which method, and when it is not.

With one method at most `len(retry_pauses) + 1` tries, at least a day apart, inside `retry_span`,
and before the invoice is due and before Stripe ends the subscription. A try that cannot fit is not
made, and the payment says so. A dead method (refused for good, or its tries used up) is followed by
the next stored one, under the same rules; after suspected fraud by none, until the customer gives
another. Card networks count a card's declines over all invoices (facts: card-network retry rules).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, State, Usable
from twintill.domain.policy import Exhausted, Policy

# Declines of one card, whoever's network it is: Mastercard at most 7 in 24 hours (fees from the
# 8th on) and 35 in 30 days, Visa at most 15 in 30 days. The brand is not always known: the
# strictest hold for all. What has no answer yet may be declined, and counts.
NETWORK_LIMITS = ((timedelta(days=1), 7), (timedelta(days=30), 15))


@dataclass(frozen=True, slots=True)
class TryAt:
    at: datetime
    reason: Reason = Reason.RETRY


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to come of one method; tries are of this payment."""

    method_id: str
    follows: TryAt | GiveUp
    tries: int


def plans(payment: Payment, policy: Policy, now: datetime) -> tuple[Plan, ...]:
    """Of each active method of the customer, preferred first."""
    return tuple(
        Plan(m.id, next_charge(payment, m.id, policy, now), len(_declines(payment, m)))
        for m in payment.methods
    )


def choose(payment: Payment, policy: Policy, now: datetime) -> str | None:
    """The method to charge: the first that is not dead. All dead: the first, to be told so."""
    known = _asked_for_first(payment, plans(payment, policy, now))
    living = (plan.method_id for plan in known if isinstance(plan.follows, TryAt))
    return next(living, known[0].method_id if known else None)


def next_move(payment: Payment, policy: Policy, now: datetime) -> TryAt | GiveUp:
    """What follows a decline (already among the payment's attempts), or the loss of a method."""
    known = _asked_for_first(payment, plans(payment, policy, now))
    for plan in known:
        if isinstance(plan.follows, TryAt):
            return plan.follows
    if not known:
        return _without_a_method(payment, policy, now)
    return GiveUp(_worst([plan.follows.reason for plan in known]))


def next_charge(payment: Payment, method_id: str, policy: Policy, now: datetime) -> TryAt | GiveUp:
    """When this method may be charged, whoever rings: dunning's rules hold on every way here."""
    method = _method(payment, method_id, now)
    dead = _dead(payment, method)
    if dead is not None:
        return GiveUp(dead)
    if payment.method_asked_for == method_id:
        return earliest(payment, method, policy, now)
    declines = _declines(payment, method)
    if len(declines) >= policy.tries:
        return GiveUp(Reason.TRIES_USED_UP)
    waits = [_not_before(a, len(declines), policy) for a in declines]
    at = max([now, *waits, *(_copies_gone(a, policy) for a in payment.attempts)])
    allowed = _network_allows(method.tried_at, at)
    reason = Reason.NETWORK_LIMIT if allowed > at else Reason.RETRY
    if declines and allowed > declines[0].first_sent_at + policy.retry_span:
        return GiveUp(Reason.TRIES_USED_UP)
    last = last_moment(payment, policy)
    by_itself = reason is Reason.NETWORK_LIMIT or _by_itself(payment, method)
    if last is not None and allowed > last and by_itself:
        return GiveUp(Reason.NO_TRY_FITS)
    return TryAt(allowed, reason)


def earliest(payment: Payment, method: Usable, policy: Policy, now: datetime) -> TryAt:
    """When a living method may be tried at the customer's own wish.

    Pauses, and the wait that came with a decline, are for what happens by itself: he knows what
    has changed since. The networks' limits bind him too, and a copy that is still on its way.
    """
    at = max([now, *(_copies_gone(a, policy) for a in payment.attempts)])
    allowed = _network_allows(method.tried_at, at)
    return TryAt(allowed, Reason.NETWORK_LIMIT if allowed > at else Reason.RETRY)


def why_dead(payment: Payment, method: Usable) -> Reason | None:
    """Never again with this one, for this payment; None: it may be tried."""
    return _dead(payment, method)


def last_moment(payment: Payment, policy: Policy) -> datetime | None:
    """After it nothing is tried again: the invoice is nearly due, or Stripe about to act."""
    if payment.due_at is None:
        return None
    last = payment.due_at - policy.due_margin
    if policy.stripe_ends_after_due is None:
        return last
    ends_at = payment.due_at + policy.stripe_ends_after_due
    return min(last, ends_at - policy.stripe_ends_margin)


def wait_or_give_up(
    payment: Payment, follows: TryAt | GiveUp, policy: Policy, now: datetime
) -> Payment:
    """The payment waits for its next try and says why; or dunning gave up."""
    if isinstance(follows, TryAt):
        reason = follows.reason if follows.at > now else Reason.OTHER_METHOD
        return replace(
            payment, state=State.WAITING, reason=reason, next_look_at=follows.at, ended=False
        )
    return exhausted(payment, follows.reason, policy, now)


def exhausted(payment: Payment, reason: Reason, policy: Policy, now: datetime) -> Payment:
    """Ended, unless the setting wants something done in Stripe first.

    Or a debit failed before its report was known to have arrived: a look tells whether Stripe has
    counted it.
    """
    failed_late = any(receipt.failed for receipt in payment.receipts)
    nothing_to_do = policy.exhausted is Exhausted.LEAVE_OPEN and not failed_late
    return replace(
        payment,
        state=State.EXHAUSTED,
        reason=reason,
        next_look_at=None if nothing_to_do else now,
        ended=nothing_to_do and payment.parked_why is None,
    )


def _asked_for_first(payment: Payment, known: tuple[Plan, ...]) -> tuple[Plan, ...]:
    wanted = payment.method_asked_for
    return tuple(sorted(known, key=lambda plan: plan.method_id != wanted))


def _method(payment: Payment, method_id: str, now: datetime) -> Usable:
    """One that was not read with the row was given just now."""
    just_now = Usable(method_id, now, frozenset((method_id,)))
    return next((m for m in payment.methods if m.id == method_id), just_now)


def _dead(payment: Payment, method: Usable) -> Reason | None:
    kinds = {a.decline_kind for a in _declines(payment, method)} | {method.refused}
    if DeclineKind.FRAUD in kinds or _fraud_since(payment, method):
        return Reason.SUSPECTED_FRAUD
    return Reason.DECLINED_FOR_GOOD if kinds - {None, DeclineKind.SOFT} else None


def _fraud_since(payment: Payment, method: Usable) -> bool:
    """Suspected with any method: those that were stored by then are not tried by themselves."""
    of_attempts = [_told_at(a) for a in _declined(payment) if a.decline_kind is DeclineKind.FRAUD]
    of_methods = [m.refused_at for m in payment.methods if m.refused is DeclineKind.FRAUD]
    return any(at is not None and at >= method.given_at for at in (*of_attempts, *of_methods))


def _by_itself(payment: Payment, method: Usable) -> bool:
    """Dunning would try it; a method that was given since the last decline is the customer's act.

    That one may be charged whenever it comes, also when the invoice is overdue.
    """
    return any(_told_at(a) >= method.given_at for a in _declined(payment))


def _not_before(declined: Attempt, count: int, policy: Policy) -> datetime:
    """The pause after so many declines, and the wait that the network asked for with this one."""
    pause = max(policy.retry_pauses[count - 1], policy.retry_gap_min)
    wait = timedelta(seconds=declined.retry_after_s or 0)
    return _told_at(declined) + max(pause, wait)


def _copies_gone(attempt: Attempt, policy: Policy) -> datetime:
    """One copy of a request was declined; another may be on its way still, and be approved."""
    pause = policy.retry_gap_min if attempt.sendings > 1 else timedelta()
    return attempt.first_sent_at + pause


def _network_allows(tried_at: tuple[datetime, ...], at: datetime) -> datetime:
    """The first moment from `at` on with room in each window."""
    for window, limit in NETWORK_LIMITS:
        if len(tried_at) >= limit:
            at = max(at, sorted(tried_at)[-limit] + window)
    return at


def _without_a_method(payment: Payment, policy: Policy, now: datetime) -> GiveUp:
    """None is left; when the last one had been refused for good, that is the better reason."""
    declined = _declined(payment)
    if declined:
        follows = next_charge(payment, declined[-1].method_id, policy, now)
        if isinstance(follows, GiveUp):
            return follows
    return GiveUp(Reason.NO_METHOD)


def _worst(reasons: list[Reason]) -> Reason:
    return Reason.SUSPECTED_FRAUD if Reason.SUSPECTED_FRAUD in reasons else reasons[0]


def _declines(payment: Payment, method: Usable) -> list[Attempt]:
    """With this method, or another row of the same token."""
    same = method.same_token | {method.id}
    return [attempt for attempt in _declined(payment) if attempt.method_id in same]


def _declined(payment: Payment) -> list[Attempt]:
    return [attempt for attempt in payment.attempts if attempt.outcome is Outcome.DECLINED]


def _told_at(declined: Attempt) -> datetime:
    return declined.answered_at or declined.first_sent_at
