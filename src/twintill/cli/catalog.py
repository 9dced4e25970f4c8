"""`twintill products` and `twintill prices`: what is sold, and for how much; Stripe keeps them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twintill.cli.amounts import read_amount
from twintill.cli.invoice_asking import Key, ask_for
from twintill.money import Money

if TYPE_CHECKING:
    from twintill.flows.means import Means

products = typer.Typer(no_args_is_help=True, help="Products: what is sold.")
prices = typer.Typer(no_args_is_help=True, help="Prices: what it costs, and how often.")
_Limit = Annotated[int, typer.Option(min=1, max=100, help="How many at most.")]


class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@products.command("create")
def create_product(
    name: Annotated[str, typer.Argument(help="As customers read it.")],
    description: Annotated[str | None, typer.Option(help="More about it.")] = None,
    key: Key = None,
) -> None:
    """Make a product; then give it a price with `twintill prices create`.

    Example: `twintill products create "Gold Special"`
    """
    from twintill.flows.asking_invoicing import make_product
    from twintill.stripe_billing.catalog import NewProduct

    product = NewProduct(name, description)
    ended, _ = ask_for(lambda asker: make_product(asker, product), key=key)
    print(ended.made["id"])


@products.command("list")
def list_products(limit: _Limit = 20) -> None:
    """Products, newest first, as Stripe shows them now.

    Example: `twintill products list`
    """
    from twintill.cli.asking import ask_means
    from twintill.cli.tables import show

    async def read(means: "Means") -> list[Any]:
        return (await means.stripe.list_products(limit=limit))[0]

    rows = [(p.id, p.name, "" if p.active else "archived", p.created_at) for p in ask_means(read)]
    show(("product id", "name", "", "created"), rows)


@prices.command("create")
def create_price(
    product_id: Annotated[str, typer.Argument(metavar="PRODUCT", help="prod_...")],
    amount: Annotated[str, typer.Argument(help="Of one of it, as 10.00USD.")],
    every: Annotated[
        Interval | None, typer.Option(help="For subscriptions; without it, for one-off items.")
    ] = None,
    nickname: Annotated[str | None, typer.Option(help="For you.")] = None,
    lookup_key: Annotated[str | None, typer.Option(help="A name of your own.")] = None,
    key: Key = None,
) -> None:
    """Make a price of a product: one-off, or for subscriptions.

    Examples:

    `twintill prices create prod_QXg1o8 10.00USD`

    `twintill prices create prod_QXg1o8 10.00USD --every month`
    """
    from twintill.flows.asking_invoicing import make_price
    from twintill.stripe_billing.catalog import NewPrice

    money = read_amount(amount, "amount")
    price = NewPrice(
        product_id,
        money.currency,
        money.minor,
        every.value if every else None,
        nickname=nickname,
        lookup_key=lookup_key,
    )
    ended, _ = ask_for(lambda asker: make_price(asker, price), key=key)
    print(ended.made["id"])


@prices.command("list")
def list_prices(
    product: Annotated[str | None, typer.Option(metavar="prod_...")] = None, limit: _Limit = 20
) -> None:
    """Prices, newest first, as Stripe shows them now.

    Example: `twintill prices list --product prod_QXg1o8`
    """
    from twintill.cli.asking import ask_means
    from twintill.cli.tables import show

    async def read(means: "Means") -> list[Any]:
        return (await means.stripe.list_prices(product=product, limit=limit))[0]

    rows = [_price(price) for price in ask_means(read)]
    show(("price id", "product id", "amount", "every", "nickname", ""), rows)


def _price(price: Any) -> tuple[object, ...]:
    amount = price.unit_amount_minor
    every = price.interval
    if price.interval_count not in (None, 1):
        every = f"{price.interval_count} {price.interval}s"
    return (
        price.id,
        price.product_id,
        None if amount is None else Money(amount, price.currency),
        every,
        price.nickname,
        "" if price.active else "archived",
    )
