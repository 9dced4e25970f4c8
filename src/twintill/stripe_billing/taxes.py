"""Calls about tax: where Stripe thinks a customer is, and what waits because it does not know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import AliasPath, Field

from twintill.domain.address import Address
from twintill.domain.tax import Located
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.shapes import Id, InvoiceShape, Shape, Text

if TYPE_CHECKING:
    from stripe.params import CustomerUpdateParams


@dataclass(frozen=True)
class Taxes(Connection):
    async def read_location(self, customer_id: str) -> Located:
        """A customer who was deleted is nowhere, and owes no tax."""
        raw = await self.answer(
            self.client.v1.customers.retrieve_async(customer_id, {"expand": ["tax"]})
        )
        seen = self.read(_Customer, raw)
        shipping = seen.shipping.address if seen.shipping else None
        state = "not_collecting" if seen.deleted else seen.tax_state or "unrecognized_location"
        return Located(state, _address(seen.address), _address(shipping))

    async def write_shipping(
        self, customer_id: str, address: Mapping[str, str] | None, key: str
    ) -> None:
        """None: cleared. Its name stays what it was, or becomes the customer's."""
        update: CustomerUpdateParams = {
            "shipping": "",
            "tax": {"validate_location": "immediately"},
        }
        if address is not None:
            raw = await self.answer(self.client.v1.customers.retrieve_async(customer_id))
            seen = self.read(_Customer, raw)
            name = (seen.shipping.name if seen.shipping else None) or seen.name or "Customer"
            there: Any = {"address": dict(address), "name": name}
            update["shipping"] = there
        await self.answer(
            self.client.v1.customers.update_async(customer_id, update, {"idempotency_key": key})
        )

    async def enable_tax(self, subscription_id: str, key: str) -> None:
        await self.answer(
            self.client.v1.subscriptions.update_async(
                subscription_id, {"automatic_tax": {"enabled": True}}, {"idempotency_key": key}
            )
        )

    async def list_stuck_drafts(self, customer_id: str) -> list[InvoiceShape]:
        """Drafts whose finalization failed because of their tax: nothing tries them again."""
        return [
            seen
            async for raw in self.every(
                self.client.v1.invoices.list_async, {"customer": customer_id, "status": "draft"}
            )
            if (seen := self.read(_Draft, raw)).is_stuck
        ]


class _Address(Shape):
    country: Text | None = None
    postal_code: Text | None = None
    line1: Text | None = None
    city: Text | None = None
    state: Text | None = None


class _Shipping(Shape):
    address: _Address | None = None
    name: Text | None = None


class _Customer(Shape):
    id: Id
    livemode: bool | None = None
    deleted: bool = False
    name: Text | None = None
    address: _Address | None = None
    shipping: _Shipping | None = None
    tax_state: Text | None = Field(validation_alias=AliasPath("tax", "automatic_tax"), default=None)


class _Draft(InvoiceShape):
    @property
    def is_stuck(self) -> bool:
        return self.finalization_error is not None


def _address(seen: _Address | None) -> Address | None:
    if seen is None:
        return None
    return Address(
        country=seen.country or "",
        postal_code=seen.postal_code or "",
        line1=seen.line1 or "",
        city=seen.city or "",
        state=seen.state or "",
    )
