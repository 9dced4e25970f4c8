"""Customers and their subscriptions at the simulated Stripe: who collects, when one ends, and where
a customer is, for tax. Each customer has one subscription."""

from __future__ import annotations

import asyncio
import math
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.simulation.afterwards import Afterwards
from tests.simulation.faults import Network
from tests.simulation.invoice import subscription_of
from twintill.domain.address import Address
from twintill.domain.invoice import InvoiceStatus as Status
from twintill.domain.tax import Located
from twintill.errors import StripeRefused
from twintill.stripe_billing.customers import CustomerLook
from twintill.stripe_billing.subscriptions import SubscriptionLook

PERIOD_S = 4 * 86_400.0  # what is left of a period when somebody cancels at its end
BY_STRIPE, BY_US = "charge_automatically", "send_invoice"
_MISSING = "resource_missing"
_BAD_PLACE = "customer_tax_location_invalid"
KNOWN_PLACE = {"country": "DE", "postal_code": "10115"}


@dataclass
class Customer:
    """`place`: what taxes are reckoned by; None: Stripe does not know where he is."""

    id: str
    deleted: bool = False
    method_ids: tuple[str, str] | None = None  # of the processor, in the metadata
    taxed: bool = False
    place: Mapping[str, str] | None = None

    @property
    def can_be_taxed(self) -> bool:
        return not self.taxed or self.place is not None


@dataclass
class Subscription:
    """`default_payment_method`: Stripe's own."""

    id: str
    customer_id: str
    collection_method: str = BY_US
    default_payment_method: str | None = None
    cancels_at_period_end: bool = False
    tax_disabled_because: str | None = None
    ended_s: float = math.inf
    taken_back: bool = False  # somebody lets it go on after all
    was_away: bool = False  # Stripe collected it for a while
    left_us_s: float = math.inf  # since when Stripe collects it itself

    @property
    def needs_us_not_s(self) -> float:
        """Since when no method at a processor is needed for it."""
        return min(self.ended_s, self.left_us_s)

    @property
    def ended(self) -> bool:
        return self.ended_s < math.inf

    def look(self) -> SubscriptionLook:
        at = datetime.fromtimestamp(self.ended_s, UTC) if self.ended else None
        by_us = self.collection_method == BY_US
        return SubscriptionLook(
            id=self.id,
            customer_id=self.customer_id,
            status="canceled" if self.ended else "active",
            collection_method=self.collection_method,
            days_until_due=30 if by_us else None,
            ended_at=at,
            latest_invoice_id=None,
            op_id=None,
            cancels_at_period_end=self.cancels_at_period_end,
            default_payment_method_id=self.default_payment_method,
            tax_disabled_because=self.tax_disabled_because,
        )

    def shape(self) -> dict[str, Any]:
        return {
            "object": "subscription",
            "id": self.id,
            "livemode": False,
            "status": "canceled" if self.ended else "active",
            "customer": self.customer_id,
            "collection_method": self.collection_method,
            "default_payment_method": self.default_payment_method,
            "cancel_at_period_end": self.cancels_at_period_end,
            "automatic_tax": {"disabled_reason": self.tax_disabled_because},
        }


@dataclass(frozen=True)
class Register:
    """All customers and subscriptions, by the customer's id; both come to be when asked for."""

    customers: dict[str, Customer] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def customer(self, customer_id: str) -> Customer:
        return self.customers.setdefault(customer_id, Customer(customer_id))

    def of(self, customer_id: str) -> Subscription:
        new = Subscription(subscription_of(customer_id), customer_id)
        return self.subscriptions.setdefault(customer_id, new)

    def subscription(self, subscription_id: str) -> Subscription:
        return self.of(subscription_id.removeprefix(subscription_of("")))


