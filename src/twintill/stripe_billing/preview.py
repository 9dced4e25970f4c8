"""Calls that show what a change of a subscription would bill, and the one that makes the change.

Stripe prorates by the second: both take the same `proration_date`, and come to the same amounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pydantic import AliasChoices, AliasPath, Field

from twintill.domain.changing import Prorations
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.shapes import Currency, Id, Metadata, Minor, Ref, Shape, Text, Time

if TYPE_CHECKING:
    from stripe.params import InvoiceCreatePreviewParams, SubscriptionUpdateParams


@dataclass(frozen=True, slots=True)
class ItemChange:
    """Of one item (`id`), or a new one; None: as it is."""

    id: str | None = None
    price: str | None = None
    quantity: int | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different; None: as it is.

    `coupon`: instead of the discounts that there are; empty: none. `trial_end`: unix seconds, or
    "now". `proration_date`: unix seconds.
    """

    items: tuple[ItemChange, ...] = ()
    coupon: str | None = None
    trial_end: int | str | None = None
    prorations: Prorations | None = None
    proration_date: int | None = None

    @property
    def prorates(self) -> bool:
        """Whether a date of proration means something."""
        moves = bool(self.items) or self.trial_end is not None
        return moves and self.prorations is not Prorations.NONE


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Which invoice: the next one of a subscription, or the first one of a new one.

    `cancel`: "now" or "period_end".
    """

    change: Change
    subscription_id: str | None = None
    customer_id: str | None = None
    cancel: str | None = None


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """Amounts in minor units; `discount_minor` is taken off, `proration`: of a part of a period."""

    description: str | None
    amount_minor: int
    discount_minor: int
    quantity: int | None
    price: str | None
    period_start: datetime
    period_end: datetime
    proration: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """An invoice that does not exist. Amounts in minor units.

    total = subtotal - discounts + tax that is not in the prices; `starting_balance_minor` below
    zero: the customer has credit.
    """

    customer_id: str | None
    currency: str
    lines: tuple[PreviewLine, ...]
    has_more_lines: bool
    subtotal_minor: int
    discounts: tuple[tuple[str, int], ...]  # coupon, amount
    tax_minor: int
    tax_included_minor: int
    total_minor: int
    starting_balance_minor: int
    amount_due_minor: int
    created_at: datetime  # when Stripe would make it
    finalized_at: datetime | None  # when it would be collected, as far as Stripe says
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Changeable:
    """A subscription as a change of it finds it: items are (id, price, quantity)."""

    id: str
    customer_id: str | None
    status: str
    items: tuple[tuple[str, str, int | None], ...]
    changed_by: str | None  # our operation that changed it last
    latest_invoice_id: str | None


@dataclass(frozen=True)
class Previews(Connection):
    async def preview(self, what: WhatIf) -> Preview:
        """Nothing is created; where nothing would be billed: refused, `invoice_upcoming_none`."""
        call = self.client.v1.invoices.create_preview_async(_preview_params(what))
        return _preview(self.read(_Preview, await self.answer(call)))

    async def read_changeable(self, subscription_id: str) -> Changeable:
        raw = await self.answer(self.client.v1.subscriptions.retrieve_async(subscription_id))
        return _changeable(self.read(_Changeable, raw))

    async def change_subscription(
        self, subscription_id: str, change: Change, op_id: str, key: str
    ) -> Changeable:
        """The mark stays on the subscription, so that the change is found after a lost answer."""
        params = {**_changed(change), **_discounts(change), "metadata": {marks.CHANGED: op_id}}
        call = self.client.v1.subscriptions.update_async(
            subscription_id, cast("SubscriptionUpdateParams", params), {"idempotency_key": key}
        )
        return _changeable(self.read(_Changeable, await self.answer(call)))


def _preview_params(what: WhatIf) -> "InvoiceCreatePreviewParams":
    params: dict[str, Any] = {"expand": ["total_discount_amounts.discount"]}
    params |= _discounts(what.change)
    details = _changed(what.change, at_all=what.subscription_id is not None)
    if what.cancel is not None:
        details["cancel_now" if what.cancel == "now" else "cancel_at_period_end"] = True
    if details:
        params["subscription_details"] = details
    if what.subscription_id is not None:
        params["subscription"] = what.subscription_id
    if what.customer_id is not None:
        params["customer"] = what.customer_id
    return cast("InvoiceCreatePreviewParams", params)


def _changed(change: Change, *, at_all: bool = True) -> dict[str, Any]:
    """`at_all`: of a subscription that there is; only there something can be prorated."""
    params: dict[str, Any] = {}
    if change.items:
        params["items"] = [_item(item) for item in change.items]
    if change.trial_end is not None:
        params["trial_end"] = change.trial_end
    if at_all and change.prorations is not None:
        params["proration_behavior"] = change.prorations.value
    if at_all and change.prorates and change.proration_date is not None:
        params["proration_date"] = change.proration_date
    return params


def _item(item: ItemChange) -> dict[str, Any]:
    given = {"id": item.id, "price": item.price, "quantity": item.quantity}
    told: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return {**told, "deleted": True} if item.deleted else told


def _discounts(change: Change) -> Mapping[str, Any]:
    if change.coupon is None:
        return {}
    return {"discounts": [{"coupon": change.coupon}] if change.coupon else ""}


def _preview(seen: "_Preview") -> Preview:
    inside = sum(tax.amount_minor for tax in seen.total_taxes if tax.behavior == "inclusive")
    return Preview(
        customer_id=seen.customer_id,
        currency=seen.currency,
        lines=tuple(_line(line) for line in seen.lines.data),
        has_more_lines=seen.lines.has_more,
        subtotal_minor=seen.subtotal_minor,
        discounts=tuple((d.coupon or "?", d.amount_minor) for d in seen.discounts or ()),
        tax_minor=sum(tax.amount_minor for tax in seen.total_taxes),
        tax_included_minor=inside,
        total_minor=seen.total_minor,
        starting_balance_minor=seen.starting_balance_minor,
        amount_due_minor=seen.amount_due_minor,
        created_at=seen.created_at,
        finalized_at=seen.finalizes_at or seen.next_payment_attempt,
        due_at=seen.due_at,
    )


def _line(line: "_Line") -> PreviewLine:
    return PreviewLine(
        description=line.description,
        amount_minor=line.amount_minor,
        discount_minor=sum(d.amount_minor for d in line.discounts or ()),
        quantity=line.quantity,
        price=line.price,
        period_start=line.period_start,
        period_end=line.period_end,
        proration=line.proration,
    )


def _changeable(seen: "_Changeable") -> Changeable:
    return Changeable(
        id=seen.id,
        customer_id=seen.customer_id,
        status=seen.status,
        items=tuple((item.id, item.price, item.quantity) for item in seen.items),
        changed_by=seen.metadata.get(marks.CHANGED) or None,
        latest_invoice_id=seen.latest_invoice_id,
    )


class _Off(Shape):
    amount_minor: Minor = Field(alias="amount")
    # Expanded, the discount says which coupon it is of; before basil the coupon itself stood in it.
    coupon: Ref | None = Field(
        validation_alias=AliasChoices(
            AliasPath("discount", "source", "coupon"), AliasPath("discount", "coupon")
        ),
        default=None,
    )


class _Tax(Shape):
    amount_minor: Minor = Field(alias="amount")
    behavior: Text | None = Field(alias="tax_behavior", default=None)


class _Line(Shape):
    description: Text | None = None
    amount_minor: Minor = Field(alias="amount")
    discounts: list[_Off] | None = Field(alias="discount_amounts", default=None)
    quantity: int | None = None
    price: Ref | None = Field(
        validation_alias=AliasChoices(AliasPath("pricing", "price_details", "price"), "price"),
        default=None,
    )
    period_start: Time = Field(validation_alias=AliasPath("period", "start"))
    period_end: Time = Field(validation_alias=AliasPath("period", "end"))
    proration: bool = Field(
        validation_alias=AliasChoices(
            AliasPath("parent", "subscription_item_details", "proration"),
            AliasPath("parent", "invoice_item_details", "proration"),
            "proration",
        ),
        default=False,
    )


class _Lines(Shape):
    data: list[_Line]
    has_more: bool = False


class _Preview(Shape):
    livemode: bool
    customer_id: Ref | None = Field(alias="customer", default=None)
    currency: Currency
    lines: _Lines
    subtotal_minor: Minor = Field(alias="subtotal")
    discounts: list[_Off] | None = Field(alias="total_discount_amounts", default=None)
    total_taxes: list[_Tax] = Field(default_factory=list)
    total_minor: Minor = Field(alias="total")
    starting_balance_minor: Minor = Field(alias="starting_balance", default=0)
    amount_due_minor: Minor = Field(alias="amount_due")
    created_at: Time = Field(alias="created")
    finalizes_at: Time | None = Field(alias="automatically_finalizes_at", default=None)
    next_payment_attempt: Time | None = None
    due_at: Time | None = Field(alias="due_date", default=None)


class _Item(Shape):
    id: Id
    price: Ref
    quantity: int | None = None


class _Changeable(Shape):
    id: Id
    livemode: bool
    status: Text
    customer_id: Ref | None = Field(alias="customer", default=None)
    items: list[_Item] = Field(validation_alias=AliasPath("items", "data"))
    latest_invoice_id: Ref | None = Field(alias="latest_invoice", default=None)
    metadata: Metadata = Field(default_factory=dict)
