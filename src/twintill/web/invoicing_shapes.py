"""What making invoices is asked with, and what it answers: shapes as a Stripe user knows them."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from twintill.stripe_billing.invoicing import NewLine
from twintill.web.examples import shown
from twintill.web.shapes import InvoiceShape, Minor, Seconds
from twintill.web.signup_shapes import Asked, StripeId, Text

_LAST_SECOND = 253_402_300_798
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]
Memo = Annotated[str, StringConstraints(max_length=1500, pattern=r"^[^\x00]*$")]
Number = Annotated[str, StringConstraints(max_length=26, pattern=r"^[^\x00]*$")]
Amount = Annotated[int, Field(ge=-99_999_999, le=99_999_999)]
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
Days = Annotated[int, Field(ge=0, le=1825)]
When = Annotated[int, Field(gt=0, le=_LAST_SECOND)]
_AMOUNT = "Minor units, as Stripe counts them; below zero it is a credit. Instead of `price`."
_PRICE = "A price of Stripe's, one-off; it has the amount and the currency. Instead of `amount`."
_QUANTITY = "How many of `price`; an amount is of the whole item."
_TEXT = "What stands on the invoice."
_DAYS = "Due so many days after it is made; 30 where neither is given."
_DUE = "Due then, in Unix seconds; instead of `days_until_due`."
_NUMBER = "Instead of the next one that Stripe gives; it must be unique."


class LineParams(Asked):
    """An amount, or a price so many times."""

    amount: Amount | None = Field(None, description=_AMOUNT)
    price: StripeId | None = Field(None, description=_PRICE)
    quantity: Quantity | None = Field(None, description=_QUANTITY)
    description: Text | None = Field(None, description=_TEXT)

    model_config = shown(amount=4900, description="Setup")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.amount is None) == (self.price is None):
            raise ValueError("give either an amount or a price")
        if self.amount is not None and self.quantity is not None:
            raise ValueError("a quantity goes with a price; an amount is of the whole item")
        return self

    @property
    def line(self) -> NewLine:
        return NewLine(self.description, self.amount, self.price, self.quantity or 1)


class InvoiceParams(Asked):
    """`POST /v1/invoices`."""

    customer: StripeId = Field(
        description="Also one whom Twintill does not know yet, who pays by cheque or wire."
    )
    items: Annotated[list[LineParams], Field(max_length=1000)] = Field(
        default_factory=list, description="At most 250 on an invoice."
    )
    include_pending: bool = Field(
        False, description="With what waits for the customer's next invoice: invoice it now."
    )
    currency: Currency | None = Field(
        None, description="The customer's, unless this is the first that he is billed for."
    )
    days_until_due: Days | None = Field(None, description=_DAYS)
    due_date: When | None = Field(None, description=_DUE)
    memo: Memo | None = Field(None, description="Above the items; Stripe calls it description.")
    footer: Memo | None = Field(None, description="Below everything.")
    number: Number | None = Field(None, description=_NUMBER)
    automatic_tax: bool = Field(False, description="Stripe computes it from the address.")
    finalize: bool = Field(
        True, description="false: it stays a draft until `POST /v1/invoices/{invoice}/finalize`."
    )

    model_config = shown(
        customer="cus_QXg1o8vcGmoR32",
        items=[{"amount": 4900, "description": "Setup"}],
        currency="eur",
        days_until_due=14,
        memo="Thank you for your order",
    )

    @model_validator(mode="after")
    def _due_once(self) -> Self:
        _require_one(self.days_until_due, self.due_date)
        return self


class DraftParams(Asked):
    """`PATCH /v1/invoices/{invoice}`: what is not given stays; an empty text takes it away."""

    days_until_due: Days | None = Field(None, description=_DAYS)
    due_date: When | None = Field(None, description=_DUE)
    memo: Memo | None = Field(None, description="Above the items; Stripe calls it description.")
    footer: Memo | None = Field(None, description="Below everything.")
    number: Number | None = Field(None, description=_NUMBER)
    automatic_tax: bool | None = Field(
        None, description="Stripe computes it from the customer's address."
    )

    model_config = shown(days_until_due=30, memo="As agreed")

    @model_validator(mode="after")
    def _due_once(self) -> Self:
        _require_one(self.days_until_due, self.due_date)
        return self


class ReasonParams(Asked):
    """Kept with what was done, for whoever asks later."""

    why: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")] | None = Field(
        None, description="For the invoice's story."
    )

    model_config = shown(why="Ordered by mistake")


class MadeInvoiceShape(InvoiceShape):
    """The invoice as Stripe answered a moment ago, with what is told only then."""

    memo: str | None
    footer: str | None
    note: str | None = Field(
        description="What the finalization did to the customer's balance: of a total below zero "
        "Stripe makes a credit, and a very small one goes onto the next invoice."
    )


class ItemParams(LineParams):
    """`POST /v1/invoice_items`: without an invoice it waits for the customer's next one."""

    customer: StripeId | None = Field(None, description="Not needed with an invoice.")
    invoice: StripeId | None = Field(None, description="A draft to put it on.")
    subscription: StripeId | None = Field(
        None, description="It waits for this subscription's next invoice alone."
    )
    currency: Currency | None = Field(
        None, description="The customer's, unless this is the first that he is billed for."
    )

    model_config = shown(
        customer="cus_QXg1o8vcGmoR32", amount=-500, currency="eur", description="Discount"
    )

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if self.customer is None and self.invoice is None:
            raise ValueError("give a customer, or the draft that it goes on")
        return self


