"""/v1/customers: those whom we collect from, and their payment methods."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request

from twintill.flows import methods as flow
from twintill.flows.methods import ReplaceRequest
from twintill.ids import Scope
from twintill.store import checkouts as pages_of_checkouts
from twintill.store import clock, methods
from twintill.store import customer_pages as pages
from twintill.store.methods import MethodRow
from twintill.web import checkouts
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, seconds
from twintill.web.signup_shapes import (
    CheckoutShape,
    CustomerShape,
    MethodParams,
    OrderParams,
    PaymentMethodShape,
)
from twintill.web.signups import only_processor

router = api_router("customers")
_METHODS = "/v1/customers/{customer}/payment_methods"


@router.get("/v1/customers", summary="List customers")
async def list_all(
    request: Request, means: TheMeans, caller: Reader, page: ThePage, created: CreatedRange
) -> ListShape[CustomerShape]:
    """Newest first; only those that we collect from."""
    async with means.database.connect() as db:
        rows, more = await pages.list_customers(db, caller.scope, page, created)
        ids = [row.customer_id for row in rows]
        defaults = await pages.defaults_of(db, caller.scope, ids)
        live = await pages.subscriptions_of(db, caller.scope, ids)
    shown = [
        _customer(row, defaults.get(row.customer_id), live.get(row.customer_id, [])) for row in rows
    ]
    return as_list(request, shown, has_more=more)


@router.get("/v1/customers/{customer}", summary="One customer")
async def get_one(customer: str, means: TheMeans, caller: Reader) -> CustomerShape:
    """With the default payment method and the subscriptions that have not ended."""
    async with means.database.connect() as db:
        row = await pages.read_customer(db, caller.scope, customer)
        defaults = await pages.defaults_of(db, caller.scope, [customer])
        live = await pages.subscriptions_of(db, caller.scope, [customer])
    return _customer(row, defaults.get(customer), live.get(customer, []))


@router.get(_METHODS, summary="List a customer's payment methods")
async def list_methods(
    request: Request, customer: str, means: TheMeans, caller: Reader
) -> ListShape[PaymentMethodShape]:
    """In the order in which they are tried, the default first. Removed ones are not listed."""
    async with means.database.connect() as db:
        await pages.read_customer(db, caller.scope, customer)
        found = await methods.list_of_customer(db, caller.scope, customer)
        soon = await clock.now(db) + means.policy.expiry_notice
    shown = [_method(caller.scope, one, soon) for one in found]
    return as_list(request, shown, has_more=False)


@router.post(_METHODS, status_code=201, summary="Replace a customer's payment method")
async def replace(
    customer: str, params: MethodParams, doors: TheDoors, caller: Collector
) -> CheckoutShape:
    """Send the customer to `url`: what is chosen there becomes the default, and the former one
    is removed. Nothing is bought there. What is open of the customer's invoices is collected with
    it at once and stands in `due`, and on the page; with `charge_due: false` it is not.
    """
    means = doors.means
    request = ReplaceRequest(
        customer_id=customer,
        processor=only_processor(means, params.processor),
        return_url=params.return_url,
        cancel_url=params.cancel_url or params.return_url,
        currency=params.currency,
        charges_due=params.charge_due,
        keeps_others=params.keep_others,
    )
    its = await flow.replace(means, caller.scope, caller.new_id("op"), request)
    doors.waker.ring()
    async with means.database.connect() as db:
        due = await pages_of_checkouts.due(db, caller.scope, its)
    return checkouts.shape(means, caller.scope, its, due)


@router.put(_METHODS + "/order", summary="Put a customer's payment methods in order")
async def order(
    request: Request, customer: str, params: OrderParams, doors: TheDoors, caller: Collector
) -> ListShape[PaymentMethodShape]:
    """The first becomes the default; the others are tried after it, when it cannot be charged.

    Holds from the next charge on; what is out is not touched. Safe to repeat. Refused unless each
    active method is named exactly once (400, `order_incomplete`).
    """
    means = doors.means
    async with means.database.begin() as db:
        found = await flow.order(db, caller.scope, customer, params.payment_methods)
        soon = await clock.now(db) + means.policy.expiry_notice
    doors.waker.ring()
    shown = [_method(caller.scope, one, soon) for one in found]
    return as_list(request, shown, has_more=False)


@router.delete(_METHODS + "/{method}", summary="Remove a payment method")
async def remove(
    customer: str,
    method: str,
    doors: TheDoors,
    caller: Collector,
    *,
    force: Annotated[
        bool, Query(description="Also when live subscriptions are collected with it.")
    ] = False,
) -> PaymentMethodShape:
    """No charge begins with it from now on; it is `removed` when it is gone at the processor too.

    Refused (409, `payment_method_needed`) while it is the only one of a customer with live
    subscriptions, unless forced.
    """
    means = doors.means
    row = await flow.remove(means, caller.scope, customer, method, force=force)
    doors.waker.ring()
    async with means.database.connect() as db:
        soon = await clock.now(db) + means.policy.expiry_notice
    return _method(caller.scope, row, soon)


def _customer(row: Any, default: str | None, live: list[str]) -> CustomerShape:
    return CustomerShape(
        id=row.customer_id,
        livemode=row.livemode,
        default_payment_method=default,
        subscriptions=live,
        deleted=row.deleted_at is not None,
        created=seconds(row.created_at) or 0,
    )


def _method(scope: Scope, row: MethodRow, soon: datetime) -> PaymentMethodShape:
    return PaymentMethodShape(
        id=row.id,
        livemode=scope.livemode,
        customer=row.customer_id,
        processor=row.processor,
        processor_account=row.processor_account_id,
        type=row.kind,
        display=dict(row.display),
        status=row.status,
        default=row.is_default and row.status == "active",
        expires_at=seconds(row.expires_at),
        expiring=row.expires_at is not None and row.expires_at <= soon,
        created=seconds(row.created_at) or 0,
        removed_at=seconds(row.removed_at),
    )
