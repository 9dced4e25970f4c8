"""Calls of a switch: who collects a subscription, its drafts and open invoices, and with what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from twintill.domain.invoice import InvoiceLook
from twintill.domain.pace import Urgency
from twintill.errors import StripeRefused
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.invoices import RESOURCE_MISSING, WITH_PAYMENTS, Invoices
from twintill.stripe_billing.shapes import Id, InvoiceShape, Minor, Ref, Shape, Text
from twintill.stripe_billing.subscriptions import SubscriptionLook, subscription_look

if TYPE_CHECKING:
    from stripe.params import (
        InvoiceAddLinesParamsLine,
        InvoiceCreateParams,
        InvoiceUpdateParams,
        SubscriptionUpdateParams,
    )

REPLACES = "twintill_replaces"
# More cannot be added in one call.
MOST_LINES = 250


@dataclass(frozen=True, slots=True)
class SubscriptionInvoice:
    """A draft or open invoice of a subscription, as a list shows it."""

    invoice: InvoiceShape
    default_payment_method_id: str | None


@dataclass(frozen=True, slots=True)
class InvoiceTerms:
    """What another invoice of the same must repeat."""

    customer_id: str
    currency: str
    number: str | None
    total_minor: int
    amount_paid_minor: int
    automatic_tax: bool
    lines: Sequence["Line"]
    plain: bool  # nothing on it that lines alone cannot say again (discounts, shipping, ...)


@dataclass(frozen=True, slots=True)
class Line:
    amount_minor: int
    description: str | None
    begins_at: int  # unix seconds, as Stripe has them
    ends_at: int


@dataclass(frozen=True)
class Switching(Invoices):
    async def read_payment_method(self, payment_method_id: str) -> str | None:
        """Whose it is; None: nobody's. One that is not there is StripeRefused."""
        raw = await self.answer(self.client.v1.payment_methods.retrieve_async(payment_method_id))
        return self.read(_PaymentMethod, raw).customer_id

    async def collect_by_stripe(
        self, subscription_id: str, payment_method_id: str, key: str
    ) -> SubscriptionLook:
        """From the next invoice on Stripe charges; `days_until_due` falls away with it."""
        return await self._update(
            subscription_id,
            {
                "collection_method": "charge_automatically",
                "default_payment_method": payment_method_id,
            },
            key,
        )

    async def collect_by_invoice(
        self, subscription_id: str, days_until_due: int, key: str
    ) -> SubscriptionLook:
        """From the next invoice on Stripe asks for the money, and somebody else takes it."""
        return await self._update(
            subscription_id,
            {"collection_method": "send_invoice", "days_until_due": days_until_due},
            key,
        )

    async def forget_default_method(self, subscription_id: str, key: str) -> SubscriptionLook:
        return await self._update(subscription_id, {"default_payment_method": ""}, key)

    async def list_unfinished(
        self, subscription_id: str, collection_method: str
    ) -> list[SubscriptionInvoice]:
        """Its drafts, then its open invoices: one that is finalized meanwhile is seen, too."""
        found: dict[str, SubscriptionInvoice] = {}
        for status in ("draft", "open"):
            async for raw in self.every(
                self.client.v1.invoices.list_async,
                {"subscription": subscription_id, "status": status},
            ):
                seen = self.read(_Unfinished, raw)
                if seen.collection_method == collection_method:
                    found[seen.id] = SubscriptionInvoice(seen, seen.default_payment_method_id)
        return list(found.values())

    async def draft_for_stripe(self, invoice_id: str, key: str) -> InvoiceLook:
        """Refused once it is finalized: then it stays what it is."""
        return await self._change(invoice_id, {"collection_method": "charge_automatically"}, key)

    async def draft_to_send(self, invoice_id: str, days_until_due: int, key: str) -> InvoiceLook:
        return await self._change(
            invoice_id,
            {"collection_method": "send_invoice", "days_until_due": days_until_due},
            key,
        )

    async def mark_handed_over(self, invoice_id: str, operation_id: str) -> InvoiceLook:
        """Our mark in the other book; the answer is a last look. No key: it must be of now."""
        return await self._write(invoice_id, {marks.HANDED: operation_id}, Urgency.CHARGE)

    async def unmark_handed_over(self, invoice_id: str) -> InvoiceLook:
        return await self._write(invoice_id, {marks.HANDED: ""}, Urgency.CHARGE)

    async def pay_with_method(
        self, invoice_id: str, payment_method_id: str, key: str
    ) -> InvoiceLook:
        """Stripe charges it now, the customer not being there; a decline is StripeRefused."""
        return await self._look(
            self.client.v1.invoices.pay_async(
                invoice_id,
                {
                    "payment_method": payment_method_id,
                    "off_session": True,
                    "expand": WITH_PAYMENTS,
                },
                {"idempotency_key": key},
            )
        )

    async def pin_method(self, invoice_id: str, payment_method_id: str, key: str) -> InvoiceLook:
        """What Stripe goes on charging this invoice with, whatever the subscription has."""
        return await self._change(invoice_id, {"default_payment_method": payment_method_id}, key)

    async def stop_advancing(self, invoice_id: str) -> InvoiceLook:
        """Stripe does nothing more with it by itself. No key: it must be of now."""
        return await self._change(invoice_id, {"auto_advance": False}, None)

    async def read_repeatable(self, invoice_id: str) -> InvoiceTerms:
        raw = await self.answer(self.client.v1.invoices.retrieve_async(invoice_id))
        seen = self.read(_Whole, raw)
        lines = [
            self.read(_Line, line) async for line in self.every(_lines_of(self, invoice_id), {})
        ]
        return InvoiceTerms(
            customer_id=str(seen.customer_id),
            currency=seen.currency,
            number=seen.number,
            total_minor=seen.total_minor,
            amount_paid_minor=seen.amount_paid_minor,
            automatic_tax=seen.automatic_tax.enabled,
            lines=[_line(line) for line in lines],
            plain=seen.is_plain and all(line.is_plain for line in lines) and bool(lines),
        )

    async def draft_again(
        self, terms: InvoiceTerms, replaces: str, days_until_due: int, op_id: str, key: str
    ) -> str:
        """An empty draft that nothing advances, for the same customer; its id."""
        params: InvoiceCreateParams = {
            "customer": terms.customer_id,
            "collection_method": "send_invoice",
            "days_until_due": days_until_due,
            "currency": terms.currency.lower(),
            "auto_advance": False,
            "automatic_tax": {"enabled": terms.automatic_tax},
            "pending_invoice_items_behavior": "exclude",
            "description": f"Replaces {terms.number or replaces}",
            "metadata": {marks.OPERATION: op_id, REPLACES: replaces},
        }
        raw = await self.answer(
            self.client.v1.invoices.create_async(params, {"idempotency_key": key})
        )
        return self.read(InvoiceShape, raw).id

    async def find_draft_again(
        self, customer_id: str, replaces: str, op_id: str, since: datetime
    ) -> str | None:
        """The draft that this operation made for that invoice, whose answer was lost."""
        async for raw in self.every(
            self.client.v1.invoices.list_async,
            {"customer": customer_id, "created": {"gte": int(since.timestamp())}},
        ):
            metadata = self.read(InvoiceShape, raw).metadata
            if (metadata.get(marks.OPERATION), metadata.get(REPLACES)) == (op_id, replaces):
                return str(raw["id"])
        return None

    async def write_lines(self, invoice_id: str, lines: Sequence[Line], key: str) -> int:
        """The lines onto a draft that has none; what it comes to with its tax."""
        written: list[InvoiceAddLinesParamsLine] = [
            {
                "amount": line.amount_minor,
                "description": line.description or "Replaced",
                "discountable": False,
                "period": {"start": line.begins_at, "end": line.ends_at},
            }
            for line in lines
        ]
        raw = await self.answer(
            self.client.v1.invoices.add_lines_async(
                invoice_id, {"lines": written}, {"idempotency_key": key}
            )
        )
        return self.read(InvoiceShape, raw).total_minor

    async def _update(
        self, subscription_id: str, params: "SubscriptionUpdateParams", key: str
    ) -> SubscriptionLook:
        raw = await self.answer(
            self.client.v1.subscriptions.update_async(
                subscription_id, params, {"idempotency_key": key}
            )
        )
        return subscription_look(self, raw)

    async def _change(
        self, invoice_id: str, params: "InvoiceUpdateParams", key: str | None
    ) -> InvoiceLook:
        params["expand"] = WITH_PAYMENTS
        options: Any = {} if key is None else {"idempotency_key": key}
        return await self._look(self.client.v1.invoices.update_async(invoice_id, params, options))


