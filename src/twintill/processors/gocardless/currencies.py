"""What GoCardless collects: eight currencies, all in hundredths as at Stripe, each by one scheme.

Source: its API reference, Payments and Mandates. The scheme is named when a mandate is asked for,
so that the customer's page cannot end with another currency, or with an open banking consent.
"""

import re

from twintill.money import Money, from_exponent, to_exponent

_EXPONENT = 2
MAX_AMOUNT = 9_999_999_999
SCHEMES = {
    "AUD": "becs",
    "CAD": "pad",
    "DKK": "betalingsservice",
    "EUR": "sepa_core",
    "GBP": "bacs",
    "NZD": "becs_nz",
    "SEK": "autogiro",
    "USD": "ach",
}
_WRITTEN = re.compile(r"([1-9][0-9]{0,9}) ([A-Z]{3})\Z")


def to_gocardless(money: Money) -> int:
    """Raises KeyError for a currency that it does not take, ValueError for an inexact amount."""
    if money.currency not in SCHEMES:
        raise KeyError(money.currency)
    return to_exponent(money, _EXPONENT)


def from_gocardless(amount: int, currency: str) -> Money:
    """Raises KeyError and ValueError as `to_gocardless`."""
    if currency not in SCHEMES:
        raise KeyError(currency)
    return from_exponent(amount, currency, _EXPONENT)


def written(amount: int, currency: str) -> str:
    """As it stands in the metadata of what we make there: its events name no amounts."""
    return f"{amount} {currency}"


def read_written(text: object) -> Money | None:
    """None: it is not of ours."""
    match = _WRITTEN.match(text) if isinstance(text, str) else None
    if match is None or match[2] not in SCHEMES:
        return None
    return from_gocardless(int(match[1]), match[2])
