"""Calls about products and prices: what is sold, and for how much."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasPath, Field

from twintill.domain.pace import Urgency
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.marks import OPERATION
from twintill.stripe_billing.shapes import Currency, Id, Metadata, Minor, Ref, Shape, Text, Time

if TYPE_CHECKING:
    from stripe.params import PriceCreateParams, ProductCreateParams

Interval = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class NewProduct:
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class NewPrice:
    """Without an interval it is for one-off items."""

    product_id: str
    currency: str
    unit_amount_minor: int
    interval: Interval | None = None
    interval_count: int = 1
    nickname: str | None = None
    lookup_key: str | None = None


@dataclass(frozen=True)
class Catalog(Connection):
    async def create_product(self, product: NewProduct, op_id: str, key: str) -> "ProductShape":
        params: ProductCreateParams = {"name": product.name, "metadata": {OPERATION: op_id}}
        if product.description:
            params["description"] = product.description
        raw = await self.answer(
            self.client.v1.products.create_async(params, {"idempotency_key": key})
        )
        return self.read(ProductShape, raw)

    async def create_price(self, price: NewPrice, op_id: str, key: str) -> "PriceShape":
        params: PriceCreateParams = {
            "product": price.product_id,
            "currency": price.currency.lower(),
            "unit_amount": price.unit_amount_minor,
            "metadata": {OPERATION: op_id},
        }
        if price.interval is not None:
            params["recurring"] = {
                "interval": price.interval,
                "interval_count": price.interval_count,
            }
        if price.nickname:
            params["nickname"] = price.nickname
        if price.lookup_key:
            params["lookup_key"] = price.lookup_key
        raw = await self.answer(
            self.client.v1.prices.create_async(params, {"idempotency_key": key})
        )
        return self.read(PriceShape, raw)

    async def find_product_by_op(self, op_id: str, since: datetime) -> "ProductShape | None":
        """The one that this operation made, or None: for an answer that was lost."""
        params = {"created": {"gte": int(since.timestamp())}}
        async for raw in self.every(self.client.v1.products.list_async, params):
            seen = self.read(ProductShape, raw)
            if seen.metadata.get(OPERATION) == op_id:
                return seen
        return None

    async def find_price_by_op(
        self, product_id: str, op_id: str, since: datetime
    ) -> "PriceShape | None":
        """The one that this operation made, or None: for an answer that was lost."""
        params = {"product": product_id, "created": {"gte": int(since.timestamp())}}
        async for raw in self.every(self.client.v1.prices.list_async, params):
            seen = self.read(PriceShape, raw)
            if seen.metadata.get(OPERATION) == op_id:
                return seen
        return None

    async def list_products(self, **only: Any) -> tuple[list["ProductShape"], bool]:
        """One page, the newest first, and whether there are more. `only`: as in Stripe's call."""
        params: Any = {name: value for name, value in only.items() if value is not None}
        raw = await self.answer(self.client.v1.products.list_async(params), Urgency.READ)
        page = self.read(_Products, raw)
        return page.data, page.has_more

    async def list_prices(self, **only: Any) -> tuple[list["PriceShape"], bool]:
        """One page, the newest first, and whether there are more. `only`: as in Stripe's call."""
        params: Any = {name: value for name, value in only.items() if value is not None}
        raw = await self.answer(self.client.v1.prices.list_async(params), Urgency.READ)
        page = self.read(_Prices, raw)
        return page.data, page.has_more


class ProductShape(Shape):
    """A product in Stripe's answer."""

    id: Id
    livemode: bool
    name: Text
    description: Text | None = None
    active: bool
    created_at: Time = Field(alias="created")
    metadata: Metadata = Field(default_factory=dict)


class PriceShape(Shape):
    """A price in Stripe's answer; without a unit amount it has tiers."""

    id: Id
    livemode: bool
    product_id: Ref = Field(alias="product")
    currency: Currency
    unit_amount_minor: Minor | None = Field(alias="unit_amount", default=None)
    interval: Text | None = Field(validation_alias=AliasPath("recurring", "interval"), default=None)
    interval_count: int | None = Field(
        validation_alias=AliasPath("recurring", "interval_count"), default=None
    )
    nickname: Text | None = None
    lookup_key: Text | None = None
    active: bool
    created_at: Time = Field(alias="created")
    metadata: Metadata = Field(default_factory=dict)


class _Products(Shape):
    data: list[ProductShape]
    has_more: bool


class _Prices(Shape):
    data: list[PriceShape]
    has_more: bool
