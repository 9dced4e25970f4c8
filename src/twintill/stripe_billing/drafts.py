"""Calls about drafts: held, added to, taken from, let go; each answers as Stripe shows it then."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import stripe
from pydantic import AliasPath, Field

from twintill.domain.drafting import Draft, Item
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.errors import StripeRefused
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.invoices import RESOURCE_MISSING, WITH_PAYMENTS, Invoices, look_at
from twintill.stripe_billing.shapes import (
    Id,
    InvoiceShape,
    Metadata,
    Shape,
    SubscriptionShape,
    Time,
)

if TYPE_CHECKING:
    from stripe.params import InvoiceAddLinesParamsLine, InvoiceUpdateParams


@dataclass(frozen=True)
class Drafts(Invoices):
    async def read_draft(self, invoice_id: str) -> Draft | None:
        """Whatever became of it; None: it was deleted."""
        call = self.client.v1.invoices.retrieve_async(invoice_id, {"expand": WITH_PAYMENTS})
        try:
            return await self._draft(call)
        except StripeRefused as refused:
            if refused.code != RESOURCE_MISSING:
                raise
            return None

    async def hold_draft(self, invoice_id: str) -> Draft:
        """Stripe does not finalize it by itself any more. No key: it must be of now.

        One that is open by now is taken off again: there it means something else.
        """
        held = await self._advance(invoice_id, on=False)
        open_by_now = held.look.status is InvoiceStatus.OPEN
        return await self._advance(invoice_id, on=True) if open_by_now else held

    async def add_items(
        self, invoice_id: str, items: Sequence[Item], op_id: str, key: str
    ) -> Draft:
        """All of them or none, in one call."""
        made_by = {marks.OPERATION: op_id, marks.DRAFT: invoice_id}
        lines = [_line(item, made_by) for item in items]
        return await self._draft(
            self.client.v1.invoices.add_lines_async(
                invoice_id,
                {"lines": lines, "expand": WITH_PAYMENTS},
                {"idempotency_key": key},
            )
        )

    async def has_lines_of(self, invoice_id: str, op_id: str) -> bool:
        """Whether this operation's are there: for an answer that was lost."""
        fetch = self.client.v1.invoices.line_items.list_async
        async for raw in self.every(lambda params: fetch(invoice_id, params), {}):
            if self.read(_Line, raw).metadata.get(marks.OPERATION) == op_id:
                return True
        return False

    async def items_on(self, invoice_id: str) -> set[str]:
        """The invoice items on it: what can be taken off one by one."""
        fetch = self.client.v1.invoice_items.list_async
        return {str(raw["id"]) async for raw in self.every(fetch, {"invoice": invoice_id})}

    async def release_draft(self, invoice_id: str, key: str) -> InvoiceLook:
        """Finalized, and from then on like any other."""
        return await self._look(
            self.client.v1.invoices.finalize_invoice_async(
                invoice_id,
                {"auto_advance": True, "expand": WITH_PAYMENTS},
                {"idempotency_key": key},
            )
        )

    async def period_ends_at(self, subscription_id: str) -> datetime | None:
        """When its next invoice comes; None: it has ended, or is gone."""
        call = self.client.v1.subscriptions.retrieve_async(subscription_id)
        try:
            seen = self.read(_Periods, await self.answer(call))
        except StripeRefused as refused:
            if refused.code != RESOURCE_MISSING:
                raise
            return None
        ends = [item.ends_at for item in seen.its_items if item.ends_at is not None]
        return None if seen.ended_at is not None else min(ends, default=seen.ends_at)

    async def _advance(self, invoice_id: str, *, on: bool) -> Draft:
        params: InvoiceUpdateParams = {"auto_advance": on, "expand": WITH_PAYMENTS}
        return await self._draft(self.client.v1.invoices.update_async(invoice_id, params))

    async def _draft(self, call: Awaitable[stripe.StripeObject]) -> Draft:
        return draft_at(self, await self.answer(call))


def draft_at(connection: Connection, raw: dict[str, Any]) -> Draft:
    seen = connection.read(_Draft, raw)
    return Draft(
        look=look_at(connection, raw),
        customer_id=seen.customer_id,
        subscription_id=seen.subscription_id,
        billing_reason=seen.billing_reason,
        total_minor=seen.total_minor,
        lines=max(len(seen.lines), seen.total_count or 0),
        auto_advance=seen.auto_advance is not False,
        finalizes_at=seen.finalizes_at,
        created_by=seen.metadata.get(marks.OPERATION) or seen.operation_id,
    )


def _line(item: Item, made_by: dict[str, str]) -> "InvoiceAddLinesParamsLine":
    line: InvoiceAddLinesParamsLine = {"metadata": made_by}
    if item.description is not None:
        line["description"] = item.description
    if item.price is not None:
        line["pricing"] = {"price": item.price}
        line["quantity"] = item.quantity or 1
    elif item.amount_minor is not None:
        line["amount"] = item.amount_minor
    return line


class _Draft(InvoiceShape):
    finalizes_at: Time | None = Field(alias="automatically_finalizes_at", default=None)
    lines: list[dict[str, Any]] = Field(
        validation_alias=AliasPath("lines", "data"), default_factory=list
    )
    total_count: int | None = Field(
        validation_alias=AliasPath("lines", "total_count"), default=None
    )


class _Line(Shape):
    id: Id
    metadata: Metadata = Field(default_factory=dict)


class _Item(Shape):
    ends_at: Time | None = Field(alias="current_period_end", default=None)


class _Periods(SubscriptionShape):
    """Since basil each item has its period."""

    ends_at: Time | None = Field(alias="current_period_end", default=None)
    its_items: list[_Item] = Field(
        validation_alias=AliasPath("items", "data"), default_factory=list
    )
