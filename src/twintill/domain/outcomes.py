"""What a processor can answer to a charge: six outcomes, as values (never exceptions).

Which one it is, is the adapter's observation; what it means is decided in `domain.payment`.
Rules: a missing answer is not a decline; a decline is definite only for a first sending.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from twintill.money import Money


class Finality(StrEnum):
    """Whether collected money can still fail by itself (bank debits) or not."""

    PROVISIONAL = "provisional"
    FINAL = "final"


class DeclineKind(StrEnum):
    """What a decline says about the next try; the raw code is kept beside it."""

    SOFT = "soft"  # may succeed later with the same token
    HARD = "hard"  # never again with this token
    UPDATE_METHOD = "update_method"  # expired or replaced: the customer must give a new one
    AUTH_REQUIRED = "auth_required"  # only with the customer present
    REVOKED = "revoked"  # the customer or the bank withdrew the right to pull
    FRAUD = "fraud"  # never again, and somebody should look


class NotSentReason(StrEnum):
    """Why it is certain that the processor did not act."""

    NETWORK = "network"  # refused, DNS, TLS: before a byte of the request left
    RATE = "rate"  # 429, with its wait
    CREDENTIALS = "credentials"  # our key is wrong
    CONFIG = "config"  # account or currency not enabled, no adapter
    INEXACT = "inexact"  # the amount cannot be expressed exactly there, or is below its least
    PERSON = "person"  # a person looked, and says that it never arrived


@dataclass(frozen=True, slots=True)
class Approved:
    """The processor has the money."""

    processor_payment_id: str
    amount: Money
    finality: Finality = Finality.FINAL
    partial: bool = False  # the processor itself says that it approved less than was asked for


@dataclass(frozen=True, slots=True)
class Accepted:
    """The processor took the order and will tell the result later."""

    processor_payment_id: str
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The processor, the bank or the network said no."""

    kind: DeclineKind
    code: str
    text: str = ""
    retry_after_s: int | None = None
    processor_payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class NeedsCustomer:
    """Nothing moves before the customer approves; unresolved until cancelled or expired there."""

    processor_payment_id: str
    action_url: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Time-out, reset, 5xx, unreadable 2xx: the money may or may not have moved.

    `taken`: the processor says that it has money for this invoice already, ours or another's.
    """

    detail: str
    taken: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """It is certain that this request did nothing."""

    reason: NotSentReason
    detail: str
    wait_s: int | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """A look-up by our reference found nothing; proves "not charged" only after the window."""


ChargeOutcome = Approved | Accepted | Declined | NeedsCustomer | NoAnswer | NotSent
LookUp = ChargeOutcome | NotFound
