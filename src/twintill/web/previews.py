"""POST /v1/invoices/preview: what the next invoice would be, as it is or if something changed."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from twintill.flows import previewing
from twintill.flows.previewing import Previewed
from twintill.stripe_billing.preview import PreviewLine, WhatIf
from twintill.web import examples
from twintill.web.api import Reader, api_router
from twintill.web.change_shapes import ChangeParams
from twintill.web.doors import TheMeans
from twintill.web.pagination import seconds
from twintill.web.shapes import Minor, Seconds
from twintill.web.signup_shapes import StripeId

router = api_router("invoices")


class PreviewParams(ChangeParams):
    """Of a subscription, or of a new one for a customer."""

    subscription: StripeId | None = Field(None, description="Whose next invoice.")
    customer: StripeId | None = Field(
        None,
        description="With `items` (or `price`): the first invoice of a new subscription of his. "
        "Without: whatever he is billed next.",
    )
    cancel: Literal["now", "period_end"] | None = Field(
        None,
        description="As if it were cancelled: what would still be billed, or given back. `now` "
        "credits the unused time, unless `proration_behavior` is `none`.",
    )

    model_config = examples.shown(
        subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
        price="price_1Pgaf2B7WZ01zgkWyearly00",
        coupon="SPRING25",
        proration_behavior="always_invoice",
    )

    @model_validator(mode="after")
    def _of_what(self) -> "PreviewParams":
        if (self.subscription is None) == (self.customer is None):
            raise ValueError("name a subscription, or a customer")
        if self.subscription is None and self.cancel is not None:
            raise ValueError("`cancel` is of a subscription that there is")
        return self


class PreviewLineShape(BaseModel):
    """One line; `amount` is before discounts and before tax that comes on top."""

    description: str | None
    amount: Minor
    discount: Minor = Field(description="What is taken off it.")
    quantity: int | None
    price: str | None
    period_start: Seconds
    period_end: Seconds
    proration: bool = Field(description="Of a part of a period, because something changed.")

    model_config = examples.shown(
        description="Unused time on 1 × Pro",
        amount=-2450,
        discount=0,
        quantity=1,
        price="price_1Pgaf2B7WZ01zgkWmonthly0",
        period_start=1796548800,
        period_end=1797844800,
        proration=True,
    )


class PreviewDiscountShape(BaseModel):
    """What one coupon takes off the invoice."""

    coupon: str
    amount: Minor

    model_config = examples.shown(coupon="SPRING25", amount=12000)


class PreviewShape(BaseModel):
    """An invoice that does not exist."""

    object: Literal["invoice_preview"] = "invoice_preview"
    livemode: bool
    customer: str | None
    subscription: str | None
    currency: str
    lines: list[PreviewLineShape]
    has_more_lines: bool = Field(description="There are more lines than Stripe shows here.")
    subtotal: Minor
    discounts: list[PreviewDiscountShape]
    tax: Minor = Field(description="All of it.")
    tax_included: Minor = Field(description="The part of it that is inside the prices.")
    total: Minor = Field(description="Below zero: it becomes credit of the customer.")
    starting_balance: Minor = Field(
        description="The customer's balance before: below zero he has credit."
    )
    amount_due: Minor = Field(description="What would be collected: `total` and the balance.")
    created: Seconds = Field(description="When Stripe would make it.")
    collected_at: Seconds | None = Field(
        description="When Stripe would finalize it, so that it is collected; as far as it says."
    )
    due_date: Seconds | None
    proration_date: Seconds = Field(description="Give it to the change, to be billed the same.")

    model_config = examples.shown(
        livemode=False,
        customer="cus_QXg1o8vcGmoR32",
        subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
        currency="eur",
        has_more_lines=False,
        subtotal=45550,
        tax=6375,
        tax_included=0,
        total=39925,
        starting_balance=0,
        amount_due=39925,
        created=1796548800,
        collected_at=1796552400,
        due_date=1799140800,
        proration_date=1796548800,
    )


@router.post("/v1/invoices/preview", summary="Preview the next invoice")
async def preview(params: PreviewParams, means: TheMeans, caller: Reader) -> PreviewShape:
    """Nothing is created or changed. With `proration_date` of the answer the change itself
    (`POST /v1/subscriptions/{subscription}/change`) comes to the same amounts.

    What Stripe refuses is 400 `stripe_refused` with its own `stripe_code`:
    `invoice_upcoming_none` where nothing would be billed, `resource_missing` for what it does not
    know. Twintill's own cancellation gives nothing back by proration: `cancel` with
    `proration_behavior=none` shows what it would leave to be billed.
    """
    what = WhatIf(params.change(), params.subscription, params.customer, params.cancel)
    previewed = await previewing.preview(means, what, params.only_item())
    return _shape(previewed, params.subscription, livemode=caller.scope.livemode)


def _shape(previewed: Previewed, subscription: str | None, *, livemode: bool) -> PreviewShape:
    its = previewed.preview
    return PreviewShape(
        livemode=livemode,
        customer=its.customer_id,
        subscription=subscription,
        currency=its.currency.lower(),
        lines=[_line(line) for line in its.lines],
        has_more_lines=its.has_more_lines,
        subtotal=its.subtotal_minor,
        discounts=[PreviewDiscountShape(coupon=c, amount=off) for c, off in its.discounts],
        tax=its.tax_minor,
        tax_included=its.tax_included_minor,
        total=its.total_minor,
        starting_balance=its.starting_balance_minor,
        amount_due=its.amount_due_minor,
        created=seconds(its.created_at) or 0,
        collected_at=seconds(its.finalized_at),
        due_date=seconds(its.due_at),
        proration_date=previewed.proration_date,
    )


def _line(line: PreviewLine) -> PreviewLineShape:
    return PreviewLineShape(
        description=line.description,
        amount=line.amount_minor,
        discount=line.discount_minor,
        quantity=line.quantity,
        price=line.price,
        period_start=seconds(line.period_start) or 0,
        period_end=seconds(line.period_end) or 0,
        proration=line.proration,
    )
