"""Facts: what was observed, in the past tense, and never our reading of it.

Those about money that goes back after the report are in `return_facts`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.customer_facts import TryAsked
from twintill.domain.hand_facts import HandFact
from twintill.domain.invoice import InvoiceLook
from twintill.domain.outcomes import Approved, ChargeOutcome, DeclineKind, NotSent
from twintill.domain.policy import AtEnd, Exhausted
from twintill.domain.return_facts import (
    DisputeNotSeen,
    DisputeTold,
    MoneyBackTold,
    NoteFailed,
    NoteMade,
    NoteRefused,
    NoteStarted,
    PaidAnotherWay,
    RefundAsked,
    RefundBraked,
    RefundSeenThere,
    SidesSeen,
)
from twintill.money import Money


class Via(StrEnum):
    """How an answer about an attempt reached us; decides what it proves."""

    FIRST = "first"  # the answer to the first sending, from the holder of the lease
    STALE = "stale"  # the same, but the lease was lost meanwhile
    REPLAY = "replay"  # the answer to the same key sent again
    EXACT_REPLAY = "exact_replay"  # ... of a processor whose key replays the first answer
    RECORD = "record"  # the processor's own record: look-up, poll, or signed webhook
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Method:
    """The payment method that a charge would use, as read FOR SHARE under the payment's lock."""

    id: str
    processor: str
    processor_account_id: str


@dataclass(frozen=True, slots=True)
class InvoiceOpened:
    """Stripe finalized the invoice (an event, or our own finalize call)."""

    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class InvoiceTouched:
    """An event says that something about the invoice changed: a hint to look, nothing more."""

    event_type: str


@dataclass(frozen=True, slots=True)
class ChargeStarted:
    """The last look was taken and a request is ready to go: may it be sent?

    `refused`: the adapter cannot express the request (before anything is sent); `braked`: why
    charging through this processor is paused, as read in the transaction of this very fact.
    """

    look: InvoiceLook
    method: Method | None
    n: int
    reference: str
    idempotency_key: str
    attempt_id: str
    sealed_body: bytes = field(default=b"", repr=False)
    refused: NotSent | None = None
    braked: str | None = None


@dataclass(frozen=True, slots=True)
class ChargeBraked:
    """Charging through this processor is paused; Stripe was not even asked."""

    why: str


@dataclass(frozen=True, slots=True)
class NoMethodFound:
    """The customer has no usable payment method; Stripe was not even asked."""


@dataclass(frozen=True, slots=True)
class LookFailed:
    """Stripe could not be read before a charge or a replay."""

    detail: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A processor's answer about one attempt."""

    attempt_id: str
    outcome: ChargeOutcome
    via: Via


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a person goes by: a file's name and the hash of its bytes, or an address."""

    name: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class PersonSaid:
    """A person looked for an attempt that nobody answered, and says what became of it.

    `heard`: what the processor answered when it was asked once more.
    """

    attempt_id: str
    outcome: Approved | NotSent
    why: str
    heard: str
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class NotFoundThere:
    """A reliable look-up by our reference found nothing.

    `conclusive`: the key's window and the look-up's lag are over, so nothing can appear any more.
    """

    attempt_id: str
    conclusive: bool


@dataclass(frozen=True, slots=True)
class ReplayStarted:
    """A fresh last look was taken before the same key is sent again; `braked` as in a charge."""

    attempt_id: str
    look: InvoiceLook
    braked: str | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A pending charge was cancelled at the processor: Stripe's answer shows the invoice closed."""

    attempt_id: str
    look: InvoiceLook


@dataclass(frozen=True, slots=True)
class AttemptFound:
    """A charge under our own name that this database has no attempt for (a backup was restored).

    NoAnswer: it was begun, and its processor cannot be asked. NotSent: it is not there, and a later
    number was begun after it. `amount` of what was not approved is what the invoice asked for.
    """

    attempt_id: str
    n: int
    reference: str
    idempotency_key: str
    method_id: str
    processor: str
    processor_account_id: str
    amount: Money
    outcome: ChargeOutcome


@dataclass(frozen=True, slots=True)
class FailedLate:
    """Collected money failed by itself after it was approved (bank debits)."""

    attempt_id: str
    code: str
    detail: str
    kind: DeclineKind = DeclineKind.SOFT


