"""Calls about invoice items: what waits for a customer's next invoice, or stands on a draft."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import AliasPath, Field

from twintill.domain.pace import Urgency
from twintill.errors import StripeRefused
from twintill.stripe_billing.connection import PAGE, Connection
from twintill.stripe_billing.invoices import RESOURCE_MISSING
from twintill.stripe_billing.marks import DRAFT, OPERATION
from twintill.stripe_billing.shapes import Currency, Id, Metadata, Minor, Ref, Shape, Text, Time

if TYPE_CHECKING:
    from stripe.params import InvoiceItemCreateParams, InvoiceItemUpdateParams


@dataclass(frozen=True, slots=True)
class NewItem:
    """An amount, or a price so many times; without an invoice it waits for the next one."""

    customer_id: str
    currency: str
    invoice_id: str | None = None
    subscription_id: str | None = None
    amount_minor: int | None = None
    price_id: str | None = None
    quantity: int = 1
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """None leaves a field as it is."""

    amount_minor: int | None = None
    price_id: str | None = None
    quantity: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class InvoiceItems(Connection):
    async def create_item(self, item: NewItem, op_id: str, key: str) -> "ItemShape":
        metadata = {OPERATION: op_id}
        params: InvoiceItemCreateParams = {"customer": item.customer_id, "metadata": metadata}
        if item.invoice_id is not None:
            params["invoice"] = item.invoice_id
            metadata[DRAFT] = item.invoice_id
        if item.subscription_id is not None:
            params["subscription"] = item.subscription_id
        if item.price_id is not None:
            params["pricing"] = {"price": item.price_id}
            params["quantity"] = item.quantity
        elif item.amount_minor is not None:
            params["amount"] = item.amount_minor
            params["currency"] = item.currency.lower()
        if item.description:
            params["description"] = item.description
        raw = await self.answer(
            self.client.v1.invoice_items.create_async(params, {"idempotency_key": key})
        )
        return self.read(ItemShape, raw)

    async def find_item_by_op(
        self, customer_id: str, op_id: str, since: datetime
    ) -> "ItemShape | None":
        """The item that this operation made, or None: for an answer that was lost."""
        params = {"customer": customer_id, "created": {"gte": int(since.timestamp())}}
        async for raw in self.every(self.client.v1.invoice_items.list_async, params):
            seen = self.read(ItemShape, raw)
            if seen.metadata.get(OPERATION) == op_id:
                return seen
        return None

    async def read_item(self, item_id: str) -> "ItemShape":
        """A missing one is StripeRefused, resource_missing."""
        return self.read(
            ItemShape, await self.answer(self.client.v1.invoice_items.retrieve_async(item_id))
        )

    async def change_item(self, item_id: str, changes: ItemChanges, key: str) -> "ItemShape":
        """Refused once its invoice is finalized."""
        params: InvoiceItemUpdateParams = {}
        if changes.amount_minor is not None:
            params["amount"] = changes.amount_minor
        if changes.price_id is not None:
            params["pricing"] = {"price": changes.price_id}
        if changes.quantity is not None:
            params["quantity"] = changes.quantity
        if changes.description is not None:
            params["description"] = changes.description
        raw = await self.answer(
            self.client.v1.invoice_items.update_async(item_id, params, {"idempotency_key": key})
        )
        return self.read(ItemShape, raw)

    async def delete_item(self, item_id: str) -> None:
        """Refused once its invoice is finalized. Deletes carry no key: repeated, it is gone."""
        try:
            await self.answer(self.client.v1.invoice_items.delete_async(item_id))
        except StripeRefused as refused:
            if refused.code != RESOURCE_MISSING:
                raise

    async def list_items(
        self,
        *,
        customer_id: str | None = None,
        invoice_id: str | None = None,
        pending: bool | None = None,
        limit: int = PAGE,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> tuple[list["ItemShape"], bool]:
        """One page, the newest first, and whether there are more."""
        asked = {
            "customer": customer_id,
            "invoice": invoice_id,
            "pending": pending,
            "limit": limit,
            "starting_after": starting_after,
            "ending_before": ending_before,
        }
        params: Any = {name: value for name, value in asked.items() if value is not None}
        raw = await self.answer(self.client.v1.invoice_items.list_async(params), Urgency.READ)
        page = self.read(_Page, raw)
        return page.data, page.has_more

    async def list_items_of_draft(self, invoice_id: str) -> list[str]:
        """Ids of those that were made for this draft through us: they go with it."""
        found = [
            self.read(ItemShape, raw)
            async for raw in self.every(
                self.client.v1.invoice_items.list_async, {"invoice": invoice_id}
            )
        ]
        return [item.id for item in found if item.metadata.get(DRAFT) == invoice_id]


class ItemShape(Shape):
    """An invoice item in Stripe's answer."""

    id: Id
    livemode: bool
    customer_id: Ref = Field(alias="customer")
    invoice_id: Ref | None = Field(alias="invoice", default=None)
    subscription_id: Ref | None = Field(
        validation_alias=AliasPath("parent", "subscription_details", "subscription"), default=None
    )
    price_id: Ref | None = Field(
        validation_alias=AliasPath("pricing", "price_details", "price"), default=None
    )
    amount_minor: Minor = Field(alias="amount")
    currency: Currency
    quantity: int
    description: Text | None = None
    proration: bool = False
    created_at: Time = Field(alias="date")
    metadata: Metadata = Field(default_factory=dict)


class _Page(Shape):
    data: list[ItemShape]
    has_more: bool
