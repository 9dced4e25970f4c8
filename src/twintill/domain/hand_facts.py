"""Facts about money that did not come through a processor: told by people, in the past tense."""

from dataclasses import dataclass
from datetime import date

from twintill.domain.hand import HandKind


@dataclass(frozen=True, slots=True)
class PaidByHand:
    """A person has it in hand. `source_id`: or it is the credit that this one had left."""

    hand_id: str
    kind: HandKind
    amount_minor: int
    received_on: date
    reference: str
    by: str
    note: str | None = None
    source_id: str | None = None


@dataclass(frozen=True, slots=True)
class HandPaymentUndone:
    """It was recorded by mistake, and Stripe was not told of it."""

    hand_id: str
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class HandPaymentCorrected:
    """It was wrong, or the cheque came back, and Stripe was told of it."""

    hand_id: str
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class CreditTaken:
    """So much of what it had left was used: for another invoice, or paid out to the customer.

    `use_id`: of the use; `paid_out`: the reference of that payment to the customer.
    """

    hand_id: str
    use_id: str
    amount_minor: int
    by: str
    paid_out: str | None = None


@dataclass(frozen=True, slots=True)
class CreditReturned:
    """What was used of it for another invoice was taken back there."""

    hand_id: str
    use_id: str
    amount_minor: int


HandFact = PaidByHand | HandPaymentUndone | HandPaymentCorrected | CreditTaken | CreditReturned
