"""Lists of invoices, and one of them again: what verifying compares our books with."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import Field

from twintill.domain.comparing import Listed
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.pace import Urgency
from twintill.stripe_billing.connection import PAGE, Connection
from twintill.stripe_billing.invoices import STRIPES_OWN, look_at
from twintill.stripe_billing.shapes import InvoiceShape, Minor, Shape, Text

# One level less than a single invoice's: Stripe expands four, and "data" is one of them.
_IN_A_LIST = ["data.payments"]
_ALONE = ["payments"]


@dataclass(frozen=True)
class InvoiceLists(Connection):
    async def list_invoices(
        self, created_gte: datetime, *, starting_after: str | None = None, limit: int = PAGE
    ) -> tuple[list[Listed], bool]:
        """One page, newest first, and whether there are more: a read of the monthly allocation."""
        params: Any = {
            "created": {"gte": int(created_gte.timestamp())},
            "limit": limit,
            "expand": _IN_A_LIST,
        }
        if starting_after is not None:
            params["starting_after"] = starting_after
        raw = await self.answer(self.client.v1.invoices.list_async(params), Urgency.READ)
        seen = self.read(_Page, raw)
        return [await self._listed(invoice) for invoice in seen.data], seen.has_more

    async def read_listed(self, invoice_id: str) -> Listed:
        """The same of one invoice; a missing one is StripeRefused, resource_missing."""
        call = self.client.v1.invoices.retrieve_async(invoice_id, {"expand": _ALONE})
        return await self._listed(await self.answer(call, Urgency.READ))

    async def read_shape(self, invoice_id: str) -> InvoiceShape:
        """Whose it is, and what it is of; a missing one is StripeRefused, resource_missing."""
        raw = await self.answer(self.client.v1.invoices.retrieve_async(invoice_id))
        return self.read(InvoiceShape, raw)

    async def list_unsettled_invoices(self, customer_id: str) -> list[InvoiceShape]:
        """The drafts and the open ones of one customer that Stripe does not collect itself."""
        his = {"customer": customer_id, "collection_method": "send_invoice"}
        fetch = self.client.v1.invoices.list_async
        return [
            self.read(InvoiceShape, raw)
            for status in ("draft", "open")
            async for raw in self.every(fetch, {**his, "status": status})
        ]

    async def was_ever_paid(self, subscription_id: str) -> bool:
        """Whether money was ever paid for it, by whatever means; zero invoices do not count."""
        of_it = {"subscription": subscription_id, "status": "paid"}
        async for raw in self.every(self.client.v1.invoices.list_async, of_it):
            if self.read(InvoiceShape, raw).amount_paid_minor > 0:
                return True
        return False

    async def _listed(self, raw: dict[str, Any]) -> Listed:
        payments = raw.get("payments")
        if isinstance(payments, dict) and payments.get("has_more"):
            every = self.every(
                self.client.v1.invoice_payments.list_async, {"invoice": raw["id"]}, Urgency.READ
            )
            raw["payments"] = {"data": [payment async for payment in every]}
        look = look_at(self, raw)
        if look.status is InvoiceStatus.DELETED:
            return Listed(look, None, None)
        seen = self.read(_Paid, raw)
        return Listed(look, seen.customer_id, seen.created_at, seen.paid_by_stripe_minor)


class _Page(Shape):
    data: list[dict[str, Any]]
    has_more: bool


class _PaidBy(Shape):
    type: Text


class _InvoicePayment(Shape):
    status: Text
    amount_paid_minor: Minor | None = Field(alias="amount_paid", default=None)
    payment: _PaidBy


class _Payments(Shape):
    data: list[_InvoicePayment]


class _Paid(InvoiceShape):
    payments: _Payments

    @property
    def paid_by_stripe_minor(self) -> int:
        return sum(
            payment.amount_paid_minor or 0
            for payment in self.payments.data
            if payment.status == "paid" and payment.payment.type in STRIPES_OWN
        )
