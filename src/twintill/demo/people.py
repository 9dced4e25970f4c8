"""The people of the story: who they are, what they buy, and what will happen to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from twintill.money import Money

CURRENCY = "EUR"
SEAT_MINOR = 4900


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody who signs up through Twintill."""

    name: str
    seats: int
    country: str
    postal_code: str
    ip_address: str  # of the ranges kept for documentation; the sandbox knows where they are
    automatic_tax: bool = False

    @property
    def email(self) -> str:
        return f"{self.name.lower()}@example.com"


ADA = Buyer("Ada", 1, "DE", "10115", "203.0.113.7", automatic_tax=True)
BEN = Buyer("Ben", 1, "FR", "75001", "198.51.100.20")
CLEO = Buyer("Cleo", 2, "IE", "D02 X285", "198.51.100.21")
DAN = Buyer("Dan", 3, "NL", "1012 AB", "198.51.100.22")
EVE = Buyer("Eve", 1, "DE", "20095", "203.0.113.8")
BUYERS = (ADA, BEN, CLEO, DAN, EVE)
STAYING = (ADA, BEN, CLEO, DAN)


@dataclass(frozen=True, slots=True)
class Account:
    """A buyer after `POST /v1/signups`: the ids on both sides."""

    buyer: Buyer
    signup_id: str
    customer_id: str
    subscription_id: str
    invoice_id: str
    checkout_url: str
    shown_minor: int

    @property
    def name(self) -> str:
        return self.buyer.name


@dataclass(frozen=True, slots=True)
class Stranger:
    """A customer of the same Stripe account who has nothing to do with Twintill."""

    name: str
    customer_id: str
    subscription_id: str


class Named(Protocol):
    """Who played, for the table at the end."""

    @property
    def names(self) -> Mapping[str, str]:
        """Who is who, by the customer's id at Stripe."""
        ...


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody, by name, and the price of a seat."""

    price_id: str
    accounts: dict[Buyer, Account]
    by_card: Stranger
    by_wire: Stranger

    @property
    def names(self) -> dict[str, str]:
        """Who is who, by the customer's id at Stripe."""
        everybody: tuple[Account | Stranger, ...] = (
            *self.accounts.values(),
            self.by_card,
            self.by_wire,
        )
        return {one.customer_id: one.name for one in everybody}


def money(minor: int) -> str:
    return str(Money(minor, CURRENCY))
