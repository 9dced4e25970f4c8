"""An invoice that collects what another one could not, as a value: how much, why, and from when.

Its payment names the one that it continues. It is one-off, `send_invoice`, and of exactly this
amount, tax included: what is billed twice must be credited on the other first.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KIND = "follow_on"  # of its operation
READ = "read"  # its first step


class FollowOnWhy(StrEnum):
    """Shown to people, and in the words of the new invoice's one line."""

    FAILED_LATE = "failed_late"  # a debit failed after the report: the whole is collected anew
    REST = "rest"  # of a partial payment
    CORRECTED = "corrected"  # a payment by hand was corrected after the report


@dataclass(frozen=True, slots=True)
class FollowOn:
    """What is to be invoiced anew; asked for twice under one `cause` it is one invoice.

    `cause`: unique of the payment that it continues, such as the id of the credit note before it.
    `try_at`: not charged before that; None: as soon as it is open.
    """

    cause: str
    amount_minor: int
    why: FollowOnWhy
    try_at: datetime | None = None


def words_of(why: FollowOnWhy, number: str) -> str:
    """The line on the new invoice; `number`: of the one that it continues."""
    if why is FollowOnWhy.FAILED_LATE:
        return f"Invoice {number}, whose payment was returned by the bank"
    if why is FollowOnWhy.CORRECTED:
        return f"Invoice {number}, whose payment was corrected"
    return f"Rest of invoice {number}"
