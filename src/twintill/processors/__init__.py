"""Those who take the money: what the engine asks of a processor, as small Protocols.

Rules for every adapter (each broken by a named public system):
- No adapter repeats a money-moving request by itself.
- Transport errors: `NotSent` if refused, DNS, TLS before sending, 429; all else is `NoAnswer`.
- `prepare_charge` is pure: the bytes are stored before they are sent, a replay is byte-identical.
- Amounts come in Stripe's minor units; the adapter converts with its own exponent table and answers
  `NotSent(INEXACT)` where that is not exact. Nothing is rounded.
- Verification of a webhook has no default and fails closed.
- One webhook request carries a list of events; each is believed only as far as it is signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import ChargeOutcome, Finality, LookUp, NoAnswer, NotFound, NotSent
from twintill.money import Money


class LookUpBy(StrEnum):
    """How an in-doubt charge can be found again."""

    NONE = "none"
    REFERENCE = "reference"  # reliable: what is there is found, within `look_up_lag_s`
    SCAN = "scan"


class Tells(StrEnum):
    """When this processor tells what became of a charge."""

    AT_ONCE = "at_once"  # in its answer
    LATER = "later"  # days after it took the order: approved is always told by webhook or get
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this processor can do, as data: read by the engine, shown to people."""

    display_name: str
    method_kinds: tuple[str, ...]  # "card", "wallet", "bank_debit"
    key_window_s: int  # how long an idempotency key is honoured
    replays_first_answer: bool  # the same key answers what the first request was answered
    look_up: LookUpBy
    look_up_lag_s: int  # a charge is visible to the look-up after at most this long
    reuses_reference_after_decline: bool
    can_cancel_pending: bool
    tells: Tells = Tells.AT_ONCE
    final_after_days: int = 0  # about when provisional money is final
    currencies: frozenset[str] | None = None  # None: any
    finds_refunds: bool = True  # a charge's refunds are listed within `look_up_lag_s`
    refunds_within_days: int | None = None  # None: no limit is known
    tells_of_revoked_methods: bool = True  # else a method is asked about before it is believed
    # The least that it charges, by currency, in Stripe's minor units; not named: anything.
    minimum_minor: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredMethod:
    """A payment method as an adapter needs it; the token is the secret part."""

    processor_customer_id: str
    token: str = field(repr=False)
    kind: str


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """Start collecting a payment method without a purchase."""

    idempotency_key: str
    customer_reference: str  # stable per customer, no personal data
    return_url: str
    cancel_url: str
    currency: str
    description: str


@dataclass(frozen=True, slots=True)
class SetupSession:
    """Where to send the customer."""

    session_id: str
    url: str
    expires_at: datetime | None


class SetupStatus(StrEnum):
    OPEN = "open"  # the customer has not finished
    COMPLETE = "complete"
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class SetupResult:
    """What became of a set-up; `method` and `display` only when complete."""

    status: SetupStatus
    method: StoredMethod | None = None
    display: Mapping[str, str] = field(default_factory=dict)  # brand, last4, exp, bank, ...


@dataclass(frozen=True, slots=True)
class ChargeRequest:
    """One off-session sale with a stored token."""

    reference: str  # ours, at most 35 safe ASCII characters, unique per attempt
    invoice_id: str  # Stripe's: the same in every attempt, so that a second may be refused
    amount: Money
    method: StoredMethod
    description: str
    metadata: Mapping[str, str]  # at most three small keys
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class PreparedCharge:
    """The exact bytes that will be, or were, sent under one idempotency key."""

    reference: str
    idempotency_key: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Search:
    """A charge whose answer is missing: our reference, and when it can have been sent."""

    reference: str
    since: datetime  # it was not sent before
    until: datetime | None = None  # nor after; None: it may be sent until now
    body: bytes | None = field(default=None, repr=False)  # what was sent, where that is known


class Charges(Protocol):
    """Taking money. None of these raises: every end is an outcome."""

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        """Pure: the bytes to send, or why they cannot be (INEXACT, CONFIG)."""

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        """Send once. Never repeated by the adapter."""

    async def find_charge(self, search: Search) -> LookUp:
        """Look up by our reference. NoAnswer or NotSent here mean: could not look.

        NotFound is a promise only where the capabilities call the look-up reliable: then it has
        seen everything of that time, whatever its body says.
        """

    async def get_charge(self, processor_payment_id: str) -> LookUp:
        """What became of a charge that was accepted. NoAnswer or NotSent: could not look."""

    async def cancel_charge(self, processor_payment_id: str) -> LookUp:
        """Cancel one that is still pending or waits for the customer; answers its state after."""


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """Part or all of one charge back to where it came from."""

    reference: str  # ours, at most 35 safe ASCII characters, unique per refund
    processor_payment_id: str
    amount: Money
    given_back_minor: int = 0  # of this charge before, as far as we know: done or under way


@dataclass(frozen=True, slots=True)
class PreparedRefund:
    """The exact bytes that will be, or were, sent under one idempotency key."""

    reference: str
    idempotency_key: str
    processor_payment_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """One refund of a charge in the processor's book; `reference` only where it is ours."""

    processor_refund_id: str
    reference: str | None
    amount: Money
    outcome: ChargeOutcome  # Approved: given back; Accepted: under way; Declined: it failed


