"""Stripe's JSON as we read it: only what we use, in our words, new and pre-basil shapes alike.

Unknown fields and unknown values of enumerations never fail; an id may be an expanded object.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from twintill.domain.invoice import InvoiceStatus
from twintill.stripe_billing.marks import OPERATION

_LAST_SECOND = 253_402_300_799  # of the year 9999


def id_of(value: Any) -> Any:
    """Every id of Stripe's may come as the expanded object."""
    return value.get("id") if isinstance(value, dict) else value


def _time_of(value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise ValueError("not a time in whole seconds")
    return datetime.fromtimestamp(value, UTC)


# PostgreSQL takes no NUL in a text; a correctly signed one must not become an endless 500.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,255}$")]
Ref = Annotated[Id, BeforeValidator(id_of)]
Time = Annotated[datetime, BeforeValidator(_time_of)]
Minor = Annotated[int, Field(ge=-(2**53), le=2**53)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)]
Metadata = Annotated[dict[str, Text], BeforeValidator(lambda value: {} if value is None else value)]


class Shape(BaseModel):
    """Strict in types (a number is no text), open in everything else."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class InvoiceShape(Shape):
    """An invoice as an event or an answer shows it."""

    id: Id
    livemode: bool
    status: Text | None = None  # Stripe's word; see `known_status`
    currency: Currency
    amount_due_minor: Minor = Field(alias="amount_due")
    amount_paid_minor: Minor = Field(alias="amount_paid")
    amount_remaining_minor: Minor = Field(alias="amount_remaining")
    total_minor: Minor = Field(alias="total", default=0)
    pre_payment_credit_minor: Minor = Field(alias="pre_payment_credit_notes_amount", default=0)
    post_payment_credit_minor: Minor = Field(alias="post_payment_credit_notes_amount", default=0)
    collection_method: Text | None = None
    billing_reason: Text | None = None
    number: Text | None = None
    created_at: Time | None = Field(alias="created", default=None)
    finalized_at: Time | None = Field(
        validation_alias=AliasPath("status_transitions", "finalized_at"), default=None
    )
    due_at: Time | None = Field(alias="due_date", default=None)
    auto_advance: bool | None = None
    finalization_error: Text | None = Field(
        validation_alias=AliasPath("last_finalization_error", "code"), default=None
    )
    customer_id: Ref | None = Field(alias="customer", default=None)
    subscription_id: Ref | None = Field(
        validation_alias=AliasChoices(
            AliasPath("parent", "subscription_details", "subscription"), "subscription"
        ),
        default=None,
    )
    # The sign-up that made the subscription: its metadata's copy on the invoice.
    operation_id: Text | None = Field(
        validation_alias=AliasChoices(
            AliasPath("parent", "subscription_details", "metadata", OPERATION),
            AliasPath("subscription_details", "metadata", OPERATION),
        ),
        default=None,
    )
    metadata: Metadata = Field(default_factory=dict)

    @property
    def known_status(self) -> InvoiceStatus | None:
        """None for a status that this version does not know: read, then leave it to a person."""
        return InvoiceStatus(self.status) if self.status in _STATUSES else None


_STATUSES = frozenset(InvoiceStatus)


class SubscriptionShape(Shape):
    """A subscription as an event or an answer shows it."""

    id: Id
    livemode: bool
    status: Text
    customer_id: Ref | None = Field(alias="customer", default=None)
    collection_method: Text | None = None
    days_until_due: int | None = None
    ended_at: Time | None = None
    canceled_at: Time | None = None
    cancel_at: Time | None = None
    cancel_at_period_end: bool = False
    latest_invoice_id: Ref | None = Field(alias="latest_invoice", default=None)
    default_payment_method_id: Ref | None = Field(alias="default_payment_method", default=None)
    tax_disabled_because: Text | None = Field(
        validation_alias=AliasPath("automatic_tax", "disabled_reason"), default=None
    )
    metadata: Metadata = Field(default_factory=dict)


class CustomerShape(Shape):
    """A customer: ids, terms and metadata; names and addresses stay with Stripe."""

    id: Id
    livemode: bool | None = None  # absent from the stub of a deleted customer
    deleted: bool = False
    currency: Currency | None = None
    invoice_prefix: Text | None = None
    metadata: Metadata = Field(default_factory=dict)


def complaint(error: ValidationError) -> str:
    """What does not fit, without the values: they may be personal data."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where or 'body'}: {first['msg']}{more}"
