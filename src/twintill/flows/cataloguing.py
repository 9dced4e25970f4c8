"""Products, prices and number prefixes that somebody asks for: one call each, found again."""

from collections.abc import Mapping
from typing import Any

from twintill.domain.invoicing import Step
from twintill.errors import StripeRefused
from twintill.flows.invoicing import asked, fail, note, stripes
from twintill.flows.making_invoices import EARLIER
from twintill.flows.operating import Operating, Walk
from twintill.stripe_billing.catalog import NewPrice, NewProduct, PriceShape, ProductShape


async def product(operating: Operating) -> Operating | None:
    try:
        made = await _product(operating)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    await _done(operating, made)
    return None


async def price(operating: Operating) -> Operating | None:
    try:
        made = await _price(operating)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    await _done(operating, made)
    return None


async def prefix(operating: Operating) -> Operating | None:
    """Of the numbers of the customer's next invoices."""
    values, operating = asked(operating), await operating.with_good_key()
    try:
        customer = await operating.means.stripe.write_invoice_prefix(
            values["customer_id"], values["prefix"], operating.key
        )
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    async with operating.means.database.begin() as db:
        await note(db, operating, "prefix_set", None, prefix=values["prefix"])
        await operating.end(db, Step.DONE, made={"invoice_prefix": customer.invoice_prefix})
    return None


async def _product(operating: Operating) -> ProductShape:
    stripe = operating.means.stripe
    if operating.key_is_doubtful:
        since = operating.operation.created_at - EARLIER
        found = await stripe.find_product_by_op(operating.id, since)
        if found is not None:
            return found
        operating = await operating.with_next_key()
    wanted = NewProduct(**asked(operating)["product"])
    return await stripe.create_product(wanted, operating.id, operating.key)


async def _price(operating: Operating) -> PriceShape:
    stripe, wanted = operating.means.stripe, NewPrice(**asked(operating)["price"])
    if operating.key_is_doubtful:
        since = operating.operation.created_at - EARLIER
        found = await stripe.find_price_by_op(wanted.product_id, operating.id, since)
        if found is not None:
            return found
        operating = await operating.with_next_key()
    return await stripe.create_price(wanted, operating.id, operating.key)


async def _done(operating: Operating, made: ProductShape | PriceShape) -> None:
    async with operating.means.database.begin() as db:
        shown: dict[str, Any] = made.model_dump(mode="json", exclude={"metadata"})
        await operating.end(db, Step.DONE, made=shown)


STEPS: Mapping[str, Walk] = {Step.PRODUCT: product, Step.PRICE: price, Step.PREFIX: prefix}
