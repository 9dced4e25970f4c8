"""While charging through a processor is paused: nothing is sent, everything else goes on. Pure.

A charge waits, an attempt in doubt is still looked up but not sent again (that could charge), and
money that is here is reported as ever. Refunds go on, unless it is paused because it refuses our
key, or because something is not set up there: then they wait as well.
"""

from dataclasses import replace
from datetime import datetime

from twintill.domain.answers import still_in_doubt
from twintill.domain.decision import Decision
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.domain.policy import Policy
from twintill.domain.steps import GiveBack, GiveReportedBack, next_step

# What the customer has to do is done first, whatever else holds the payment.
_CUSTOMERS_TURN = (Reason.CHECKOUT, Reason.CONSENT)


def charge_braked(payment: Payment, why: str, policy: Policy, now: datetime) -> Decision:
    """The charge, or the second sending, that was about to be made is not made."""
    attempt = payment.unresolved_attempt
    if payment.parked_why is not None:
        return Decision(payment, note="parked: a person looks at it")
    if attempt is not None and attempt.outcome in (Outcome.STARTED, Outcome.NO_ANSWER):
        return still_in_doubt(payment, attempt, f"not sent again, {why}", policy, now)
    if payment.state is not State.WAITING or attempt is not None:
        return Decision(payment, note="no charge waits")
    reason = payment.reason if payment.reason in _CUSTOMERS_TURN else Reason.BRAKED
    later = now + policy.braked_pause
    return Decision(replace(payment, reason=reason, next_look_at=later), note=why)


def refund_braked(payment: Payment, why: str, policy: Policy, now: datetime) -> Decision:
    """The refund that was about to be begun is not begun; `resume` rings whoever waits so."""
    if payment.parked_why is not None:
        return Decision(payment, note="parked: a person looks at it")
    if not isinstance(next_step(payment), GiveBack | GiveReportedBack):
        return Decision(payment, note="no refund waits")
    later = now + policy.braked_pause
    return Decision(replace(payment, reason=Reason.BRAKED, next_look_at=later), note=why)
