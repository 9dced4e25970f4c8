"""What signing up is asked with, and what it answers: shapes as a Stripe user knows them."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from twintill.web import examples
from twintill.web.shapes import Minor, Seconds

_LONGEST_URL = 2000


def _safe_url(url: str) -> str:
    """A link on our page: never one that runs something."""
    if not url.startswith(("https://", "http://")) or not url.isprintable() or " " in url:
        raise ValueError("must be an address that begins with https:// (or http://)")
    return url


Url = Annotated[str, StringConstraints(max_length=_LONGEST_URL), AfterValidator(_safe_url)]
# PostgreSQL takes no NUL in a text, and nobody means one.
Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
StripeId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]
# Stripe's own limits: 50 keys, of which ours need some.
Metadata = Annotated[
    dict[Annotated[str, StringConstraints(min_length=1, max_length=40)], Text],
    Field(max_length=40),
]


class Asked(BaseModel):
    """A name that we do not know is refused: it may be a typing error that costs money."""

    model_config = ConfigDict(extra="forbid")


class AddressParams(Asked):
    country: Annotated[str, StringConstraints(max_length=2)] = Field(
        description="Two letters, as in ISO 3166: DE."
    )
    postal_code: Text = Field("", description="US: five digits. Needed where tax depends on it.")
    line1: Text = Field("", description="Street and number.")
    city: Text = Field("", description="City or town.")
    state: Text = Field("", description="State or province; Canada: two letters.")


class NewCustomer(Asked):
    """A customer that is made in Stripe, or `id` of one that is there."""

    id: StripeId | None = Field(None, description="A customer of Stripe's, as he is there.")
    email: (
        Annotated[str, StringConstraints(max_length=512, pattern=r"^[^@\s]+@[^@\s]+$")] | None
    ) = Field(None, description="Kept by Stripe alone.")
    name: Text | None = Field(None, description="Kept by Stripe alone.")
    address: AddressParams | None = Field(
        None, description="The billing address, for tax: a place that Stripe does not know is 400."
    )
    ip_address: Annotated[str, StringConstraints(max_length=45)] | None = Field(
        None, description="The customer's, for tax where there is no address."
    )
    metadata: Metadata = Field(default_factory=dict, description="Of the customer in Stripe.")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "NewCustomer":
        its_own = self.email or self.name or self.metadata or self.address or self.ip_address
        if self.id is not None and its_own:
            raise ValueError("give the id of an existing customer, or what a new one is made of")
        return self


class Item(Asked):
    price: StripeId = Field(description="A price of Stripe's.")
    quantity: Annotated[int, Field(ge=1, le=1_000_000, description="How many of it.")] = 1


class SignupParams(Asked):
    """`POST /v1/signups`."""

    customer: NewCustomer = Field(
        default_factory=NewCustomer, description="Who buys: a new one, or by `id` one of Stripe's."
    )
    items: Annotated[list[Item], Field(min_length=1, max_length=20)] = Field(
        description="What is bought: prices of one interval and currency."
    )
    success_url: Url = Field(description="Where the customer goes when it is done.")
    cancel_url: Url = Field(description="Where the customer goes who leaves the checkout.")
    days_until_due: Annotated[
        int,
        Field(
            ge=1,
            le=365,
            description="When Stripe counts an invoice as overdue: long enough for all retries.",
        ),
    ] = 30
    processor: Annotated[
        str | None, Field(max_length=40, description="Needed where several are configured.")
    ] = None
    metadata: Metadata = Field(default_factory=dict, description="Of the subscription.")
    trial_period_days: Annotated[int, Field(ge=1, le=730)] | None = Field(
        None, description="Nothing is charged before they are over."
    )
    trial_end: Annotated[int, Field(gt=0, le=2**40)] | None = Field(
        None, description="Unix seconds; instead of `trial_period_days`. Nothing is charged before."
    )
    automatic_tax: bool = Field(False, description="Let Stripe Tax compute the tax.")
    description: Text | None = Field(None, description="What is bought, for the checkout page.")

    @model_validator(mode="after")
    def _one_end_of_the_trial(self) -> "SignupParams":
        if self.trial_period_days is not None and self.trial_end is not None:
            raise ValueError("give trial_period_days or trial_end, not both")
        return self

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer": {"email": "ada@example.com"},
                    "items": [{"price": "price_1Pro", "quantity": 1}],
                    "success_url": "https://app.example/welcome",
                    "cancel_url": "https://app.example/pricing",
                    "description": "Pro plan, monthly",
                    "metadata": {"user": "7"},
                }
            ]
        },
    )


class CompleteParams(Asked):
    """`POST /v1/checkouts/{id}/complete`, for an app with a page of its own."""

    setup_session: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="The processor's set-up that your own page has gone through."
    )
    address: AddressParams | None = Field(None, description="The billing address, for tax.")
    ip_address: Annotated[str, StringConstraints(max_length=45)] | None = Field(
        None, description="The customer's, for tax."
    )

    model_config = examples.COMPLETE_PARAMS


class MethodParams(Asked):
    """`POST /v1/customers/{id}/payment_methods`."""

    return_url: Url = Field(description="Where the customer goes afterwards.")
    cancel_url: Url | None = Field(None, description="Where without a choice; else `return_url`.")
    processor: Annotated[
        str | None, Field(max_length=40, description="Needed where several are configured.")
    ] = None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{3}$", to_upper=True)] | None = (
        Field(None, description="Of what will be charged; by default of the newest invoice.")
    )
    charge_due: bool = Field(
        True,
        description="Collect the customer's open invoices with it at once (they stand in `due`). "
        "False: nothing is charged by it; what waits keeps its time.",
    )
    keep_others: bool = Field(
        False,
        description="The methods that are stored already stay, behind it in the fall-back order; "
        "else they are removed.",
    )

    model_config = examples.METHOD_PARAMS


class OrderParams(Asked):
    """`PUT /v1/customers/{id}/payment_methods/order`."""

    payment_methods: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=255)]],
        Field(min_length=1, max_length=100, description="Each active one, the default first."),
    ]

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"payment_methods": ["pm_9b1c", "pm_04fe"]}]},
    )


class FirstInvoiceShape(BaseModel):
    id: str
    amount_due: Minor = Field(description="As shown to the customer; final once `final` is set.")
    currency: str
    final: Minor | None = Field(description="What Stripe asks for since the invoice is final.")

    model_config = examples.FIRST_INVOICE


class CheckoutStub(BaseModel):
    id: str
    url: str = Field(description="Send the customer here.")
    expires_at: Seconds

    model_config = examples.CHECKOUT_STUB


class SignupShape(BaseModel):
    """A sign-up: give access when `state` is active, and not before."""

    id: str
    object: Literal["signup"] = "signup"
    livemode: bool
    created: Seconds
    state: str = Field(
        description="creating, checkout_open, collecting, action_required, active, expired, failed"
    )
    access_granted_at: Seconds | None
    customer: str | None
    subscription: str | None
    first_invoice: FirstInvoiceShape | None
    checkout: CheckoutStub | None
    payment: str | None
    metadata: dict[str, str]
    failure: str | None = Field(description="Why it failed, or what it cannot go on without.")

    model_config = examples.SIGNUP


class DueShape(BaseModel):
    """An open invoice that a new payment method is charged for at once, as last seen."""

    payment: str
    invoice: str
    number: str | None
    amount: Minor
    currency: str


class CheckoutShape(BaseModel):
    """A page on which a customer chooses how to pay."""

    id: str
    object: Literal["checkout"] = "checkout"
    livemode: bool
    purpose: str = Field(description="signup, or method: a new payment method and no purchase")
    state: str = Field(description="open, completing, confirming, complete or expired")
    url: str
    customer: str
    signup: str | None
    subscription: str | None
    invoice: str | None
    payment: str | None
    payment_method: str | None
    currency: str
    amount_shown: Minor
    amount_final: Minor | None
    amount_agreed: Minor | None
    processor: str
    problem: str | None
    due: list[DueShape] = Field(
        default_factory=list,
        description="For a new payment method: what is collected with it at once.",
    )
    expires_at: Seconds
    completed_at: Seconds | None

    model_config = examples.CHECKOUT


class PaymentMethodShape(BaseModel):
    """What a customer chose at a processor; the token never leaves the database."""

    id: str
    object: Literal["payment_method"] = "payment_method"
    livemode: bool
    customer: str
    processor: str
    processor_account: str
    type: str
    display: dict[str, str] = Field(description="For people: brand, last4, bank, ...")
    status: str = Field(description="active, removing, removed, or revoked by the customer's side")
    default: bool
    expires_at: Seconds | None = Field(description="The moment after its last day, where known.")
    expiring: bool = Field(description="It expires soon, or has expired (setting expiry_notice).")
    created: Seconds
    removed_at: Seconds | None

    model_config = examples.PAYMENT_METHOD


class CustomerShape(BaseModel):
    """A Stripe customer that we collect from; names and addresses stay with Stripe."""

    id: str
    object: Literal["customer"] = "customer"
    livemode: bool
    default_payment_method: str | None
    subscriptions: list[str] = Field(description="Those that have not ended.")
    deleted: bool
    created: Seconds

    model_config = examples.CUSTOMER
