"""A payment: our collecting of one invoice; its states, attempts and receipts, as values.

                        accepted / needs the customer
    WAITING -> CHARGING -------------------------------> PENDING
       ^          |  approved                               | approved
       |          +--------------> COLLECTED <--------------+
       |          |                    | Stripe confirmed
       +----------+ declined,          v
         not sent               REPORTED | STRANDED (collected, but the invoice is closed)
                                             | refunded
                                             v
                                         REFUNDED (or REPORTED, where only the excess went back)

After the report: refunds, credit notes and disputes take money of a REPORTED payment away again;
each is a row of its own (see `domain.afterwards`), and the payment is at rest between them.

EXHAUSTED: dunning gave up; a new method or a late approval leads out again.
CANCELED: closed before money moved; a late approval leads to COLLECTED, and Stripe's answer to
our report to STRANDED. Any state can be parked for a person. The money hangs on receipts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from twintill.domain.hand import HandPayment
from twintill.domain.money_back import AskState, CreditNote, Dispute, NoteState, RefundAsk
from twintill.domain.outcomes import DeclineKind, Finality
from twintill.domain.policy import AtEnd
from twintill.money import Money


class State(StrEnum):
    WAITING = "waiting"
    CHARGING = "charging"
    PENDING = "pending"
    COLLECTED = "collected"
    REPORTED = "reported"
    EXHAUSTED = "exhausted"
    CANCELED = "canceled"
    STRANDED = "stranded"
    REFUNDED = "refunded"


class Reason(StrEnum):
    """Why a payment is where it is; shown to people, never parsed."""

    READY = "ready"
    CHECKOUT = "checkout"  # the customer has not finished the checkout page
    CONSENT = "consent"  # the final amount is higher than the customer agreed to
    DRAFT = "draft"
    NOTHING_DUE = "nothing_due"
    NO_METHOD = "no_method"
    RETRY = "retry"
    OTHER_METHOD = "other_method"  # not the one before: another stored one is tried at once
    NETWORK_LIMIT = "network_limit"  # this card was declined as often as its network allows
    NOT_SENT = "not_sent"
    BRAKED = "braked"  # its processor is paused: a charge, or a refund, waits
    STRIPE_UNREADABLE = "stripe_unreadable"
    STRIPE_PAYMENT_PROCESSING = "stripe_payment_processing"
    HANDED_TO_STRIPE = "handed_to_stripe"
    IN_DOUBT = "in_doubt"
    ACCEPTED = "accepted"
    NEEDS_CUSTOMER = "needs_customer"
    DECLINED_FOR_GOOD = "declined_for_good"
    SUSPECTED_FRAUD = "suspected_fraud"  # no other method either, until somebody has looked
    TRIES_USED_UP = "tries_used_up"
    NO_TRY_FITS = "no_try_fits_before_due"
    UNCOLLECTIBLE = "uncollectible"
    INVOICE_VOID = "invoice_void"
    INVOICE_DELETED = "invoice_deleted"
    PAID_ELSEWHERE = "paid_elsewhere"
    CHECKOUT_EXPIRED = "checkout_expired"
    MORE_THAN_DUE = "more_than_due"
    FAILED_LATE = "failed_late"
    AMOUNT_DIFFERS = "amount_differs"
    REFUND_UNDER_WAY = "refund_under_way"
    REFUND_IN_DOUBT = "refund_in_doubt"
    REFUND_REFUSED = "refund_refused"
    COMPARING = "comparing"  # of refunds there and credit notes in Stripe
    REFUND_WANTED = "refund_wanted"
    CREDIT_NOTE_DUE = "credit_note_due"
    CREDIT_NOTE_REFUSED = "credit_note_refused"
    NOT_FINAL = "not_final"  # collected, and by setting not reported before it cannot fail
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"


# Held until a time that only a new method brings forward: a hint or an event does not.
TIMED = frozenset((Reason.RETRY, Reason.NETWORK_LIMIT, Reason.NOT_SENT, Reason.FAILED_LATE))
# An attempt is out and nobody knows its end: what a parking for this waited for is its answer.
UNANSWERED = frozenset((Reason.IN_DOUBT, Reason.ACCEPTED, Reason.NEEDS_CUSTOMER))


class Outcome(StrEnum):
    """The outcome column of an attempt; STARTED = intent committed, no answer written yet."""

    STARTED = "started"
    APPROVED = "approved"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    NEEDS_CUSTOMER = "needs_customer"
    NO_ANSWER = "no_answer"
    NOT_SENT = "not_sent"


UNRESOLVED = frozenset(
    (Outcome.STARTED, Outcome.ACCEPTED, Outcome.NO_ANSWER, Outcome.NEEDS_CUSTOMER)
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to one processor under one idempotency key."""

    id: str
    n: int
    method_id: str
    processor: str
    processor_account_id: str
    amount: Money
    reference: str
    idempotency_key: str
    first_sent_at: datetime
    sealed_body: bytes = field(default=b"", repr=False)
    sendings: int = 1
    asked: int = 0  # how often its outcome was asked for
    outcome: Outcome = Outcome.STARTED
    finality: Finality | None = None
    processor_payment_id: str | None = None
    decline_kind: DeclineKind | None = None
    code: str | None = None
    detail: str | None = None
    retry_after_s: int | None = None
    action_url: str | None = None
    expected_at: datetime | None = None
    answered_at: datetime | None = None

    @property
    def unresolved(self) -> bool:
        return self.outcome in UNRESOLVED


