"""Calls about invoices: each answers with the invoice as Stripe shows it right then."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import stripe
from pydantic import Field

from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.pace import Urgency
from twintill.errors import StripeRefused, StripeUnreadable
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import PAGE, Connection
from twintill.stripe_billing.shapes import Currency, Id, InvoiceShape, Minor, Shape, Text

if TYPE_CHECKING:
    from stripe.params import InvoiceListParams

RESOURCE_MISSING = "resource_missing"
_NO_CURRENCY = "XXX"  # ISO 4217 for "no currency": a deleted invoice shows none

# The deepest that Stripe expands. Since basil an invoice lists its payments only when asked.
WITH_PAYMENTS = ["payments.data.payment.payment_intent"]


@dataclass(frozen=True, slots=True)
class MarkedInvoice:
    """An invoice as a list shows it, and what its metadata says about us."""

    invoice: InvoiceShape
    marks: marks.Marks


@dataclass(frozen=True)
class Invoices(Connection):
    async def last_look(self, invoice_id: str, n: int) -> InvoiceLook:
        """Leave the intent of attempt `n` in the other book and see what it says now.

        No key of ours: a replayed answer of a minute ago would be no look at all.
        """
        mark = marks.intent(self.installation_id, n)
        return await self._write(invoice_id, mark, Urgency.CHARGE)

    async def write_reference(
        self, invoice_id: str, reference: str, processor: str, processor_payment_id: str | None
    ) -> InvoiceLook:
        """Who collected it and under which ids; `pay` itself has no field for that."""
        metadata = {
            marks.REFERENCE: reference,
            marks.PROCESSOR: processor,
            marks.PROCESSOR_PAYMENT_ID: processor_payment_id or "",
        }
        return await self._write(invoice_id, metadata, Urgency.REPORT)

    async def pay_out_of_band(self, invoice_id: str, key: str) -> InvoiceLook:
        """Cannot be undone: compare the amounts before, and in the answer again."""
        return await self._look(
            self.client.v1.invoices.pay_async(
                invoice_id,
                {"paid_out_of_band": True, "expand": WITH_PAYMENTS},
                {"idempotency_key": key},
            ),
            Urgency.REPORT,
        )

    async def read_invoice(self, invoice_id: str, urgency: Urgency = Urgency.OTHER) -> InvoiceLook:
        """One read of the monthly allocation; a missing one is StripeRefused, resource_missing."""
        return await self._look(
            self.client.v1.invoices.retrieve_async(invoice_id, {"expand": WITH_PAYMENTS}),
            urgency,
        )

    async def list_marked(
        self, created_gte: datetime, *, starting_after: str | None = None, limit: int = PAGE
    ) -> list[MarkedInvoice]:
        """One page of the `send_invoice` invoices created since then, newest first.

        Without their payments, which a list does not expand: read one before acting on it.
        """
        params: InvoiceListParams = {
            "created": {"gte": int(created_gte.timestamp())},
            "collection_method": "send_invoice",
            "limit": limit,
        }
        if starting_after is not None:
            params["starting_after"] = starting_after
        page = await self.page(self.client.v1.invoices.list_async(params), Urgency.OTHER)
        seen = [self.read(InvoiceShape, raw) for raw in page]
        return [
            MarkedInvoice(shape, marks.read_marks(shape.metadata, self.installation_id))
            for shape in seen
        ]

    async def finalize(self, invoice_id: str, key: str) -> InvoiceLook:
        """Without waiting for the hour; whether Stripe advances it later stays as it was."""
        return await self._look(
            self.client.v1.invoices.finalize_invoice_async(
                invoice_id, {"expand": WITH_PAYMENTS}, {"idempotency_key": key}
            )
        )

    async def void(self, invoice_id: str, key: str) -> InvoiceLook:
        return await self._look(
            self.client.v1.invoices.void_invoice_async(
                invoice_id, {"expand": WITH_PAYMENTS}, {"idempotency_key": key}
            )
        )

    async def mark_uncollectible(self, invoice_id: str, key: str) -> InvoiceLook:
        """Refused unless it is open; what is owed may still be paid afterwards."""
        return await self._look(
            self.client.v1.invoices.mark_uncollectible_async(
                invoice_id, {"expand": WITH_PAYMENTS}, {"idempotency_key": key}
            )
        )

    async def delete_draft(self, invoice_id: str) -> InvoiceLook:
        """Of a one-off invoice; a subscription's draft can only be finalized and voided."""
        try:
            await self.answer(self.client.v1.invoices.delete_async(invoice_id))
        except StripeRefused as refused:
            if refused.code != RESOURCE_MISSING:  # deletes carry no key: repeated, it is gone
                raise
        return _deleted(self, _Deleted(id=invoice_id))

    async def _write(
        self, invoice_id: str, metadata: dict[str, str], urgency: Urgency
    ) -> InvoiceLook:
        call = self.client.v1.invoices.update_async(
            invoice_id, {"metadata": metadata, "expand": WITH_PAYMENTS}
        )
        try:
            return await self._look(call, urgency)
        except StripeRefused as refused:
            if refused.code == RESOURCE_MISSING:
                raise
            # Nothing says that Stripe takes metadata in every status. Of a closed invoice a
            # plain read tells as much; an open one without our mark must not be charged.
            look = await self.read_invoice(invoice_id, urgency)
            if not look.closed:
                raise
            return look

    async def _look(
        self, call: Awaitable[stripe.StripeObject], urgency: Urgency = Urgency.OTHER
    ) -> InvoiceLook:
        raw = await self.answer(call, urgency)
        payments = raw.get("payments")
        if isinstance(payments, dict) and payments.get("has_more"):
            raw["payments"] = {"data": await self._payments(str(raw.get("id")), urgency)}
        return look_at(self, raw)

    async def _payments(self, invoice_id: str, urgency: Urgency) -> list[dict[str, Any]]:
        return [
            payment
            async for payment in self.every(
                self.client.v1.invoice_payments.list_async,
                {"invoice": invoice_id, "expand": ["data.payment.payment_intent"]},
                urgency,
            )
        ]


