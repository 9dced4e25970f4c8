"""Changing a subscription by API: its steps, and what it looks like from outside. Pure.

change -> done   (or: failed)
"""

from enum import StrEnum

# Of one subscription. Stripe's limits are 10 new invoices a minute and 20 a day, and 200 quantities
# an hour (facts: Stripe's rate limits); a renewal and a person in the Dashboard need some of them.
BILLED_A_DAY = 10
CHANGED_AN_HOUR = 100


class Prorations(StrEnum):
    """What becomes of the paid rest of a period; Stripe's words."""

    CREATE = "create_prorations"  # credited and charged with the next invoice
    AT_ONCE = "always_invoice"  # by an invoice of its own
    NONE = "none"


class Step(StrEnum):
    CHANGE = "change"
    DONE = "done"
    FAILED = "failed"


class ChangeState(StrEnum):
    """What the API calls it."""

    CHANGING = "changing"
    DONE = "done"
    FAILED = "failed"
    NEEDS_PERSON = "needs_person"


_STATES = {
    Step.CHANGE: ChangeState.CHANGING,
    Step.DONE: ChangeState.DONE,
    Step.FAILED: ChangeState.FAILED,
}


def state_of(step: Step, *, parked: bool) -> ChangeState:
    return ChangeState.NEEDS_PERSON if parked else _STATES[step]