class ItemChangeParams(Asked):
    """`PATCH /v1/invoice_items/{invoice_item}`: what is not given stays."""

    amount: Amount | None = Field(None, description=_AMOUNT)
    price: StripeId | None = Field(None, description=_PRICE)
    quantity: Quantity | None = Field(None, description=_QUANTITY)
    description: Text | None = Field(None, description=_TEXT)

    model_config = shown(amount=-900)

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.amount is not None and (self.price is not None or self.quantity is not None):
            raise ValueError("give an amount, or a price and a quantity")
        return self


class InvoiceItemShape(BaseModel):
    """One amount that waits for an invoice, or stands on one."""

    id: str
    object: Literal["invoice_item"] = "invoice_item"
    livemode: bool
    customer: str
    invoice: str | None = Field(description="null: it waits for the next one.")
    subscription: str | None
    price: str | None
    amount: Minor
    currency: str
    quantity: int
    description: str | None
    proration: bool
    created: Seconds

    model_config = shown(
        id="ii_1PgafmB7WZ01zgkWq2Xn8Tsa",
        livemode=False,
        customer="cus_QXg1o8vcGmoR32",
        invoice=None,
        subscription=None,
        price=None,
        amount=-500,
        currency="eur",
        quantity=1,
        description="Discount",
        proration=False,
        created=1795252800,
    )


class RemovedItemShape(BaseModel):
    """It is gone."""

    id: str
    object: Literal["invoice_item"] = "invoice_item"
    deleted: Literal[True] = True

    model_config = shown(id="ii_1PgafmB7WZ01zgkWq2Xn8Tsa")


class PrefixParams(Asked):
    """`PUT /v1/customers/{customer}/invoice_prefix`."""

    invoice_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,12}$")] = Field(
        description="3 to 12 upper-case letters or digits; no two customers have the same."
    )

    model_config = shown(invoice_prefix="ACME")


class PrefixShape(BaseModel):
    """What the numbers of the customer's next invoices begin with."""

    object: Literal["invoice_prefix"] = "invoice_prefix"
    customer: str
    invoice_prefix: str

    model_config = shown(customer="cus_QXg1o8vcGmoR32", invoice_prefix="ACME")


def due_at(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _require_one(days: int | None, due_date: int | None) -> None:
    if days is not None and due_date is not None:
        raise ValueError("give days_until_due or due_date, not both")