def look_at(connection: Connection, raw: dict[str, Any]) -> InvoiceLook:
    """One answer about one invoice, in our words."""
    if raw.get("deleted") is True:
        return _deleted(connection, connection.read(_Deleted, raw))
    seen = connection.read(_Invoice, raw)
    status = seen.known_status
    if status is None:
        raise StripeUnreadable(f"invoice {seen.id} has the unknown status {seen.status!r}")
    ours = marks.read_marks(seen.metadata, connection.installation_id)
    return InvoiceLook(
        invoice_id=seen.id,
        status=status,
        currency=seen.currency,
        amount_due_minor=seen.amount_due_minor,
        amount_paid_minor=seen.amount_paid_minor,
        amount_remaining_minor=seen.amount_remaining_minor,
        collection_method=seen.collection_method,
        livemode=seen.livemode,
        due_at=seen.due_at,
        stripe_payment=_stripe_payment(seen.payments.data, status),
        stripe_paid_minor=_stripes_share(seen.payments.data),
        highest_n=ours.highest_n,
        foreign_installation=ours.foreign_installation,
        our_reference=ours.our_reference,
        handed_by=ours.handed_by,
        credited_minor=seen.pre_payment_credit_minor + seen.post_payment_credit_minor,
    )


class _PaymentOf(Shape):
    type: Text
    payment_intent: dict[str, Any] | Id | None = None


class _InvoicePayment(Shape):
    status: Text
    payment: _PaymentOf
    amount_paid_minor: Minor | None = Field(alias="amount_paid", default=None)


class _Payments(Shape):
    data: list[_InvoicePayment]


class _Invoice(InvoiceShape):
    collection_method: Text
    # Asked for, so an answer without it is unreadable: an unseen bank debit would be charged twice.
    payments: _Payments


class _Deleted(Shape):
    id: Id
    livemode: bool | None = None
    currency: Currency = _NO_CURRENCY


def _deleted(connection: Connection, seen: _Deleted) -> InvoiceLook:
    return InvoiceLook(
        invoice_id=seen.id,
        status=InvoiceStatus.DELETED,
        currency=seen.currency,
        amount_due_minor=0,
        amount_paid_minor=0,
        amount_remaining_minor=0,
        collection_method="send_invoice",
        livemode=connection.livemode,
        due_at=None,
    )


def _stripe_payment(payments: list[_InvoicePayment], status: InvoiceStatus) -> StripePayment:
    """Paid counts more on a paid invoice, processing more on one that still asks for money."""
    paid = any(p.status == "paid" and p.payment.type in STRIPES_OWN for p in payments)
    if paid and status is InvoiceStatus.PAID:
        return StripePayment.PAID
    if any(p.status == "open" and _under_way(p.payment) for p in payments):
        return StripePayment.PROCESSING
    return StripePayment.PAID if paid else StripePayment.NONE


def _stripes_share(payments: list[_InvoicePayment]) -> int | None:
    """What Stripe's own payments brought; None where one of them does not say."""
    paid = [p for p in payments if p.status == "paid" and p.payment.type in STRIPES_OWN]
    known = [p.amount_paid_minor for p in paid if p.amount_paid_minor is not None]
    return sum(known) if len(known) == len(paid) else None


# A payment_record is money that somebody reported from elsewhere: Stripe did not collect it.
STRIPES_OWN = ("payment_intent", "charge")

# Each open send_invoice invoice has a default PaymentIntent that waits for a customer on the
# hosted page: it collects nothing in these states, and `pay` out of band cancels it. Assumed:
# requires_action is idle too (an abandoned 3-D Secure stays in it for ever; a customer who
# completes it during our charge is found by the report, and stranded). Whatever else it is in
# (processing, requires_capture, succeeded but not booked yet, a state to come) means that
# Stripe may be taking the money.
_IDLE = ("requires_payment_method", "requires_confirmation", "requires_action", "canceled")


def _under_way(payment: _PaymentOf) -> bool:
    intent: Mapping[str, Any] | str | None = payment.payment_intent
    if payment.type != "payment_intent" or not isinstance(intent, Mapping):
        # An open charge or record has been started; of an intent that is not shown nothing is
        # known: both are treated as money on its way.
        return True
    return intent.get("status") not in _IDLE
