"""Calls that make one-off invoices on somebody's request, and finish drafts: whole answers.

`auto_advance` is false: Stripe neither finalizes the draft after an hour, nor sends the customer a
letter with a page of its own to pay on, where he would pay beside our charge.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import stripe
from pydantic import Field

from twintill.domain.invoice import InvoiceLook
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.invoices import WITH_PAYMENTS, look_at
from twintill.stripe_billing.marks import DRAFT, OPERATION
from twintill.stripe_billing.shapes import InvoiceShape, Metadata, Minor, Shape, Text

if TYPE_CHECKING:
    from stripe.params import (
        InvoiceAddLinesParamsLine,
        InvoiceCreateParams,
        InvoiceUpdateParams,
    )


@dataclass(frozen=True, slots=True)
class NewDraft:
    """Of `days_until_due` and `due_at` exactly one is given."""

    customer_id: str
    currency: str
    days_until_due: int | None
    due_at: datetime | None
    memo: str | None = None
    footer: str | None = None
    number: str | None = None
    automatic_tax: bool = False
    include_pending: bool = False


@dataclass(frozen=True, slots=True)
class DraftChanges:
    """None leaves a field as it is; an empty text takes it away."""

    days_until_due: int | None = None
    due_at: datetime | None = None
    memo: str | None = None
    footer: str | None = None
    number: str | None = None
    automatic_tax: bool | None = None


@dataclass(frozen=True, slots=True)
class NewLine:
    """An amount (below zero: a credit), or a price so many times."""

    description: str | None
    amount_minor: int | None = None
    price_id: str | None = None
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Made:
    """An invoice in Stripe's answer, with what the mirror does not hold."""

    invoice: InvoiceShape
    look: InvoiceLook
    memo: str | None
    footer: str | None
    starting_balance_minor: int
    ending_balance_minor: int | None  # None: not finalized


@dataclass(frozen=True)
class Invoicing(Connection):
    async def create_draft(self, draft: NewDraft, op_id: str, key: str) -> Made:
        """An empty draft, or one with the customer's pending items; only we finalize it."""
        params: InvoiceCreateParams = {
            "customer": draft.customer_id,
            "collection_method": "send_invoice",
            "currency": draft.currency.lower(),
            "auto_advance": False,
            "automatic_tax": {"enabled": draft.automatic_tax},
            "pending_invoice_items_behavior": "include" if draft.include_pending else "exclude",
            "metadata": {OPERATION: op_id},
            "expand": WITH_PAYMENTS,
        }
        if draft.due_at is not None:
            params["due_date"] = int(draft.due_at.timestamp())
        if draft.days_until_due is not None:
            params["days_until_due"] = draft.days_until_due
        if draft.memo:
            params["description"] = draft.memo
        if draft.footer:
            params["footer"] = draft.footer
        if draft.number:
            params["number"] = draft.number
        return await self._made(
            self.client.v1.invoices.create_async(params, {"idempotency_key": key})
        )

    async def add_lines(
        self, invoice_id: str, lines: Sequence[NewLine], op_id: str, key: str
    ) -> Made:
        """All of them onto a draft, or none."""
        written = [_line(line, {OPERATION: op_id, DRAFT: invoice_id}) for line in lines]
        return await self._made(
            self.client.v1.invoices.add_lines_async(
                invoice_id, {"lines": written, "expand": WITH_PAYMENTS}, {"idempotency_key": key}
            )
        )

    async def count_lines(self, invoice_id: str, op_id: str | None = None) -> int:
        """How many stand on it; `op_id`: of those that this operation made."""
        fetch = self.client.v1.invoices.line_items

        def page(params: Any) -> Any:
            return fetch.list_async(invoice_id, params)

        lines = [self.read(_LineSeen, raw) async for raw in self.every(page, {})]
        return sum(op_id in (None, line.metadata.get(OPERATION)) for line in lines)

    async def change_draft(self, invoice_id: str, changes: DraftChanges, key: str) -> Made:
        """Refused once it is finalized, with Stripe's reason."""
        params: InvoiceUpdateParams = {"expand": WITH_PAYMENTS}
        if changes.due_at is not None:
            params["due_date"] = int(changes.due_at.timestamp())
        if changes.days_until_due is not None:
            params["days_until_due"] = changes.days_until_due
        if changes.memo is not None:
            params["description"] = changes.memo
        if changes.footer is not None:
            params["footer"] = changes.footer
        if changes.number is not None:
            params["number"] = changes.number
        if changes.automatic_tax is not None:
            params["automatic_tax"] = {"enabled": changes.automatic_tax}
        return await self._made(
            self.client.v1.invoices.update_async(invoice_id, params, {"idempotency_key": key})
        )

    async def finalize_draft(self, invoice_id: str, key: str) -> Made:
        """Whether Stripe advances it later stays as it was."""
        return await self._made(
            self.client.v1.invoices.finalize_invoice_async(
                invoice_id, {"expand": WITH_PAYMENTS}, {"idempotency_key": key}
            )
        )

    async def read_made(self, invoice_id: str) -> Made:
        """One read of the monthly allocation; a missing one is StripeRefused, resource_missing."""
        return await self._made(
            self.client.v1.invoices.retrieve_async(invoice_id, {"expand": WITH_PAYMENTS})
        )

    async def _made(self, call: Awaitable[stripe.StripeObject]) -> Made:
        raw = await self.answer(call)
        seen = self.read(_Made, raw)
        return Made(
            invoice=seen,
            look=look_at(self, raw),
            memo=seen.memo,
            footer=seen.footer,
            starting_balance_minor=seen.starting_balance_minor,
            ending_balance_minor=seen.ending_balance_minor,
        )


def _line(line: NewLine, metadata: dict[str, str]) -> "InvoiceAddLinesParamsLine":
    params: InvoiceAddLinesParamsLine = {"metadata": metadata}
    if line.description:
        params["description"] = line.description
    if line.price_id is not None:
        params["pricing"] = {"price": line.price_id}
        params["quantity"] = line.quantity
    elif line.amount_minor is not None:
        params["amount"] = line.amount_minor
    return params


class _Made(InvoiceShape):
    memo: Text | None = Field(alias="description", default=None)
    footer: Text | None = None
    starting_balance_minor: Minor = Field(alias="starting_balance", default=0)
    ending_balance_minor: Minor | None = Field(alias="ending_balance", default=None)


class _LineSeen(Shape):
    metadata: Metadata = Field(default_factory=dict)
