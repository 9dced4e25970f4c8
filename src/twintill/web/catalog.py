"""/v1/products and /v1/prices: what is sold, and for how much; Stripe keeps them."""

from typing import Annotated, Any, Literal, Self

from fastapi import Query, status
from pydantic import BaseModel, Field, StringConstraints, model_validator
from starlette.requests import Request

from twintill.flows import asking_invoicing as flow
from twintill.stripe_billing.catalog import NewPrice, NewProduct
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.examples import shown
from twintill.web.invoice_making import asker
from twintill.web.invoicing_shapes import Currency
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds_of
from twintill.web.shapes import Minor, Seconds
from twintill.web.signup_shapes import Asked, StripeId, Text

router = api_router("catalog")
_Name = Annotated[
    str, StringConstraints(min_length=1, max_length=250, pattern=r"^[^\x00]*\S[^\x00]*$")
]
_Short = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
_Active = Annotated[bool | None, Query(description="Whether it can still be bought.")]


class ProductParams(Asked):
    """`POST /v1/products`."""

    name: _Name = Field(description="As customers read it.")
    description: Text | None = Field(None, description="More about it.")

    model_config = shown(name="Gold Special")


class PriceParams(Asked):
    """`POST /v1/prices`: with an interval for subscriptions, without one for invoice items."""

    product: StripeId = Field(description="What is sold.")
    currency: Currency = Field(description="Three letters.")
    unit_amount: Annotated[int, Field(ge=0, le=99_999_999)] = Field(
        description="Of one of it, in minor units."
    )
    interval: Literal["day", "week", "month", "year"] | None = Field(
        None, description="How often it is billed; without one, once."
    )
    interval_count: Annotated[int, Field(ge=1, le=1095)] | None = Field(
        None, description="Every so many intervals; 1 where it is not given."
    )
    nickname: _Short | None = Field(None, description="For you; customers do not see it.")
    lookup_key: _Short | None = Field(None, description="A name of your own to find it by.")

    model_config = shown(product="prod_QXg1o8vcGmoR32", currency="usd", unit_amount=1000)

    @model_validator(mode="after")
    def _count_of_something(self) -> Self:
        if self.interval_count is not None and self.interval is None:
            raise ValueError("interval_count needs an interval")
        return self


class ProductShape(BaseModel):
    """What is sold."""

    id: str
    object: Literal["product"] = "product"
    livemode: bool
    name: str
    description: str | None
    active: bool
    created: Seconds

    model_config = shown(
        id="prod_QXg1o8vcGmoR32",
        livemode=False,
        name="Gold Special",
        description=None,
        active=True,
        created=1795252800,
    )


class PriceShape(BaseModel):
    """What it costs, and how often."""

    id: str
    object: Literal["price"] = "price"
    livemode: bool
    product: str
    currency: str
    unit_amount: Minor | None = Field(description="null: it has tiers, or fractions.")
    interval: str | None = Field(description="null: for one-off items.")
    interval_count: int | None
    nickname: str | None
    lookup_key: str | None
    active: bool
    created: Seconds

    model_config = shown(
        id="price_1PgafmB7WZ01zgkW",
        livemode=False,
        product="prod_QXg1o8vcGmoR32",
        currency="usd",
        unit_amount=1000,
        interval=None,
        interval_count=None,
        nickname=None,
        lookup_key=None,
        active=True,
        created=1795252800,
    )


@router.post("/v1/products", status_code=status.HTTP_201_CREATED, summary="Make a product")
async def make_product(params: ProductParams, doors: TheDoors, caller: Collector) -> ProductShape:
    """In Stripe; its prices say what it costs."""
    wanted = NewProduct(params.name, params.description)
    return _product((await flow.make_product(asker(doors, caller), wanted)).made)


@router.get("/v1/products", summary="List products")
async def list_products(
    request: Request, means: TheMeans, _: Reader, page: ThePage, *, active: _Active = None
) -> ListShape[ProductShape]:
    """Newest first, as Stripe shows them now."""
    found, more = await means.stripe.list_products(
        active=active,
        limit=page.limit,
        starting_after=page.starting_after,
        ending_before=page.ending_before,
    )
    shapes = [_product(one.model_dump(mode="json")) for one in found]
    return as_list(request, shapes, has_more=more)


@router.post("/v1/prices", status_code=status.HTTP_201_CREATED, summary="Make a price")
async def make_price(params: PriceParams, doors: TheDoors, caller: Collector) -> PriceShape:
    """Of a product. A price never changes its amount: make another one.

    An amount that Stripe cannot bill is refused (400, `amount_invalid`): ISK and UGX in whole
    units, three-decimal currencies with a last digit of 0.
    """
    wanted = NewPrice(
        product_id=params.product,
        currency=params.currency,
        unit_amount_minor=params.unit_amount,
        interval=params.interval,
        interval_count=params.interval_count or 1,
        nickname=params.nickname,
        lookup_key=params.lookup_key,
    )
    return _price((await flow.make_price(asker(doors, caller), wanted)).made)


@router.get("/v1/prices", summary="List prices")
async def list_prices(
    request: Request,
    means: TheMeans,
    _: Reader,
    page: ThePage,
    product: Annotated[str | None, only("Of this product.")] = None,
    *,
    active: _Active = None,
) -> ListShape[PriceShape]:
    """Newest first, as Stripe shows them now."""
    found, more = await means.stripe.list_prices(
        product=product or None,
        active=active,
        limit=page.limit,
        starting_after=page.starting_after,
        ending_before=page.ending_before,
    )
    shapes = [_price(one.model_dump(mode="json")) for one in found]
    return as_list(request, shapes, has_more=more)


def _product(made: Any) -> ProductShape:
    return ProductShape(
        id=made["id"],
        livemode=made["livemode"],
        name=made["name"],
        description=made["description"],
        active=made["active"],
        created=seconds_of(made["created_at"]),
    )


def _price(made: Any) -> PriceShape:
    return PriceShape(
        id=made["id"],
        livemode=made["livemode"],
        product=made["product_id"],
        currency=made["currency"].lower(),
        unit_amount=made["unit_amount_minor"],
        interval=made["interval"],
        interval_count=made["interval_count"],
        nickname=made["nickname"],
        lookup_key=made["lookup_key"],
        active=made["active"],
        created=seconds_of(made["created_at"]),
    )
