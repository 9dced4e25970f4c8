"""A small, fixed stand-in for Stripe Tax: which rate applies where, and when a place is not known.

Countries and US postal codes are in the tables below; everywhere else nothing is collected.
For IP addresses the three ranges reserved for documentation stand for three places.

Postal codes that bring trouble, in any country:
    00000   never recognized: refused at once where the location is validated
    00001   recognized when it is entered, and not any more when an invoice is finalized
    00002   the same, and automatic tax is switched off for the subscription (`disabled_reason`)
    00003   recognized; computing the tax fails for as long as it stands (`failed`: try later)
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

_COUNTRY_BASIS_POINTS = {
    "AT": 2000, "BE": 2100, "DE": 1900, "ES": 2100, "FR": 2000, "GB": 2000, "IE": 2300,
    "IT": 2200, "NL": 2100, "PL": 2300, "PT": 2300, "SE": 2500,
}  # fmt: skip
_US_ZIP_9_BASIS_POINTS = 825
_PLACES_OF_IPS = {
    ipaddress.ip_network("192.0.2.0/24"): {"country": "US", "postal_code": "94105", "state": "CA"},
    ipaddress.ip_network("198.51.100.0/24"): {"country": "FR", "postal_code": "75001"},
    ipaddress.ip_network("203.0.113.0/24"): {"country": "DE", "postal_code": "10115"},
}
_US_ZIP = re.compile(r"\d{5}(-\d{4})?\Z")
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
GONE, GONE_AND_OFF, FAILING = "00001", "00002", "00003"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Location:
    """A place that is precise enough to compute tax for."""

    country: str
    state: str | None
    postal_code: str | None
    source: str


@dataclass(frozen=True, slots=True)
class Rate:
    """What is added to an amount, in basis points (1900 = 19 %)."""

    basis_points: int
    country: str
    reason: str = "standard_rated"

    @property
    def id(self) -> str:
        return f"txr_1Sandbox{self.country}{self.basis_points:05d}"


def locate(customer: Json, ip_address: str | None) -> Location | None:
    """Where the customer is: shipping address, else billing address, else IP; None if not known.

    As at Stripe an imprecise address is not passed over for a better one of lower rank.
    """
    shipping = (customer.get("shipping") or {}).get("address")
    for source, address in (
        ("shipping_destination", shipping),
        ("billing_address", customer.get("address")),
        ("ip_address", _place_of(ip_address)),
    ):
        if address and any(address.get(part) for part in ("country", "postal_code")):
            return _recognize(address, source)
    return None


def state_of(customer: Json, ip_address: str | None) -> str:
    """As a customer's expanded `tax` shows it, and as an invoice meets it at its finalization."""
    location = locate(customer, ip_address)
    if location is None or location.postal_code in (GONE, GONE_AND_OFF):
        return "unrecognized_location"
    return "failed" if location.postal_code == FAILING else "supported"


def switches_off(customer: Json, ip_address: str | None) -> bool:
    location = locate(customer, ip_address)
    return location is not None and location.postal_code == GONE_AND_OFF


def rate_for(customer: Json, location: Location) -> Rate:
    """The rate for this customer at this place."""
    if customer.get("tax_exempt") == "exempt":
        return Rate(0, location.country, "customer_exempt")
    if customer.get("tax_exempt") == "reverse":
        return Rate(0, location.country, "reverse_charge")
    if location.country == "US":
        taxed = (location.postal_code or "").startswith("9")
        return Rate(_US_ZIP_9_BASIS_POINTS if taxed else 0, "US")
    return Rate(_COUNTRY_BASIS_POINTS.get(location.country, 0), location.country)


def tax_on(amount_minor: int, rate: Rate) -> int:
    """Exclusive tax, rounded half away from zero, one line at a time."""
    rounded = (abs(amount_minor) * rate.basis_points + 5000) // 10000
    return rounded if amount_minor >= 0 else -rounded


def tax_within(amount_minor: int, rate: Rate) -> int:
    """Inclusive tax: how much of a gross amount it is, rounded half away from zero."""
    whole = 10000 + rate.basis_points
    rounded = (abs(amount_minor) * rate.basis_points * 2 + whole) // (2 * whole)
    return rounded if amount_minor >= 0 else -rounded


def _place_of(ip_address: str | None) -> Json | None:
    if not ip_address:
        return None
    try:
        address = ipaddress.ip_address(ip_address)
    except ValueError:
        return None
    return next((place for net, place in _PLACES_OF_IPS.items() if address in net), None)


def _recognize(address: Json, source: str) -> Location | None:
    country, postal_code = address.get("country") or "", address.get("postal_code") or ""
    if not _COUNTRY.match(country) or postal_code == "00000":
        return None
    if postal_code in (GONE, GONE_AND_OFF, FAILING):
        return Location(country, address.get("state") or None, postal_code, source)
    if country == "US" and not _US_ZIP.match(postal_code):
        return None
    if country == "CA" and not (postal_code or address.get("state")):
        return None
    return Location(country, address.get("state") or None, postal_code or None, source)
