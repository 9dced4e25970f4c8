"""Money by hand and a customer's credit, as the API takes and shows them."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from twintill.store.evidence import Filed
from twintill.store.hand_payments import Credit, Recorded
from twintill.web.examples import shown
from twintill.web.pagination import seconds
from twintill.web.shapes import Minor, Seconds
from twintill.web.signup_shapes import Asked, StripeId, Text

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00\r\n]+$")]
Why = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
Amount = Annotated[int, Field(gt=0, le=10**12)]
_AMOUNT = "Minor units, as Stripe counts them."
_KIND = "How it came."


class HandPaymentParams(Asked):
    """`POST /v1/invoices/{invoice}/hand_payments`."""

    kind: Literal["cheque", "cash", "bank_transfer", "other"] = Field(description=_KIND)
    amount: Amount = Field(description=f"{_AMOUNT} Less or more than is due is taken as well.")
    currency: Currency = Field(description="The invoice's.")
    received_on: date = Field(description="The day on which you had it, as 2026-11-20.")
    reference: Line = Field(
        description="What it is found by: the cheque's number, the receipt's. Once for an invoice."
    )
    note: Text | None = Field(None, description="For whoever reads it later.")
    as_credit: bool = Field(
        False,
        description="Take it although Stripe shows the invoice as paid by somebody else: it came "
        "on top, and is the customer's credit.",
    )

    model_config = shown(
        kind="cheque",
        amount=4900,
        currency="eur",
        received_on="2026-11-20",
        reference="cheque 000123",
    )


class TakeBackParams(Asked):
    """Undoing or correcting."""

    why: Why = Field(description="Kept with it.")

    model_config = shown(why="The cheque was returned unpaid")


class ApplyParams(Asked):
    """`POST /v1/customers/{customer}/credit/apply`."""

    invoice: StripeId = Field(description="Of the same customer, in the same currency.")
    currency: Currency = Field(description="Of the credit.")
    amount: Amount | None = Field(
        None, description=f"{_AMOUNT} None: as much as the invoice asks for, or as there is."
    )
    why: Why = Field("applied", description="Kept with it.")

    model_config = shown(invoice="in_1PgbgnB7WZ01zgkWq3Xn8Tsa", currency="eur", amount=1100)


class PayOutParams(Asked):
    """`POST /v1/customers/{customer}/credit/pay_out`."""

    currency: Currency = Field(description="Of the credit.")
    amount: Amount | None = Field(None, description=f"{_AMOUNT} None: all that there is.")
    reference: Line = Field(description="Of that payment to the customer, in your own books.")
    why: Why = Field(description="Kept with it.")

    model_config = shown(
        currency="eur", amount=1100, reference="SEPA 2026-11-20/0042", why="He asked for it"
    )


class EvidenceShape(BaseModel):
    """A file that proves it."""

    object: Literal["evidence"] = "evidence"
    name: str
    content_type: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of the bytes as they were given, in hex.")
    added_by: str
    added_at: Seconds

    model_config = shown(
        name="cheque.pdf",
        content_type="application/pdf",
        size=48213,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        added_by="api:back office",
        added_at=1795252900,
    )


class HandPaymentShape(BaseModel):
    """Money that a person has recorded."""

    id: str
    object: Literal["hand_payment"] = "hand_payment"
    invoice: str
    payment: str
    customer: str
    kind: str = Field(description="cheque, cash, bank_transfer, other; credit: see `source`.")
    amount: Minor
    currency: str
    received_on: date
    reference: str
    note: str | None
    state: str = Field(
        description="waiting (for a charge that is out, or a person), applied (to its invoice), "
        "credit (the invoice took nothing of it), undone (before Stripe was told), or corrected "
        "(after it)"
    )
    credit: Minor = Field(description="What of it the customer has left.")
    used: Minor = Field(description="What of its rest was put on other invoices.")
    paid_out: Minor = Field(description="What of its rest was paid out to the customer.")
    source: str | None = Field(description="Whose rest this is, if it is credit.")
    recorded_by: str
    recorded_at: Seconds
    taken_back_why: str | None
    taken_back_by: str | None
    taken_back_at: Seconds | None
    evidence: list[EvidenceShape]

    model_config = shown(
        id="hp_4Yk9n2bT7xQz1LmN8vRc3WpD",
        invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
        payment="pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
        customer="cus_QXg1o8vcGmoR32",
        kind="cheque",
        amount=4900,
        currency="eur",
        received_on="2026-11-20",
        reference="cheque 000123",
        note=None,
        state="applied",
        credit=0,
        used=0,
        paid_out=0,
        source=None,
        recorded_by="api:back office",
        recorded_at=1795252830,
        taken_back_why=None,
        taken_back_by=None,
        taken_back_at=None,
    )


class BalanceShape(BaseModel):
    """In one currency."""

    currency: str
    available: Minor
    waiting: Minor = Field(description="Kept for its own invoice until a charge there has an end.")

    model_config = shown(currency="eur", available=1100, waiting=0)


class CreditShape(BaseModel):
    """What a customer has left of money by hand."""

    object: Literal["customer_credit"] = "customer_credit"
    customer: str
    balances: list[BalanceShape]
    hand_payments: list[HandPaymentShape] = Field(description="That it is of, the oldest first.")

    model_config = shown(customer="cus_QXg1o8vcGmoR32")


class PaidOutShape(BaseModel):
    """Credit that was paid out to the customer."""

    object: Literal["credit_paid_out"] = "credit_paid_out"
    customer: str
    amount: Minor
    currency: str
    reference: str

    model_config = shown(
        customer="cus_QXg1o8vcGmoR32",
        amount=1100,
        currency="eur",
        reference="SEPA 2026-11-20/0042",
    )


def hand_shape(of: Recorded, files: Iterable[Filed] = ()) -> HandPaymentShape:
    """`files`: of any; its own are taken."""
    hand = of.hand
    return HandPaymentShape(
        id=hand.id,
        invoice=of.invoice_id,
        payment=of.payment_id,
        customer=of.customer_id,
        kind=hand.kind,
        amount=hand.amount_minor,
        currency=hand.currency.lower(),
        received_on=hand.received_on,
        reference=hand.reference,
        note=hand.note,
        state=hand.state,
        credit=hand.free_minor,
        used=hand.moved_minor,
        paid_out=hand.paid_out_minor,
        source=hand.source_id,
        recorded_by=hand.recorded_by,
        recorded_at=seconds(hand.recorded_at) or 0,
        taken_back_why=hand.taken_back_why,
        taken_back_by=hand.taken_back_by,
        taken_back_at=seconds(hand.taken_back_at),
        evidence=[evidence_shape(f) for f in files if f.hand_payment_id == hand.id],
    )


def evidence_shape(filed: Filed) -> EvidenceShape:
    return EvidenceShape(
        name=filed.name,
        content_type=filed.content_type,
        size=filed.size_bytes,
        sha256=filed.sha256,
        added_by=filed.added_by,
        added_at=seconds(filed.added_at) or 0,
    )


def balance_shape(credit: Credit) -> BalanceShape:
    return BalanceShape(
        currency=credit.currency.lower(),
        available=credit.free_minor,
        waiting=credit.waiting_minor,
    )
