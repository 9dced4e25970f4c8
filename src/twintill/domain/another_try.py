"""Another try at the customer's own wish: when it may be asked for, and with which method. Pure.

Dunning's pauses and its number of tries are for what happens by itself. What card networks forbid
stays forbidden: a method that was refused for good, and more declines than they count.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.customer_facts import TryAsked
from twintill.domain.decision import Decision, waiting
from twintill.domain.doubt import may_still_arrive
from twintill.domain.dunning import earliest, why_dead
from twintill.domain.payment import AskedTry, Payment, Reason, State, Usable
from twintill.domain.policy import Policy
from twintill.domain.refund_asks import Refused

_AWAITED = {
    Reason.CHECKOUT: "the customer has not finished the checkout",
    Reason.CONSENT: "the customer has not agreed to the amount",
    Reason.DRAFT: "the invoice is a draft",
    Reason.NOTHING_DUE: "nothing is due",
    Reason.STRIPE_PAYMENT_PROCESSING: "Stripe itself is collecting it",
}


def may_try_again(
    payment: Payment, method_id: str | None, policy: Policy, now: datetime
) -> str | Refused:
    """The method to try now; None asks for the first that may be. Or the rule that forbids it."""
    held = _held(payment, now)
    if held is not None:
        return held
    named = [m for m in payment.methods if method_id in (None, m.id)]
    if not named:
        return Refused("payment_method_dead", "there is no payment method that can be charged")
    answers = [_with(payment, method, policy, now) for method in named]
    allowed = next((answer for answer in answers if isinstance(answer, str)), None)
    return answers[0] if allowed is None else allowed


def can_be_offered(payment: Payment, policy: Policy, now: datetime) -> tuple[str, ...]:
    """The stored methods that may be tried now; none: only another method helps."""
    if _held(payment, now) is not None:
        return ()
    answers = (_with(payment, method, policy, now) for method in payment.methods)
    return tuple(answer for answer in answers if isinstance(answer, str))


def try_asked(payment: Payment, fact: TryAsked, policy: Policy, now: datetime) -> Decision:
    """The door has asked `may_try_again` under the same lock: what does not fit is noted."""
    if payment.method_asked_for == fact.method_id:
        return Decision(payment, note="asked for already")
    allowed = may_try_again(payment, fact.method_id, policy, now)
    if isinstance(allowed, Refused):
        return Decision(payment, note=allowed.why)
    asked = replace(payment, asked_try=AskedTry(fact.method_id, payment.next_n))
    return Decision(waiting(asked, Reason.READY, now))


def _held(payment: Payment, now: datetime) -> Refused | None:
    """Why nothing may be tried, with whatever method."""
    if payment.unresolved_attempt is not None:
        return Refused("attempt_out", "an attempt is out, and its answer is waited for")
    if payment.unapplied_minor or payment.state not in (State.WAITING, State.EXHAUSTED):
        return Refused("nothing_to_collect", f"there is nothing to collect: it is {payment.state}")
    if payment.closing is not None or payment.reason is Reason.UNCOLLECTIBLE:
        return Refused("nothing_to_collect", "it is not collected any more, by setting")
    if payment.parked_why is not None:
        return Refused("needs_person", f"it waits for a person: {payment.parked_why}")
    if payment.reason in _AWAITED:
        return Refused("not_due_yet", _AWAITED[payment.reason])
    if may_still_arrive(payment, now):
        return Refused("may_still_arrive", "the request before it may still arrive")
    return None


def _with(payment: Payment, method: Usable, policy: Policy, now: datetime) -> str | Refused:
    dead = why_dead(payment, method)
    if dead is not None:
        why = f"{method.id} is not charged for it again ({dead}): another method is needed"
        return Refused("refused_for_good", why)
    follows = earliest(payment, method, policy, now)
    if follows.at > now:
        limit = follows.reason is Reason.NETWORK_LIMIT
        rule = "its card network allows no more" if limit else "so long it has to be left alone"
        return Refused(
            "too_soon", f"{method.id} not before {follows.at:%Y-%m-%d %H:%M} UTC: {rule}"
        )
    return method.id
