"""Money that did not come through a processor, as values: a cheque, cash, a transfer by hand.

    WAITING -> APPLIED -> (a rest may go to the customer's credit)
       |          |
       v          v
    CREDIT     UNDONE (before the report) | CORRECTED (after it)

It waits while a charge of the same invoice is out. What the invoice does not take is the customer's
credit: applied to another invoice (a row of that one, kind CREDIT), or paid out.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class HandKind(StrEnum):
    CHEQUE = "cheque"
    CASH = "cash"
    BANK_TRANSFER = "bank_transfer"
    OTHER = "other"
    CREDIT = "credit"  # what another one had left; `source_id` names it


class HandState(StrEnum):
    WAITING = "waiting"  # for a charge that is out, or for a person
    APPLIED = "applied"  # to its invoice
    CREDIT = "credit"  # the invoice took nothing of it
    UNDONE = "undone"
    CORRECTED = "corrected"


TAKEN_BACK = frozenset((HandState.UNDONE, HandState.CORRECTED))


@dataclass(frozen=True, slots=True)
class HandPayment:
    """One payment by hand (minor units of the payment's currency).

    `credit_minor` stands on the customer's credit now, as long as it waits all of it; what was
    there and is gone was `moved_minor` to other invoices, or `paid_out_minor`.
    """

    id: str
    kind: HandKind
    amount_minor: int
    currency: str
    received_on: date
    reference: str
    recorded_by: str
    recorded_at: datetime
    note: str | None = None
    state: HandState = HandState.WAITING
    credit_minor: int = 0
    moved_minor: int = 0
    paid_out_minor: int = 0
    receipt_id: str | None = None
    source_id: str | None = None
    taken_back_why: str | None = None
    taken_back_by: str | None = None
    taken_back_at: datetime | None = None

    @property
    def waits(self) -> bool:
        return self.state is HandState.WAITING

    @property
    def free_minor(self) -> int:
        """Of the credit, what may be used: not what waits for its own invoice."""
        return 0 if self.waits else self.credit_minor
