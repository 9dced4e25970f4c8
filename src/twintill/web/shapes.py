"""What the API answers: shapes that a Stripe user feels at home with.

Amounts are minor units beside a lower-case `currency`, times are unix seconds, ids have prefixes.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from twintill.web import examples

Seconds = Annotated[int, Field(description="Unix seconds.")]
Minor = Annotated[int, Field(description="Minor units of `currency`, as Stripe counts them.")]


class PaymentStub(BaseModel):
    """Of an invoice: how its collecting stands."""

    id: str
    state: str
    reason: str | None
    needs_person: str | None

    model_config = examples.PAYMENT_STUB


class InvoiceShape(BaseModel):
    """Stripe's invoice as last seen; Stripe remains the source of truth."""

    id: str
    object: Literal["invoice"] = "invoice"
    livemode: bool
    customer: str
    subscription: str | None
    number: str | None
    status: str
    collection_method: str
    billing_reason: str | None
    currency: str
    amount_due: Minor
    amount_paid: Minor
    amount_remaining: Minor
    total: Minor | None = Field(description="Before what credit and balance took off; if seen.")
    due_date: Seconds | None
    finalized_at: Seconds | None
    created: Seconds
    seen: Seconds = Field(description="When Stripe last told us.")
    stale: bool = Field(description="An event disagreed; Stripe is about to be asked again.")
    payment: PaymentStub | None

    model_config = examples.INVOICE


class PaymentShape(BaseModel):
    """Our collecting of one invoice."""

    id: str
    object: Literal["payment"] = "payment"
    livemode: bool
    invoice: str
    customer: str
    currency: str
    state: str = Field(
        description="waiting, charging, pending, collected, reported, exhausted, canceled, "
        "stranded or refunded"
    )
    reason: str | None = Field(description="Why it is in this state; for people.")
    needs_person: str | None = Field(description="Set when it is parked: what has to be decided.")
    collected: Minor
    reported: Minor = Field(description="What Stripe was told, less what credit notes took off.")
    stranded: Minor
    refunded: Minor
    limit: Minor | None = Field(description="The most that the customer agreed to, if asked.")
    due_date: Seconds | None
    next_look_at: Seconds | None = Field(description="When Twintill acts on it next.")
    created: Seconds
    ended_at: Seconds | None

    model_config = examples.PAYMENT


class AttemptShape(BaseModel):
    """One request to one processor under one idempotency key."""

    id: str
    object: Literal["payment_attempt"] = "payment_attempt"
    kind: str
    n: int
    payment_method: str | None
    processor: str
    processor_account: str
    amount: Minor
    currency: str
    reference: str
    outcome: str
    finality: str | None
    processor_payment: str | None
    decline_kind: str | None
    code: str | None
    detail: str | None
    action_url: str | None
    sendings: int
    asked: int
    first_sent_at: Seconds
    answered_at: Seconds | None
    expected_at: Seconds | None

    model_config = examples.ATTEMPT


class ReceiptShape(BaseModel):
    """Money that reached us."""

    id: str
    object: Literal["receipt"] = "receipt"
    source: str
    attempt: str | None
    processor_account: str | None
    currency: str
    finality: str
    collected: Minor
    reported: Minor
    stranded: Minor
    refunded: Minor
    settled: Minor = Field(description="What the processor's own report shows of it.")
    failed: bool
    collected_at: Seconds

    model_config = examples.RECEIPT


class HistoryShape(BaseModel):
    """One fact, and what it changed."""

    seq: int
    at: Seconds
    fact: str
    detail: dict[str, Any]
    state_before: str
    state_after: str
    reason_after: str | None
    attempt: str | None
    actor: str

    model_config = examples.HISTORY


class PostingShape(BaseModel):
    """One signed leg: debits positive, credits negative."""

    account: str
    currency: str
    amount: Minor
    receipt: str | None

    model_config = examples.POSTING


