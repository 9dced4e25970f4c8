"""Payment methods of a customer: replacing one without a purchase, and removing one.

Replacing is a checkout in which nothing is bought; the method it ends with becomes the default,
payments that wait are tried with it at once, and the former ones go.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill import ids
from twintill.domain.signup import Step
from twintill.errors import BadRequest, ConflictError, NotFoundError, SettingsError
from twintill.flows import checkout, cleaning, default_method, removing
from twintill.flows.means import Means
from twintill.flows.operating import Walk
from twintill.ids import Scope
from twintill.store import checkouts, method_order, methods, mirror, operations
from twintill.store.checkouts import Checkout, NewCheckout, Purpose
from twintill.store.methods import MethodRow

REPLACE = "replace_method"
REMOVE = removing.KIND
_NO_CURRENCY_YET = "USD"


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    customer_id: str
    processor: str
    return_url: str  # where the customer goes afterwards
    cancel_url: str
    currency: str | None = None  # of what will be charged; by default of the last invoice
    charges_due: bool = True  # collect what is open with it at once
    keeps_others: bool = False  # they stay, behind it in the fall-back order


async def replace(
    means: Means, scope: Scope, operation_id: str, request: ReplaceRequest
) -> Checkout:
    """A page on which the customer chooses another method; nothing is charged there by itself.

    Raises BadRequest, NotFoundError for a customer who is not ours.
    """
    try:
        means.processor(request.processor)
    except SettingsError as error:
        raise BadRequest(str(error), code="processor_unknown", param="processor") from None
    checkout_id = ids.new_id("chk")
    async with means.database.begin() as db:
        if not await mirror.customer_is_known(db, scope, request.customer_id):
            raise NotFoundError(f"No such customer: {request.customer_id}", param="customer")
        currency = request.currency or await checkouts.last_currency(db, scope, request.customer_id)
        new = await operations.add(
            db,
            scope,
            operation_id=operation_id,
            kind=REPLACE,
            customer_id=request.customer_id,
            step=Step.CHECKOUT,
            data={"checkout_id": checkout_id, "keeps_others": request.keeps_others},
        )
        if new:
            added = _page(means, operation_id, checkout_id, request, currency or _NO_CURRENCY_YET)
            await checkouts.add(db, scope, added)
        found = await checkouts.of_operation(db, scope, operation_id)
    assert found is not None, "added in the operation's own commit"
    return found


async def remove(
    means: Means, scope: Scope, customer_id: str, method_id: str, *, force: bool
) -> MethodRow:
    """Refused while a subscription that we know of would be left without a method.

    Raises NotFoundError, ConflictError.
    """
    async with means.database.begin() as db:
        method = await methods.read(db, scope, method_id)
        if method.customer_id != customer_id:
            raise NotFoundError(f"No such payment method: {method_id}", param="payment_method")
        live = await mirror.live_subscriptions(db, scope, customer_id)
        if live and not force and await _is_the_last(db, scope, method):
            raise ConflictError(
                f"{len(live)} subscription(s) of this customer are collected with it. Replace it "
                "first, or remove it all the same with ?force=true: then nothing can be "
                "collected from this customer until there is another one.",
                code="payment_method_needed",
                param="payment_method",
            )
        await methods.mark_removing(db, scope, method_id)
        await removing.ask(db, scope, customer_id, method_id)
        return await methods.read(db, scope, method_id)


async def order(
    db: AsyncConnection, scope: Scope, customer_id: str, method_ids: list[str]
) -> list[MethodRow]:
    """In the caller's transaction: the first is the default, the others are tried after it.

    Raises NotFoundError for a method that is not this customer's, BadRequest unless each active one
    is named exactly once.
    """
    if not await mirror.customer_is_known(db, scope, customer_id):
        raise NotFoundError(f"No such customer: {customer_id}", param="customer")
    stored = await method_order.lock_of_customer(db, scope, customer_id)
    known = {method.id for method in stored}
    for method_id in method_ids:
        if method_id not in known:
            raise NotFoundError(f"No such payment method: {method_id}", param="payment_methods")
    active = sorted(method.id for method in stored if method.status == "active")
    if sorted(method_ids) != active:
        raise BadRequest(
            f"Name each active payment method of {customer_id} exactly once: {', '.join(active)}.",
            code="order_incomplete",
            param="payment_methods",
        )
    await method_order.put_in_order(db, scope, customer_id, method_ids)
    await default_method.show(db, scope, customer_id)
    return await methods.list_of_customer(db, scope, customer_id)


async def _is_the_last(db: AsyncConnection, scope: Scope, method: MethodRow) -> bool:
    """Another stored one takes its place: it is tried when this one is not there."""
    stored = await methods.list_of_customer(db, scope, method.customer_id)
    return {m.id for m in stored if m.status == "active"} == {method.id}


def _page(
    means: Means, operation_id: str, checkout_id: str, request: ReplaceRequest, currency: str
) -> NewCheckout:
    return NewCheckout(
        id=checkout_id,
        operation_id=operation_id,
        purpose=Purpose.METHOD,
        customer_id=request.customer_id,
        currency=currency,
        description="Your payment method",
        success_url=request.return_url,
        cancel_url=request.cancel_url,
        processor=request.processor,
        expires_after=means.checkout_expires_after,
        charges_due=request.charges_due,
    )


REPLACE_STEPS: Mapping[str, Walk] = {
    Step.CHECKOUT: checkout.await_customer,
    Step.WRITE_METHOD: checkout.write_method,
    Step.DROP_SETUP: cleaning.drop_setup,
}
REMOVE_STEPS = removing.STEPS
