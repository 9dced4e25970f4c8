"""What a change of a subscription is asked with: the same words for its preview and for itself."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from twintill.domain.changing import Prorations
from twintill.stripe_billing.preview import Change, ItemChange
from twintill.web.signup_shapes import Asked, StripeId

_LAST_SECOND = 253_402_300_799  # of the year 9999
Quantity = Annotated[int, Field(ge=0, le=1_000_000)]
Moment = Annotated[int, Field(ge=0, le=_LAST_SECOND)]
CouponId = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ItemParams(Asked):
    """One item of the subscription, or a new one."""

    id: StripeId | None = Field(None, description="si_...; without it a new item is added.")
    price: StripeId | None = Field(None, description="A price of Stripe's.")
    quantity: Quantity | None = Field(None, description="How many of it.")
    deleted: bool = Field(False, description="Take the item away.")


class ChangeParams(Asked):
    """What is to be different; what is not named stays as it is."""

    items: Annotated[list[ItemParams], Field(max_length=20)] = Field(
        default_factory=list, description="Of a subscription with several items, or with new ones."
    )
    price: StripeId | None = Field(
        None, description="Of the one item that the subscription has: another price."
    )
    quantity: Quantity | None = Field(
        None, description="Of the one item that the subscription has: another quantity."
    )
    coupon: CouponId | None = Field(
        None, description="Instead of the discounts that there are; empty: no discount any more."
    )
    trial_end: Moment | Literal["now"] | None = Field(
        None, description="Unix seconds: nothing is charged before; or `now`."
    )
    proration_behavior: Prorations | None = Field(
        None,
        description="What becomes of the paid rest of the period: credited and charged with the "
        "next invoice (`create_prorations`, the default), by an invoice at once "
        "(`always_invoice`), or not at all (`none`).",
    )
    proration_date: Moment | None = Field(
        None,
        description="Unix seconds, within the current period: as if the change were made then. "
        "That of the preview, to be billed what it showed; by default now.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> "ChangeParams":
        if self.items and (self.price is not None or self.quantity is not None):
            raise ValueError("name `items`, or the `price` and `quantity` of the only one")
        return self

    def change(self) -> Change:
        return Change(
            items=tuple(ItemChange(i.id, i.price, i.quantity, i.deleted) for i in self.items),
            coupon=self.coupon,
            trial_end=self.trial_end,
            prorations=self.proration_behavior,
            proration_date=self.proration_date,
        )

    def only_item(self) -> ItemChange | None:
        if self.price is None and self.quantity is None:
            return None
        return ItemChange(price=self.price, quantity=self.quantity)