class RefundOf(StrEnum):
    """Which money goes back: what Stripe never took, or what it was told of."""

    STRANDED = "stranded"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Refund:
    """One request to give money of a receipt back, under one idempotency key.

    The outcomes are an attempt's: approved = given back, accepted = under way.
    """

    id: str
    n: int
    receipt_id: str
    processor: str
    processor_account_id: str
    amount: Money
    reference: str
    idempotency_key: str
    first_sent_at: datetime
    of: RefundOf = RefundOf.STRANDED
    sealed_body: bytes = field(default=b"", repr=False)
    sendings: int = 1
    asked: int = 0
    outcome: Outcome = Outcome.STARTED
    processor_refund_id: str | None = None
    another_way: str | None = None  # a person paid it outside the processor: its reference there
    code: str | None = None
    detail: str | None = None
    answered_at: datetime | None = None

    @property
    def unresolved(self) -> bool:
        return self.outcome in UNRESOLVED


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that reached us; amounts are minor units of `currency`.

    Unless it failed, what was collected is the sum of all that became of it. `reported_minor` is
    without what credit notes took off; the two bridges stand between the books of both sides.
    """

    id: str
    attempt_id: str | None
    source: str
    processor_account_id: str | None
    currency: str
    finality: Finality
    collected_minor: int
    collected_at: datetime
    reported_minor: int = 0
    stranded_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0  # lost to disputes
    refund_due_minor: int = 0  # credited less given back: above zero we owe it to the customer
    note_due_minor: int = 0  # credited less lost to disputes: zero or below
    withheld_minor: int = 0  # held by the processor for disputes (below zero: lost, not yet taken)
    loss_minor: int = 0  # gone without a credit note, by policy
    credit_minor: int = 0  # of money by hand: what went to the customer's credit, ever
    failed: bool = False  # the debit failed after it was collected

    @property
    def unapplied_minor(self) -> int:
        """Collected, and not yet reported or stranded."""
        if self.failed:
            return 0
        ours_minor = self.reported_minor + self.stranded_minor
        gone_minor = self.refunded_minor + self.disputed_minor
        between_minor = self.refund_due_minor + self.note_due_minor
        kept_minor = gone_minor + between_minor + self.credit_minor
        return self.collected_minor - ours_minor - kept_minor

    @property
    def to_give_back_minor(self) -> int:
        """Stranded, and still with us: the customer's."""
        return 0 if self.failed else self.stranded_minor


@dataclass(frozen=True, slots=True)
class Usable:
    """An active stored method of the customer; what was tried is of its token, on any invoice."""

    id: str
    given_at: datetime
    same_token: frozenset[str] = frozenset()  # ids of methods, this one among them
    tried_at: tuple[datetime, ...] = ()  # declined, or without an answer, in the last 30 days
    refused: DeclineKind | None = None  # hard, revoked or fraud: never again
    refused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AskedTry:
    """Somebody asked for a try with this method; `n`: the number that it has at the least."""

    method_id: str
    n: int


