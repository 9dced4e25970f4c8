"""Facts about money that goes back after the report: on either side, asked for or by hand."""

from dataclasses import dataclass

from twintill.domain.money_back import DisputeStage, SeenNote
from twintill.money import Money


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """Somebody wants so much of a reported receipt to go back to the customer."""

    ask_id: str
    receipt_id: str
    amount_minor: int
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class PaidAnotherWay:
    """A person says that the customer has so much of a receipt back, outside any processor.

    `reference`: of that payment, in whatever book it stands.
    """

    ask_id: str
    refund_id: str
    n: int
    receipt_id: str
    amount_minor: int
    reference: str
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class RefundBraked:
    """A refund waits: its processor refuses our key, or something is not set up there."""

    why: str


@dataclass(frozen=True, slots=True)
class RefundSeenThere:
    """The processor's list shows a refund of the charge that we did not ask for.

    `ours`: it has a reference of ours, which this database does not know: a backup was restored.
    `under_way`: the processor took it, and it may still come back.
    """

    receipt_id: str
    processor_refund_id: str
    amount: Money
    n: int
    refund_id: str
    ours: bool = False
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class MoneyBackTold:
    """One side tells of a refund, or of a credit note, that we did not make: a hint to compare."""

    what: str


@dataclass(frozen=True, slots=True)
class SidesSeen:
    """Stripe's credit notes of the invoice, and what the processors gave back of its receipts.

    `refunds`: those that we neither asked for nor know.
    """

    notes: tuple[SeenNote, ...]
    refunds: tuple[RefundSeenThere, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteStarted:
    """A credit note is about to be made (minor units): for what left us after the report.

    `remaining_minor`: or for the rest of a partial payment, when Stripe shows so much as open.
    """

    note_id: str
    n: int
    amount_minor: int
    remaining_minor: int | None = None


@dataclass(frozen=True, slots=True)
class NoteMade:
    """Stripe's answer to it."""

    note_id: str
    credit_note_id: str
    out_of_band_minor: int


@dataclass(frozen=True, slots=True)
class NoteFailed:
    """Stripe answered that it failed (a 5xx): it would answer the same key so for a day."""

    note_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class NoteRefused:
    """Stripe does not take it, in a readable answer, or its preview is not what we need.

    `moot`: it is not in Stripe, and is not wanted any more.
    """

    note_id: str
    detail: str
    moot: bool = False


@dataclass(frozen=True, slots=True)
class DisputeTold:
    """What the processor says of a dispute of one of our charges, in a webhook or its record.

    `withheld`: at that moment the amount is not with us; `fee_minor`: what it has cost so far.
    """

    dispute_id: str
    processor_dispute_id: str
    attempt_id: str
    stage: DisputeStage
    amount: Money
    withheld: bool
    fee_minor: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeNotSeen:
    """It was asked for, and the processor does not tell, or cannot be asked."""

    dispute_id: str
    detail: str
