"""Cancelling a subscription by API: when, its steps, and what it looks like from outside. Pure.

cancel -> settle -> refund -> done   (or: failed)
"""

from enum import StrEnum


class At(StrEnum):
    """When it ends."""

    NOW = "now"
    PERIOD_END = "period_end"
    NEVER = "never"  # takes back a cancellation at the end of the period


class Step(StrEnum):
    CANCEL = "cancel"
    SETTLE = "settle"  # a charge that is out is waited for
    REFUND = "refund"
    DONE = "done"
    FAILED = "failed"


class CancellationState(StrEnum):
    """What the API calls it."""

    CANCELING = "canceling"
    WAITING_FOR_CHARGE = "waiting_for_charge"
    REFUNDING = "refunding"
    DONE = "done"
    FAILED = "failed"
    NEEDS_PERSON = "needs_person"


_STATES = {
    Step.CANCEL: CancellationState.CANCELING,
    Step.SETTLE: CancellationState.WAITING_FOR_CHARGE,
    Step.REFUND: CancellationState.REFUNDING,
    Step.DONE: CancellationState.DONE,
    Step.FAILED: CancellationState.FAILED,
}


def state_of(step: Step, *, parked: bool) -> CancellationState:
    return CancellationState.NEEDS_PERSON if parked else _STATES[step]
