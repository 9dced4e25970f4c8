"""A charge failed and is tried again later: the user's app is told, whatever way led here."""

from dataclasses import replace
from datetime import datetime

from twintill.domain.decision import Decision, Notice
from twintill.domain.payment import Reason, State

_FAILED = frozenset((Notice.DECLINED, Notice.FAILED_LATE))
_FOR_A_TRY = frozenset((Reason.RETRY, Reason.NETWORK_LIMIT, Reason.FAILED_LATE))


def in_dunning(decision: Decision, now: datetime) -> Decision:
    """Not when another stored method is tried at once, nor when a person has to look first."""
    payment = decision.payment
    waits = payment.state is State.WAITING and payment.reason in _FOR_A_TRY
    if not waits or payment.parked_why is not None or _FAILED.isdisjoint(decision.notices):
        return decision
    if payment.next_look_at is None or payment.next_look_at <= now:
        return decision
    return replace(decision, notices=(*decision.notices, Notice.IN_DUNNING))