class LedgerTransactionShape(BaseModel):
    """A balanced set of postings."""

    id: str
    object: Literal["ledger_transaction"] = "ledger_transaction"
    kind: str
    cause: str
    at: Seconds
    postings: list[PostingShape]

    model_config = examples.LEDGER_TRANSACTION


class MethodTriesShape(BaseModel):
    """One payment method, as far as this payment is concerned."""

    payment_method: str
    tries: int = Field(description="Declined tries of this payment.")
    tries_allowed: int
    may_be_charged_at: Seconds | None = Field(description="None: never again, for this payment.")
    reason: str = Field(description="Why then, or why never; for people.")

    model_config = examples.METHOD_TRIES


class DunningShape(BaseModel):
    """What dunning's rules say at this moment."""

    next_try_at: Seconds | None = Field(description="When it is charged next, if Stripe agrees.")
    next_payment_method: str | None
    reason: str | None = Field(description="Why it waits until then, or why nothing follows.")
    last_try_before: Seconds | None = Field(
        description="Nothing is tried again after it: the invoice is nearly due, or Stripe about "
        "to end the subscription."
    )
    when_exhausted: str
    methods: list[MethodTriesShape] = Field(description="In the order in which they are tried.")

    model_config = examples.DUNNING


class FollowOnShape(BaseModel):
    """A one-off invoice that collects what this one could not."""

    id: str = Field(description="The operation that makes it.")
    object: Literal["follow_on"] = "follow_on"
    why: str = Field(description="failed_late: the debit was returned; rest: of a partial payment.")
    amount: Minor
    currency: str
    invoice: str | None = Field(description="In Stripe, as soon as it is made.")
    payment: str | None
    needs_person: str | None

    model_config = examples.FOLLOW_ON


class CreditNoteShape(BaseModel):
    """A credit note about the payment's invoice, ours or somebody else's."""

    id: str | None = Field(description="Stripe's; None: not made yet.")
    object: Literal["credit_note"] = "credit_note"
    purpose: str = Field(description="given_back, rest or foreign (not made by Twintill)")
    state: str = Field(description="started, made or refused")
    amount: Minor
    out_of_band_amount: Minor = Field(description="How much of it lowers what was reported.")
    detail: str | None = Field(description="Why Stripe refused it.")
    created: Seconds

    model_config = examples.CREDIT_NOTE


class RefundShape(BaseModel):
    """A refund that somebody asked for."""

    id: str
    object: Literal["refund"] = "refund"
    livemode: bool
    payment: str
    amount: Minor
    currency: str
    state: str = Field(
        description="wanted (not sent yet), under_way, done (the processor gave it back; Stripe's "
        "credit note follows), or refused (by the processor, or because Stripe would not credit it)"
    )
    why: str
    asked_by: str
    processor_refund: str | None
    outcome: str | None = Field(description="Of the request to the processor.")
    detail: str | None
    created: Seconds

    model_config = examples.REFUND


class DisputeShape(BaseModel):
    """A customer's claim to money of a payment, at his bank or the processor."""

    model_config = examples.DISPUTE
    id: str
    object: Literal["dispute"] = "dispute"
    livemode: bool
    payment: str
    receipt: str
    processor: str
    processor_dispute: str
    amount: Minor
    currency: str
    stage: str = Field(description="opened, under_review, won, lost or accepted")
    withheld: bool = Field(description="Whether the processor has taken the amount.")
    fee: Minor = Field(description="What it has cost so far, whoever wins.")
    reason: str | None
    created: Seconds


class WholePaymentShape(PaymentShape):
    """A payment with everything that happened to it, oldest first."""

    refunds: list[RefundShape]
    credit_notes: list[CreditNoteShape]
    disputes: list[DisputeShape]

    attempts: list[AttemptShape]
    receipts: list[ReceiptShape]
    history: list[HistoryShape]
    ledger: list[LedgerTransactionShape]
    dunning: DunningShape
    continues: str | None = Field(description="The payment whose rest, or whose failure, it is.")
    followed_by: list[FollowOnShape]