@dataclass(frozen=True, slots=True)
class Payment:
    """Our collecting of one invoice: the row's fields, with all its attempts and receipts."""

    id: str
    invoice_id: str
    customer_id: str
    currency: str
    state: State
    reason: Reason | None
    next_look_at: datetime | None
    due_at: datetime | None = None
    limit_minor: int | None = None  # never charge more than this without the customer's yes
    ended: bool = False
    parked_why: str | None = None
    reports: int = 0  # looks begun with money to report: committed before Stripe is called
    unreadable: int = 0  # failed last looks in a row
    refund_agreed: bool = False  # a person put it back to work: no cap holds its next refund
    closing: AtEnd | None = None  # not collected any more: what is done in Stripe instead
    methods: tuple[Usable, ...] = ()  # the customer's, as read with the row; preferred first
    overrides: Mapping[str, Any] | None = None  # what the customer's policy has otherwise
    continues: str | None = None  # the payment whose rest, or whose failed debit, it collects
    attempts: tuple[Attempt, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    asked_try: AskedTry | None = None
    compare_at: datetime | None = None  # then both sides are listed: something was told of one
    asks: tuple[RefundAsk, ...] = ()
    notes: tuple[CreditNote, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    by_hand: tuple[HandPayment, ...] = ()

    @property
    def unresolved_attempt(self) -> Attempt | None:
        """At most one: the database holds it (partial unique index)."""
        return next((a for a in self.attempts if a.unresolved), None)

    @property
    def method_asked_for(self) -> str | None:
        """Until a try with it, or with another one, has reached a processor."""
        asked = self.asked_try
        if asked is None:
            return None
        tried = any(a.n >= asked.n and a.outcome is not Outcome.NOT_SENT for a in self.attempts)
        return None if tried else asked.method_id

    @property
    def waiting_by_hand(self) -> HandPayment | None:
        """Money that a person has in hand, and that waits to be put on the invoice."""
        return next((hand for hand in self.by_hand if hand.waits), None)

    @property
    def unapplied_minor(self) -> int:
        return sum(r.unapplied_minor for r in self.receipts)

    @property
    def reported_minor(self) -> int:
        return sum(r.reported_minor for r in self.receipts)

    @property
    def told_minor(self) -> int:
        """All that Stripe was told of, also what credit notes took off it again."""
        made = (n.out_of_band_minor for n in self.notes if n.state is NoteState.MADE)
        return self.reported_minor + sum(made)

    @property
    def stranded_minor(self) -> int:
        return sum(r.stranded_minor for r in self.receipts)

    @property
    def refunded_minor(self) -> int:
        return sum(r.refunded_minor for r in self.receipts)

    @property
    def next_n(self) -> int:
        return 1 + max((a.n for a in self.attempts), default=0)

    @property
    def unresolved_refund(self) -> Refund | None:
        """At most one: the database holds it (partial unique index)."""
        return next((r for r in self.refunds if r.unresolved), None)

    @property
    def receipt_to_give_back(self) -> Receipt | None:
        """The oldest receipt with stranded money; a person gives back what no processor holds."""
        return next((r for r in self.receipts if r.to_give_back_minor and r.attempt_id), None)

    @property
    def next_refund_n(self) -> int:
        return 1 + max((r.n for r in self.refunds), default=0)

    @property
    def next_ask(self) -> RefundAsk | None:
        """The oldest refund that was asked for and not begun."""
        return next((a for a in self.asks if a.state is AskState.WANTED), None)

    @property
    def started_note(self) -> CreditNote | None:
        """At most one: whether Stripe has it, its list tells."""
        return next((n for n in self.notes if n.state is NoteState.STARTED), None)

    @property
    def open_dispute(self) -> Dispute | None:
        """The one that is to be asked for first."""
        still = (d for d in self.disputes if d.is_open)
        return min(still, key=lambda d: (d.ask_at, d.id), default=None)

    def is_held(self, receipt_id: str) -> bool:
        """Nothing of it is given back while a dispute decides whose it is."""
        return any(d.is_open and d.receipt_id == receipt_id for d in self.disputes)

    @property
    def next_note_n(self) -> int:
        return 1 + max((n.n for n in self.notes), default=0)
