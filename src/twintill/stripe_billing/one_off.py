"""Calls that make a one-off invoice of one amount: what follows on another invoice.

Its tax is Stripe's own, inside the amount (`tax_behavior=inclusive`), where the other invoice had
it so; no discount of the customer's applies to it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.marks import OPERATION
from twintill.stripe_billing.shapes import Id, InvoiceShape, Metadata, Minor, Shape

if TYPE_CHECKING:
    from stripe.params import InvoiceCreateParams, InvoiceItemCreateParams

CONTINUES = "twintill_continues"  # metadata of the new invoice: which one it follows on
_A_DAY_S = 86_400
_DAYS_UNTIL_DUE = 30  # where the other invoice had no due date


@dataclass(frozen=True, slots=True)
class Terms:
    """What a follow-on takes over from the invoice that it continues."""

    number: str
    currency: str
    days_until_due: int
    automatic_tax: bool
    manual_tax: bool  # tax rates that somebody set: they cannot be taken out of a gross amount


@dataclass(frozen=True)
class OneOffs(Connection):
    async def read_terms(self, invoice_id: str) -> Terms:
        raw = await self.answer(self.client.v1.invoices.retrieve_async(invoice_id))
        seen = self.read(_Terms, raw)
        automatic = seen.automatic_tax is not None and seen.automatic_tax.enabled
        taxed = any(tax.amount_minor for tax in seen.total_taxes) or bool(seen.default_tax_rates)
        return Terms(
            number=seen.number or seen.id,
            currency=seen.currency,
            days_until_due=_days(seen),
            automatic_tax=automatic,
            manual_tax=taxed and not automatic,
        )

    async def create_one_off(
        self, customer_id: str, terms: Terms, continues: str, op_id: str, key: str
    ) -> str:
        """An empty draft that only we finalize; the new invoice's id."""
        params: InvoiceCreateParams = {
            "customer": customer_id,
            "collection_method": "send_invoice",
            "days_until_due": terms.days_until_due,
            "currency": terms.currency.lower(),
            "auto_advance": False,
            "automatic_tax": {"enabled": terms.automatic_tax},
            "pending_invoice_items_behavior": "exclude",
            "metadata": {OPERATION: op_id, CONTINUES: continues},
        }
        raw = await self.answer(
            self.client.v1.invoices.create_async(params, {"idempotency_key": key})
        )
        return self.read(_OfOperation, raw).id

    async def find_one_off_by_op(
        self, customer_id: str, op_id: str, created_after: datetime
    ) -> str | None:
        """The draft that this operation made, or None: for an answer that was lost."""
        since = {"gte": int(created_after.timestamp())}
        params = {"customer": customer_id, "created": since}
        return await self._find(self.client.v1.invoices.list_async, params, op_id)

    async def add_amount(
        self, invoice_id: str, customer_id: str, amount_minor: int, terms: Terms, text: str, op: Any
    ) -> None:
        """The one line; `op`: the operation, and its key of this call."""
        op_id, key = op
        params: InvoiceItemCreateParams = {
            "customer": customer_id,
            "invoice": invoice_id,
            "amount": amount_minor,
            "currency": terms.currency.lower(),
            "description": text,
            "discountable": False,
            "metadata": {OPERATION: op_id},
        }
        if terms.automatic_tax:
            params["tax_behavior"] = "inclusive"
        await self.answer(
            self.client.v1.invoice_items.create_async(params, {"idempotency_key": key})
        )

    async def has_amount(self, invoice_id: str, op_id: str) -> bool:
        """Whether the line is there: for an answer that was lost."""
        fetch = self.client.v1.invoice_items.list_async
        return await self._find(fetch, {"invoice": invoice_id}, op_id) is not None

    async def _find(self, fetch: Any, params: dict[str, Any], op_id: str) -> str | None:
        async for raw in self.every(fetch, params):
            seen = self.read(_OfOperation, raw)
            if seen.metadata.get(OPERATION) == op_id:
                return seen.id
        return None


def _days(seen: "_Terms") -> int:
    """As many as the other invoice gave, at least one."""
    if seen.due_at is None or seen.created_at is None:
        return _DAYS_UNTIL_DUE
    seconds = (seen.due_at - seen.created_at).total_seconds()
    return max(1, round(seconds / _A_DAY_S))


class _AutomaticTax(Shape):
    enabled: bool


class _Tax(Shape):
    amount_minor: Minor = Field(alias="amount")


class _Terms(InvoiceShape):
    automatic_tax: _AutomaticTax | None = None
    total_taxes: list[_Tax] = Field(default_factory=list)
    default_tax_rates: list[dict[str, Any]] = Field(default_factory=list)


class _OfOperation(Shape):
    id: Id
    livemode: bool
    metadata: Metadata = Field(default_factory=dict)