def is_gone(refused: StripeRefused) -> bool:
    return refused.code == RESOURCE_MISSING


def _lines_of(connection: Connection, invoice_id: str) -> Any:
    lines = connection.client.v1.invoices.line_items

    def page(params: Any) -> Any:
        return lines.list_async(invoice_id, params)

    return page


class _PaymentMethod(Shape):
    id: Id
    livemode: bool
    customer_id: Ref | None = Field(alias="customer", default=None)


class _Unfinished(InvoiceShape):
    collection_method: Text
    default_payment_method_id: Ref | None = Field(alias="default_payment_method", default=None)


class _AutomaticTax(Shape):
    enabled: bool = False


class _Whole(InvoiceShape):
    automatic_tax: _AutomaticTax = Field(default_factory=_AutomaticTax)
    discounts: list[Any] = Field(default_factory=list)
    default_tax_rates: list[Any] = Field(default_factory=list)
    shipping_cost: Any = None
    amount_shipping_minor: Minor = Field(alias="amount_shipping", default=0)

    @property
    def is_plain(self) -> bool:
        odd = self.discounts or self.default_tax_rates or self.shipping_cost
        return not odd and self.amount_shipping_minor == 0 and self.pre_payment_credit_minor == 0


class _Period(Shape):
    start: int
    end: int


class _Line(Shape):
    amount_minor: Minor = Field(alias="amount")
    description: Text | None = None
    period: _Period
    discount_amounts: list[Any] | None = None

    @property
    def is_plain(self) -> bool:
        return not self.discount_amounts


def _line(seen: _Line) -> Line:
    return Line(seen.amount_minor, seen.description, seen.period.start, seen.period.end)