@dataclass(frozen=True, slots=True)
class RefundStarted:
    """A refund of a receipt's money is ready to go: may it be sent?

    Of what is stranded; or of what was reported: for `ask_id`, or for a credit note that somebody
    made. `refused`: the adapter cannot express it; `over_cap`: which cap of automatic refunds it
    breaks.
    """

    receipt_id: str
    amount_minor: int
    n: int
    refund_id: str
    reference: str
    idempotency_key: str
    sealed_body: bytes = field(default=b"", repr=False)
    refused: NotSent | None = None
    over_cap: str | None = None
    reported: bool = False
    ask_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefundReplayStarted:
    """The same refund is about to be sent again under the same key."""

    refund_id: str


@dataclass(frozen=True, slots=True)
class RefundAnswered:
    """A processor's answer about one refund; Approved = given back, Accepted = under way."""

    refund_id: str
    outcome: ChargeOutcome
    via: Via


@dataclass(frozen=True, slots=True)
class RefundNotFoundThere:
    """The processor's list of the charge's refunds does not show it; as `NotFoundThere`."""

    refund_id: str
    conclusive: bool


@dataclass(frozen=True, slots=True)
class InvoiceReported:
    """Stripe's answer shows the invoice paid because we told it; `confirmed_minor` is Stripe's."""

    confirmed_minor: int


@dataclass(frozen=True, slots=True)
class ReportRefused:
    """A successful read, in answer to our report, shows the invoice closed by somebody else."""

    look: InvoiceLook


@dataclass(frozen=True, slots=True)
class ReportFailed:
    """Stripe did not take the report, and that proves nothing: wrong key, no answer, a lock.

    `began`: `pay` may have been sent; what Stripe shows as paid later may be our doing.
    """

    detail: str
    needs_person: bool = False
    began: bool = True


@dataclass(frozen=True, slots=True)
class AmountAgreed:
    """The customer finished the checkout, or said yes to a final amount."""

    limit_minor: int


@dataclass(frozen=True, slots=True)
class MethodAdded:
    """The customer has a usable payment method that was not there before."""

    method_id: str


@dataclass(frozen=True, slots=True)
class MethodLost:
    """A payment method of the customer was revoked at the processor."""

    method_id: str


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """The subscription that the invoice is of has ended in Stripe."""

    subscription_id: str


@dataclass(frozen=True, slots=True)
class FirstPaymentGivenUp:
    """The subscription's first payment failed for good, and nobody gave another method in time."""


@dataclass(frozen=True, slots=True)
class ConclusionStarted:
    """Not collected any more: a last look was taken before the setting is done in Stripe."""

    look: InvoiceLook


@dataclass(frozen=True, slots=True)
class Concluded:
    """What the setting wants was done in Stripe; `detail`: to what.

    `look`: the invoice in Stripe's answer, where it is the invoice that was closed.
    """

    did: Exhausted | AtEnd
    detail: str
    look: InvoiceLook | None = None


@dataclass(frozen=True, slots=True)
class HandedToStripe:
    """A switch leaves this invoice to Stripe's side; `look`: Stripe's answer, our mark on it."""

    look: InvoiceLook
    by: str  # the operation


@dataclass(frozen=True, slots=True)
class HandOverEnded:
    """Stripe's side is done with an invoice that was handed over: paid, void, or ours again."""

    look: InvoiceLook


@dataclass(frozen=True, slots=True)
class CheckoutExpired:
    """The customer never finished the checkout of the first invoice."""


@dataclass(frozen=True, slots=True)
class LookGaveUp:
    """Nothing that a worker can do by itself: a bug of ours, or what only a person can tell."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unparked:
    """A person put the payment back to work."""

    why: str


Fact = (
    InvoiceOpened
    | InvoiceTouched
    | ChargeStarted
    | ChargeBraked
    | NoMethodFound
    | LookFailed
    | Answered
    | PersonSaid
    | NotFoundThere
    | ReplayStarted
    | Withdrawn
    | AttemptFound
    | FailedLate
    | RefundAsked
    | RefundStarted
    | PaidAnotherWay
    | RefundBraked
    | RefundReplayStarted
    | RefundAnswered
    | RefundNotFoundThere
    | RefundSeenThere
    | MoneyBackTold
    | SidesSeen
    | NoteStarted
    | NoteFailed
    | NoteMade
    | NoteRefused
    | DisputeTold
    | DisputeNotSeen
    | InvoiceReported
    | ReportRefused
    | ReportFailed
    | AmountAgreed
    | MethodAdded
    | TryAsked
    | MethodLost
    | CheckoutExpired
    | SubscriptionEnded
    | FirstPaymentGivenUp
    | ConclusionStarted
    | Concluded
    | InvoiceClosed
    | HandedToStripe
    | HandOverEnded
    | LookGaveUp
    | Unparked
    | HandFact
)
