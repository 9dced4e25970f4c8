"""Calls about customers: created once, told where they are, and where their token is kept."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.shapes import CustomerShape

if TYPE_CHECKING:
    from stripe.params import (
        CustomerCreateParams,
        CustomerCreateParamsAddress,
        CustomerUpdateParams,
        CustomerUpdateParamsAddress,
    )

ADDRESS_FIELDS = frozenset(("city", "country", "line1", "line2", "postal_code", "state"))


@dataclass(frozen=True, slots=True)
class CustomerLook:
    """One readable answer of Stripe about one customer."""

    id: str
    deleted: bool
    processor_customer_id: str | None  # as Stripe's guide has them in the metadata
    processor_payment_method_id: str | None
    op_id: str | None  # the operation of ours that created it
    currency: str | None = (
        None  # of the first thing that he was billed for, and of all that follows
    )
    invoice_prefix: str | None = None


@dataclass(frozen=True)
class Customers(Connection):
    async def create_customer(
        self,
        email: str | None,
        name: str | None,
        metadata: Mapping[str, str],
        op_id: str,
        key: str,
        *,
        address: Mapping[str, str] | None = None,
        ip: str | None = None,
    ) -> str:
        """The new customer's id; the same key within a day answers with the same one.

        A place that Stripe does not know is refused at once, `customer_tax_location_invalid`.
        """
        params: CustomerCreateParams = {"metadata": {**metadata, marks.OPERATION: op_id}}
        if email:
            params["email"] = email
        if name:
            params["name"] = name
        if address or ip:
            params["tax"] = {"validate_location": "immediately"}
        if address:
            params["address"] = typing.cast("CustomerCreateParamsAddress", dict(address))
        if ip:
            params["tax"]["ip_address"] = ip
        raw = await self.answer(
            self.client.v1.customers.create_async(params, {"idempotency_key": key})
        )
        return self.read(CustomerShape, raw).id

    async def read_customer(self, customer_id: str) -> CustomerLook:
        """A deleted one can still be read; one that never was is StripeRefused."""
        raw = await self.answer(self.client.v1.customers.retrieve_async(customer_id))
        return _look_at(self.read(CustomerShape, raw))

    async def write_location(
        self, customer_id: str, address: Mapping[str, str] | None, ip: str | None
    ) -> None:
        """Where the customer is, for tax; a bad address is refused at once, by a readable code."""
        unknown = set(address or ()) - ADDRESS_FIELDS
        if unknown or not (address or ip):
            raise ValueError(f"an address of {sorted(ADDRESS_FIELDS)} or an IP, not {unknown}")
        params: CustomerUpdateParams = {"tax": {}}
        if address:
            params["address"] = typing.cast("CustomerUpdateParamsAddress", dict(address))
            # `customer_tax_location_invalid` now, at the checkout, not at the finalization.
            params["tax"]["validate_location"] = "immediately"
        if ip:
            params["tax"]["ip_address"] = ip
        await self.answer(self.client.v1.customers.update_async(customer_id, params))

    async def write_method_ids(
        self, customer_id: str, processor_customer_id: str, processor_payment_method_id: str
    ) -> None:
        """The processor's ids in the metadata, as Stripe's guide asks."""
        metadata = {
            marks.CUSTOMER_THERE: processor_customer_id,
            marks.METHOD_THERE: processor_payment_method_id,
        }
        await self.answer(
            self.client.v1.customers.update_async(customer_id, {"metadata": metadata})
        )

    async def write_invoice_prefix(self, customer_id: str, prefix: str, key: str) -> CustomerLook:
        """What the numbers of his next invoices begin with; refused where another one has it."""
        raw = await self.answer(
            self.client.v1.customers.update_async(
                customer_id, {"invoice_prefix": prefix}, {"idempotency_key": key}
            )
        )
        return _look_at(self.read(CustomerShape, raw))

    async def clear_method_ids(self, customer_id: str) -> None:
        # An empty text deletes a key; None would be dropped by the client and change nothing.
        metadata = {marks.CUSTOMER_THERE: "", marks.METHOD_THERE: ""}
        await self.answer(
            self.client.v1.customers.update_async(customer_id, {"metadata": metadata})
        )

    async def find_customer_by_op(
        self, op_id: str, created_after: datetime, email: str | None = None
    ) -> str | None:
        """The customer that this operation created, or None: for an answer that was lost.

        Lists (search lags behind); the email, where there was one, makes the list short.
        """
        optional = {"email": email} if email else {}
        since = int(created_after.timestamp())
        async for raw in self.every(
            self.client.v1.customers.list_async, {**optional, "created": {"gte": since}}
        ):
            customer = self.read(CustomerShape, raw)
            if customer.metadata.get(marks.OPERATION) == op_id:
                return customer.id
        return None


def _look_at(customer: CustomerShape) -> CustomerLook:
    metadata = customer.metadata
    return CustomerLook(
        id=customer.id,
        deleted=customer.deleted,
        processor_customer_id=metadata.get(marks.CUSTOMER_THERE) or None,
        processor_payment_method_id=metadata.get(marks.METHOD_THERE) or None,
        op_id=metadata.get(marks.OPERATION) or None,
        currency=customer.currency,
        invoice_prefix=customer.invoice_prefix,
    )
