"""What takes reported money back: who asked for a refund, credit notes, disputes, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AskState(StrEnum):
    WANTED = "wanted"  # nothing was sent yet
    UNDER_WAY = "under_way"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RefundAsk:
    """Somebody asked, through us, that so much of a receipt is given back (minor units)."""

    id: str
    receipt_id: str
    amount_minor: int
    why: str
    by: str
    asked_at: datetime
    state: AskState = AskState.WANTED
    refund_id: str | None = None  # the request that is, or was, made for it


class NoteFor(StrEnum):
    """Why we made a credit note; FOREIGN: somebody else did."""

    GIVEN_BACK = "given_back"  # of what left us after the report: out of band
    REST = "rest"  # of a partial payment: what is not paid on this invoice
    FOREIGN = "foreign"


class NoteState(StrEnum):
    STARTED = "started"  # intent committed: it may exist in Stripe
    MADE = "made"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CreditNote:
    """One of Stripe's credit notes about this invoice (minor units of the payment's currency)."""

    id: str
    n: int  # of ours, from 1; 0: not ours
    purpose: NoteFor
    amount_minor: int
    out_of_band_minor: int  # how much of it lowers what we reported
    started_at: datetime
    state: NoteState = NoteState.STARTED
    credit_note_id: str | None = None
    detail: str | None = None
    key_n: int = 0  # how many of its keys Stripe has answered with a failure of its own


@dataclass(frozen=True, slots=True)
class SeenNote:
    """A credit note in Stripe's list; `our_id`: the row that its metadata names.

    `n`: ours, of a time that this database has lost; 0: known, or not ours.
    """

    credit_note_id: str
    our_id: str | None
    amount_minor: int
    out_of_band_minor: int
    void: bool = False
    n: int = 0


class DisputeStage(StrEnum):
    """How far a customer's claim has come; the last three are its end."""

    OPENED = "opened"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"
    ACCEPTED = "accepted"  # by the merchant: lost without a word


LOSSES = frozenset((DisputeStage.LOST, DisputeStage.ACCEPTED))
DECIDED = LOSSES | {DisputeStage.WON}


@dataclass(frozen=True, slots=True)
class ToldEarly:
    """What was told of a dispute before it could be booked: kept, and booked later."""

    stage: DisputeStage
    withheld: bool
    fee_minor: int


@dataclass(frozen=True, slots=True)
class Dispute:
    """A customer's claim to money of a receipt (minor units of its currency)."""

    id: str
    processor_dispute_id: str
    receipt_id: str
    amount_minor: int
    opened_at: datetime
    ask_at: datetime  # the processor is asked for it then, unless it tells before
    stage: DisputeStage = DisputeStage.OPENED
    withheld: bool = False  # the processor has taken the amount
    fee_minor: int = 0
    reason: str | None = None
    told: ToldEarly | None = None

    @property
    def is_open(self) -> bool:
        """Not decided; or lost, and the amount not taken yet."""
        return self.stage not in DECIDED or (self.stage in LOSSES and not self.withheld)