class Subscriptions(Afterwards, ABC):
    """What flows call, and what the rest of the world may do there (verbs without `async`)."""

    register: Register
    network: Network
    ended_customers: dict[str, float]  # since when

    async def was_ever_paid(self, subscription_id: str) -> bool:
        """By whatever means: invoices that are paid, and for which money came."""

        def paid(_: Any) -> bool:
            its = [i for i in self.shelf.invoices.values() if i.subscription_id == subscription_id]
            return any(i.paid_minor for i in its if i.status is Status.PAID)

        return await self._call("ever paid", subscription_id, paid)

    async def read_subscription(self, subscription_id: str) -> SubscriptionLook:
        its = self.register.subscription(subscription_id)
        return await self._call("read", subscription_id, lambda _: its.look())

    async def list_live_subscriptions(self, customer_id: str) -> list[SubscriptionLook]:
        def listed(_: Any) -> list[SubscriptionLook]:
            self._must_be_there(customer_id)
            its = self.register.of(customer_id)
            return [] if its.ended else [its.look()]

        return await self._call("subscriptions", customer_id, listed)

    async def cancel_subscription(self, subscription_id: str) -> None:
        """One that has ended is done."""
        its = self.register.subscription(subscription_id)
        await self._call("cancel", its.id, lambda _: self.end_subscription(its.customer_id))

    async def cancel_at_period_end(
        self, subscription_id: str, key: str, *, ends: bool = True
    ) -> SubscriptionLook:
        return await self._change(
            "cancel later", subscription_id, key, lambda: {"cancels_at_period_end": ends}
        )

    async def collect_by_stripe(
        self, subscription_id: str, payment_method_id: str, key: str
    ) -> SubscriptionLook:
        changes = {
            "collection_method": BY_STRIPE,
            "default_payment_method": payment_method_id,
        }
        return await self._change("to Stripe", subscription_id, key, lambda: changes)

    async def collect_by_invoice(
        self, subscription_id: str, days_until_due: int, key: str
    ) -> SubscriptionLook:
        return await self._change(
            "to us", subscription_id, key, lambda: {"collection_method": BY_US}
        )

    async def forget_default_method(self, subscription_id: str, key: str) -> SubscriptionLook:
        return await self._change(
            "forget method", subscription_id, key, lambda: {"default_payment_method": None}
        )

    async def enable_tax(self, subscription_id: str, key: str) -> None:
        def enabled() -> dict[str, Any]:
            customer_id = self.register.subscription(subscription_id).customer_id
            if not self.register.customer(customer_id).can_be_taxed:
                raise StripeRefused("nobody knows where he is", code=_BAD_PLACE)
            return {"tax_disabled_because": None}

        await self._change("enable tax", subscription_id, key, enabled)

    async def read_customer(self, customer_id: str) -> CustomerLook:
        def read(_: Any) -> CustomerLook:
            customer = self.register.customer(customer_id)
            there, token = customer.method_ids or (None, None)
            return CustomerLook(customer_id, customer.deleted, there, token, None)

        return await self._call("customer", customer_id, read)

    async def write_method_ids(self, customer_id: str, there: str, token: str) -> None:
        await self._call(
            "method ids", customer_id, lambda _: self._put_ids(customer_id, (there, token))
        )

    async def clear_method_ids(self, customer_id: str) -> None:
        await self._call("clear", customer_id, lambda _: self._put_ids(customer_id, None))

    async def read_location(self, customer_id: str) -> Located:
        def read(_: Any) -> Located:
            customer = self.register.customer(customer_id)
            if customer.deleted:
                return Located("not_collecting", None, None)
            state = "supported" if customer.can_be_taxed else "unrecognized_location"
            place = customer.place and Address(**{**_NOWHERE, **customer.place})
            return Located(state, place or None, None)

        return await self._call("place", customer_id, read)

    async def write_location(
        self, customer_id: str, address: Mapping[str, str] | None, ip: str | None
    ) -> None:
        def written(_: Any) -> None:
            self._must_be_there(customer_id)
            if not address or not address.get("postal_code"):
                raise StripeRefused("no such place", code=_BAD_PLACE)
            self.put_place(customer_id, address)

        await self._call("write place", customer_id, written)

    # What the merchant, the customer and time do there.

    def end_subscription(self, customer_id: str) -> None:
        its, now_s = self.register.of(customer_id), asyncio.get_running_loop().time()
        its.ended_s = min(its.ended_s, now_s)
        self.ended_customers.setdefault(customer_id, now_s)
        for invoice in self.shelf.invoices.values():
            if invoice.subscription_id == its.id and invoice.status in (Status.DRAFT, Status.OPEN):
                invoice.auto_advance = False
        self._event("customer.subscription.deleted", its.shape())

    def announce_subscription(self, customer_id: str) -> None:
        self._event("customer.subscription.created", self.register.of(customer_id).shape())

    def change_by_hand(self, customer_id: str, **changes: Any) -> None:
        """In the Dashboard: no key tells whose change it is."""
        its = self.register.of(customer_id)
        if not its.ended:
            self._change_now(its, changes, None)

    def delete_customer(self, customer_id: str) -> None:
        """His subscription goes with him; what was open stays so."""
        customer = self.register.customer(customer_id)
        if customer.deleted:
            return
        customer.deleted, customer.method_ids = True, None
        if not self.register.of(customer_id).ended:
            self.end_subscription(customer_id)
        shown = {"object": "customer", "id": customer_id, "livemode": False, "deleted": True}
        self._event("customer.deleted", shown)

    def put_place(self, customer_id: str, place: Mapping[str, str]) -> None:
        customer = self.register.customer(customer_id)
        customer.place = dict(place)
        shown = {"object": "customer", "id": customer_id, "livemode": False}
        self._event("customer.updated", shown, previous={"address": None})

    def disable_tax(self, customer_id: str) -> None:
        """By itself, when a finalization failed for want of a place."""
        its = self.register.of(customer_id)
        self._change_now(its, {"tax_disabled_because": "requires_location_inputs"}, None)

    async def _change(
        self, what: str, subscription_id: str, key: str, wanted: Callable[[], dict[str, Any]]
    ) -> SubscriptionLook:
        its = self.register.subscription(subscription_id)

        def changed() -> SubscriptionLook:
            if its.ended:
                raise StripeRefused("a canceled subscription cannot be updated")
            self._change_now(its, wanted(), key)
            return its.look()

        return await self._call(what, its.id, lambda _: self._once(key, changed))

    def _change_now(self, its: Subscription, changes: dict[str, Any], key: str | None) -> None:
        was = {name: getattr(its, name) for name in changes}
        for name, value in changes.items():
            setattr(its, name, value)
        changed = {name: value for name, value in was.items() if value != getattr(its, name)}
        if not changed:
            return
        if "collection_method" in changed:
            now_s = asyncio.get_running_loop().time()
            its.left_us_s = now_s if its.collection_method == BY_STRIPE else math.inf
            its.was_away = True
        self._event("customer.subscription.updated", its.shape(), key, previous=changed)
        its.taken_back = its.taken_back or changed.get("cancels_at_period_end") is True
        if changed.get("cancels_at_period_end") is False:
            self.network.later(PERIOD_S, lambda _: self._period_ends(its))

    def _period_ends(self, its: Subscription) -> None:
        if its.cancels_at_period_end and not its.ended:
            self.network.trace.say("stripe", f"the period of {its.id} ends")
            self.end_subscription(its.customer_id)

    def _put_ids(self, customer_id: str, ids: tuple[str, str] | None) -> None:
        self._must_be_there(customer_id)
        self.register.customer(customer_id).method_ids = ids

    def _must_be_there(self, customer_id: str) -> None:
        if self.register.customer(customer_id).deleted:
            raise StripeRefused(f"No such customer: {customer_id}", code=_MISSING)


_NOWHERE = {"country": "", "postal_code": "", "line1": "", "city": "", "state": ""}
