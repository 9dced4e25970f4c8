"""Dunning as people read it: when a payment is tried next, with what, and why."""

from datetime import datetime

from twintill.domain.dunning import GiveUp, Plan, last_moment, plans
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.domain.policy import Policy
from twintill.web.pagination import seconds
from twintill.web.shapes import DunningShape, MethodTriesShape


def dunning_shape(payment: Payment, policy: Policy, now: datetime) -> DunningShape:
    """`policy`: the one that holds for this payment's customer."""
    known = plans(payment, policy, now)
    first = next((plan for plan in known if not isinstance(plan.follows, GiveUp)), None)
    waits = payment.state is State.WAITING and payment.parked_why is None
    return DunningShape(
        next_try_at=seconds(payment.next_look_at) if waits and first else None,
        next_payment_method=first.method_id if waits and first else None,
        reason=payment.reason,
        last_try_before=seconds(last_moment(payment, policy)),
        when_exhausted=policy.exhausted,
        methods=[_tries(plan, policy, now) for plan in known] + _gone(payment, policy, known),
    )


def _tries(plan: Plan, policy: Policy, now: datetime) -> MethodTriesShape:
    follows = plan.follows
    at = None if isinstance(follows, GiveUp) else follows.at
    return MethodTriesShape(
        payment_method=plan.method_id,
        tries=plan.tries,
        tries_allowed=policy.tries,
        may_be_charged_at=seconds(at),
        reason=Reason.READY if at is not None and at <= now else follows.reason,
    )


def _gone(payment: Payment, policy: Policy, known: tuple[Plan, ...]) -> list[MethodTriesShape]:
    """Tried before, and removed or revoked since."""
    declined = [a.method_id for a in payment.attempts if a.outcome is Outcome.DECLINED]
    stored = {plan.method_id for plan in known}
    return [
        MethodTriesShape(
            payment_method=method,
            tries=declined.count(method),
            tries_allowed=policy.tries,
            may_be_charged_at=None,
            reason=Reason.NO_METHOD,
        )
        for method in dict.fromkeys(declined)
        if method not in stored
    ]
