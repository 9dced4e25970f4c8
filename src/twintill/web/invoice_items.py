"""/v1/invoice_items: what waits for a customer's next invoice, or stands on a draft."""

from typing import Annotated, Any

from fastapi import Path, Query, status
from starlette.requests import Request

from twintill.flows import asking_invoicing as flow
from twintill.flows.asking_invoicing import AskedItem
from twintill.flows.itemizing import item_shown
from twintill.stripe_billing.invoice_items import ItemChanges
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.invoice_making import asker
from twintill.web.invoicing_shapes import (
    InvoiceItemShape,
    ItemChangeParams,
    ItemParams,
    RemovedItemShape,
)
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds_of

router = api_router("invoices")
_ALL = "/v1/invoice_items"
_ONE = "/v1/invoice_items/{invoice_item}"
_Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]


@router.post(_ALL, status_code=status.HTTP_201_CREATED, summary="Add an invoice item")
async def add(params: ItemParams, doors: TheDoors, caller: Collector) -> InvoiceItemShape:
    """Positive or negative. On a draft; or for the customer's next invoice: that of a renewal, of
    his first subscription, or `POST /v1/invoices` with `include_pending`.

    At most 250 stand on an invoice (400, `too_many_items`), in one currency per customer (400,
    `currency_differs`).
    """
    item = AskedItem(
        params.customer, params.invoice, params.subscription, params.line, params.currency
    )
    ended = await flow.add_item(asker(doors, caller), item)
    return _shape(ended.made)


@router.get(_ALL, summary="List invoice items")
async def list_all(
    request: Request,
    means: TheMeans,
    _: Reader,
    page: ThePage,
    customer: Annotated[str | None, only("Of this customer.")] = None,
    invoice: Annotated[str | None, only("On this invoice.")] = None,
    pending: Annotated[
        bool | None, Query(description="true: those that wait; false: those on an invoice.")
    ] = None,
) -> ListShape[InvoiceItemShape]:
    """Newest first, as Stripe shows them now."""
    found, more = await means.stripe.list_items(
        customer_id=customer or None,
        invoice_id=invoice or None,
        pending=pending,
        limit=page.limit,
        starting_after=page.starting_after,
        ending_before=page.ending_before,
    )
    return as_list(request, [_shape(item_shown(item)) for item in found], has_more=more)


@router.patch(_ONE, summary="Change an invoice item")
async def change(
    invoice_item: _Id, params: ItemChangeParams, doors: TheDoors, caller: Collector
) -> InvoiceItemShape:
    """While it waits, or its invoice is a draft; afterwards Stripe refuses it."""
    changes = ItemChanges(params.amount, params.price, params.quantity, params.description)
    ended = await flow.change_item(asker(doors, caller), invoice_item, changes)
    return _shape(ended.made)


@router.delete(_ONE, summary="Remove an invoice item")
async def remove(invoice_item: _Id, doors: TheDoors, caller: Collector) -> RemovedItemShape:
    """While it waits, or its invoice is a draft; afterwards Stripe refuses it."""
    await flow.remove_item(asker(doors, caller), invoice_item)
    return RemovedItemShape(id=invoice_item)


def _shape(item: Any) -> InvoiceItemShape:
    return InvoiceItemShape(
        id=item["id"],
        livemode=item["livemode"],
        customer=item["customer_id"],
        invoice=item["invoice_id"],
        subscription=item["subscription_id"],
        price=item["price_id"],
        amount=item["amount_minor"],
        currency=item["currency"].lower(),
        quantity=item["quantity"],
        description=item["description"],
        proration=item["proration"],
        created=seconds_of(item["created_at"]),
    )
