"""Calls about subscriptions: always `send_invoice`, which Stripe calls active from the start."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twintill.domain.invoice import InvoiceLook
from twintill.errors import StripeRefused
from twintill.stripe_billing import marks
from twintill.stripe_billing.connection import Connection
from twintill.stripe_billing.invoices import RESOURCE_MISSING, look_at
from twintill.stripe_billing.shapes import SubscriptionShape

if TYPE_CHECKING:
    from stripe.params import SubscriptionCreateParams

ENDED = ("canceled", "incomplete_expired")

# One level too deep to show the invoice's PaymentIntent as well: an open invoice that just began
# counts as being paid until a last look has shown otherwise.
_WITH_INVOICE = ["latest_invoice.payments"]


@dataclass(frozen=True, slots=True)
class SubscriptionLook:
    """One readable answer of Stripe about one subscription."""

    id: str
    customer_id: str | None
    status: str  # Stripe's word, which may be a new one
    collection_method: str | None
    days_until_due: int | None
    ended_at: datetime | None
    latest_invoice_id: str | None
    op_id: str | None
    cancels_at_period_end: bool = False
    cancel_at: datetime | None = None
    default_payment_method_id: str | None = None  # at Stripe
    tax_disabled_because: str | None = None  # why Stripe switched automatic tax off by itself
    first_invoice: InvoiceLook | None = None  # only after creating or finding it

    @property
    def ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True)
class Subscriptions(Connection):
    async def create_subscription(  # noqa: PLR0913 -- what Stripe asks for, by its names
        self,
        customer_id: str,
        items: Sequence[tuple[str, int]],
        days_until_due: int,
        metadata: Mapping[str, str],
        op_id: str,
        key: str,
        *,
        trial_period_days: int | None = None,
        trial_end: int | None = None,
        automatic_tax: bool = False,
    ) -> SubscriptionLook:
        """Price ids and quantities in, the subscription with its first invoice (a draft) out."""
        params: SubscriptionCreateParams = {
            "customer": customer_id,
            "items": [{"price": price, "quantity": quantity} for price, quantity in items],
            "collection_method": "send_invoice",
            "days_until_due": days_until_due,
            "metadata": {**metadata, marks.OPERATION: op_id},
            "expand": _WITH_INVOICE,
        }
        if trial_period_days is not None:
            params["trial_period_days"] = trial_period_days
        if trial_end is not None:
            params["trial_end"] = trial_end
        if automatic_tax:
            params["automatic_tax"] = {"enabled": True}
        raw = await self.answer(
            self.client.v1.subscriptions.create_async(params, {"idempotency_key": key})
        )
        return subscription_look(self, raw)

    async def read_subscription(self, subscription_id: str) -> SubscriptionLook:
        raw = await self.answer(self.client.v1.subscriptions.retrieve_async(subscription_id))
        return subscription_look(self, raw)

    async def cancel_subscription(self, subscription_id: str) -> None:
        """At once; one that is gone or has ended is done (deletes carry no idempotency key)."""
        try:
            await self.answer(self.client.v1.subscriptions.cancel_async(subscription_id))
        except StripeRefused as refused:
            if refused.code == RESOURCE_MISSING:
                return
            if not (await self.read_subscription(subscription_id)).ended:
                raise

    async def cancel_at_period_end(
        self,
        subscription_id: str,
        key: str,
        *,
        ends: bool = True,
    ) -> SubscriptionLook:
        """At the end of what is paid for; `ends` False takes that back. Refused once it has ended.

        Stripe answers 400 to any change of a subscription that has ended.
        """
        call = self.client.v1.subscriptions.update_async(
            subscription_id, {"cancel_at_period_end": ends}, {"idempotency_key": key}
        )
        return subscription_look(self, await self.answer(call))

    async def list_live_subscriptions(self, customer_id: str) -> list[SubscriptionLook]:
        """Those that have not ended: while there is one, the customer keeps the token."""
        return [look async for look in self._all(customer_id, expand=[]) if not look.ended]

    async def find_subscription_by_op(
        self, customer_id: str, op_id: str
    ) -> SubscriptionLook | None:
        """The subscription that this operation created, ended or not; None if there is none."""
        async for look in self._all(customer_id, expand=[f"data.{e}" for e in _WITH_INVOICE]):
            if look.op_id == op_id:
                return look
        return None

    async def _all(self, customer_id: str, expand: list[str]) -> AsyncIterator[SubscriptionLook]:
        async for raw in self.every(
            self.client.v1.subscriptions.list_async,
            {"customer": customer_id, "status": "all", "expand": expand},
        ):
            yield subscription_look(self, raw)


def subscription_look(connection: Connection, raw: dict[str, Any]) -> SubscriptionLook:
    """One answer about one subscription, in our words."""
    seen = connection.read(SubscriptionShape, raw)
    invoice = raw.get("latest_invoice")
    return SubscriptionLook(
        id=seen.id,
        customer_id=seen.customer_id,
        status=seen.status,
        collection_method=seen.collection_method,
        days_until_due=seen.days_until_due,
        ended_at=seen.ended_at,
        latest_invoice_id=seen.latest_invoice_id,
        cancels_at_period_end=seen.cancel_at_period_end,
        cancel_at=seen.cancel_at,
        op_id=seen.metadata.get(marks.OPERATION) or None,
        default_payment_method_id=seen.default_payment_method_id,
        tax_disabled_because=seen.tax_disabled_because,
        first_invoice=look_at(connection, invoice) if isinstance(invoice, dict) else None,
    )