@runtime_checkable
class Refunds(Protocol):
    """Giving money back; the rules of charging hold. A processor without it leaves it to people.

    Approved: done; Accepted: taken, and told later; Declined: it does not give it back.
    """

    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        """Pure: the bytes to send, or why they cannot be."""

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        """Send once. Never repeated by the adapter."""

    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        """All refunds of a charge, whoever asked for them. NoAnswer or NotSent: could not look."""


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund of any charge of the account."""

    processor_payment_id: str
    seen: SeenRefund


@dataclass(frozen=True, slots=True)
class RefundPage:
    """Some of a processor's refunds; `following`: where the next page begins, None at the end."""

    refunds: tuple[ListedRefund, ...]
    following: str | None = None


@runtime_checkable
class RefundLists(Protocol):
    """Asking for refunds of all charges. Without it only webhooks tell of those made by hand."""

    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        """A page of those made since then, whatever became of them; one request.

        `after`: `following` of the page before. NoAnswer or NotSent: could not look.
        """


class MethodStatus(StrEnum):
    """What the processor says of a stored method, right now."""

    ACTIVE = "active"
    REVOKED = "revoked"  # by the customer, or by us
    EXPIRED = "expired"
    BLOCKED = "blocked"  # by the bank
    GONE = "gone"  # it knows no such method


@dataclass(frozen=True, slots=True)
class MethodState:
    """A stored method as the processor shows it."""

    status: MethodStatus
    display: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeenDispute:
    """A customer's claim in the processor's book.

    `withheld`: the amount is not with us at this moment; `fee`: what it has cost so far.
    """

    dispute_id: str
    processor_payment_id: str
    amount: Money
    stage: DisputeStage
    withheld: bool
    fee: Money | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DisputePage:
    """Some of a processor's disputes; `following`: where the next page begins, None at the end."""

    disputes: tuple[SeenDispute, ...]
    following: str | None = None


@runtime_checkable
class Disputes(Protocol):
    """Asking for disputes. A processor without it tells of them by webhook alone."""

    async def get_dispute(self, dispute_id: str) -> SeenDispute | NotFound | NoAnswer | NotSent:
        """How far it has come. NoAnswer or NotSent: could not look."""

    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        """A page of those opened since then, of whichever charge of the account; one request.

        `after`: `following` of the page before. NoAnswer or NotSent: could not look.
        """


class Vault(Protocol):
    """Collecting and dropping payment methods. Raise ProcessorError; may all be repeated."""

    async def start_setup(self, request: SetupRequest) -> SetupSession: ...

    async def get_setup(self, session_id: str) -> SetupResult:
        """Also completes it where the processor needs a second call."""

    async def cancel_setup(self, session_id: str) -> None:
        """Idempotent; a set-up that is gone counts as cancelled."""

    async def get_method(self, method: StoredMethod) -> MethodState:
        """Asked before anything follows from an event about it; no answer is never GONE."""

    async def revoke_method(self, method: StoredMethod) -> None:
        """Idempotent; a method that is gone counts as revoked."""


class EventKind(StrEnum):
    CHARGE_APPROVED = "charge.approved"  # collected; finality says how surely
    CHARGE_FINAL = "charge.final"  # provisional money became final
    CHARGE_DECLINED = "charge.declined"
    CHARGE_FAILED_LATE = "charge.failed_late"  # failed after it was approved
    METHOD_REVOKED = "method.revoked"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    DISPUTE_OPENED = "dispute.opened"
    DISPUTE_UNDER_REVIEW = "dispute.under_review"
    DISPUTE_WITHHELD = "dispute.withheld"  # the amount was taken, then or later
    DISPUTE_WON = "dispute.won"
    DISPUTE_LOST = "dispute.lost"
    DISPUTE_ACCEPTED = "dispute.accepted"
    IGNORED = "ignored"  # known and without meaning for us
    UNREADABLE = "unreadable"  # one of a batch that cannot be read: parked alone, see `note`


@dataclass(frozen=True, slots=True)
class ProcessorEvent:
    """One thing that a webhook tells; whatever is not signed must be fetched, not believed."""

    kind: EventKind
    dedupe_key: str | None  # None where the processor sends no event id
    raw_type: str
    occurred_at: datetime | None = None
    processor_payment_id: str | None = None
    reference: str | None = None
    token: str | None = field(default=None, repr=False)
    outcome: ChargeOutcome | None = None  # for charge.* and refund.*
    finality: Finality | None = None  # without an outcome: all that was asked for is collected
    amount: Money | None = None  # for charge.failed_late: what was taken back, where it is said
    refund_id: str | None = None  # for refund.*: the processor's id of the refund
    dispute: SeenDispute | None = None  # for dispute.*
    note: str | None = None  # why it is unreadable


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    headers: Mapping[str, str]  # lower-case names
    body: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What this processor wants to hear after our commit, and to a signature that is wrong."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    refused_status: int = 400


class Webhooks(Protocol):
    def verify_webhook(self, request: WebhookRequest) -> None:
        """Raises SignatureRefused unless the request is provably the processor's and recent.

        Local: no network call stands before the 2xx. Raises SignatureUnchecked where what it is
        checked with (a certificate) is still being fetched: it is sent again, and checked then.
        """

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        """Pure; of an already verified body. A batch answers several, in order.

        Raises UnreadableEvent when it is no batch at all; one bad event of it is UNREADABLE.
        """

    acknowledgement: Acknowledgement


@runtime_checkable
class Processor(Charges, Vault, Webhooks, Protocol):
    """The least that the engine needs to collect invoices through a processor."""

    name: str  # as in the webhook path and the settings, e.g. "sandbox"
    account_id: str  # the processor account: part of every key
    capabilities: Capabilities

    async def aclose(self) -> None: ...
