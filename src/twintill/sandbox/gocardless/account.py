"""What the stand-in remembers beyond the engine: the merchant's account, mandates, flows, keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from twintill.sandbox.gocardless.words import COUNTRIES, SCHEMES

Json = dict[str, Any]


@dataclass(slots=True)
class Switches:
    """What the merchant's account may do; a test or a person turns them."""

    token_is_revoked: bool = False
    direct_debit_is_enabled: bool = True  # else no billing request and no payment is taken
    refunds_are_enabled: bool = True  # a new account has them disabled
    currencies: frozenset[str] = frozenset(SCHEMES)  # those that the creditor may collect
    requests_a_minute: int | None = None  # None: any number
    refunds_of_a_payment: int = 5
    # More than the balance that a refund may use; None: as much as it takes.
    refund_float_minor: int | None = None


@dataclass(slots=True)
class Customer:
    id: str
    created: datetime
    detail_id: str
    fields: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)

    @property
    def given_name(self) -> str:
        return str(self.fields.get("given_name") or "")


@dataclass(slots=True)
class Flow:
    id: str
    created: datetime
    expires: datetime
    url: str
    fields: Json

    @property
    def auto_fulfil(self) -> bool:
        return self.fields.get("auto_fulfil") is not False


@dataclass(slots=True)
class BillingRequest:
    """Beside the engine's set-up of the same id."""

    id: str
    created: datetime
    currency: str
    customer: str
    mandate_request_id: str
    mandate_request: Json
    metadata: Json
    flow: Flow | None = None  # the last one
    is_fulfilled: bool = False
    is_cancelled: bool = False
    mandate: str | None = None  # also while it waits to be fulfilled


@dataclass(slots=True)
class Mandate:
    """Beside the engine's method of the same id."""

    id: str
    created: datetime
    customer: str
    bank_account: str
    reference: str
    currency: str | None  # None: made behind the stage, and not charged yet
    metadata: Json = field(default_factory=dict)
    is_shown: bool = True  # not before its billing request is fulfilled
    ended_by: str | None = None  # merchant or customer

    @property
    def scheme(self) -> str:
        return SCHEMES[self.currency or "EUR"]

    @property
    def country(self) -> str:
        return COUNTRIES[self.currency or "EUR"]


@dataclass(slots=True)
class Records:
    """By id, except where said."""

    customers: dict[str, Customer] = field(default_factory=dict)
    billing_requests: dict[str, BillingRequest] = field(default_factory=dict)
    mandates: dict[str, Mandate] = field(default_factory=dict)
    by_bank_account: dict[str, str] = field(default_factory=dict)  # the mandate
    returned_refunds: set[str] = field(default_factory=set)
    retries: dict[str, int] = field(default_factory=dict)  # of a payment
    keys: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict)
    minute: datetime | None = None  # whose requests are counted
    requests: int = 0

    def created_with(
        self, collection: str, key: str | None, now: datetime, window: timedelta
    ) -> str | None:
        """The resource that this idempotency key made, while that is remembered."""
        made = None if key is None else self.keys.get((collection, key))
        return made[0] if made is not None and now - made[1] < window else None

    def remember(self, collection: str, key: str | None, resource_id: str, now: datetime) -> None:
        if key is not None:
            self.keys[collection, key] = (resource_id, now)

    def open_request_of(self, customer_id: str) -> BillingRequest | None:
        for request in reversed(self.billing_requests.values()):
            if request.customer == customer_id and request.mandate is None:
                return request
        return None
