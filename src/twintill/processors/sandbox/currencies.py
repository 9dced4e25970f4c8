"""How many decimal places the sandbox processor counts in.

As processors do, it differs from Stripe: CLP and MGA have hundredths there; HUF, ISK, TWD and UGX
have none, so that 12.50 of them cannot be charged there.
"""

from twintill.money import Money, from_exponent, to_exponent

MAX_AMOUNT = 99_999_999_999
EXPONENTS = {
    "AUD": 2,
    "BHD": 3,
    "BRL": 2,
    "CAD": 2,
    "CHF": 2,
    "CLP": 2,
    "CZK": 2,
    "DKK": 2,
    "EUR": 2,
    "GBP": 2,
    "HUF": 0,
    "INR": 2,
    "ISK": 0,
    "JOD": 3,
    "JPY": 0,
    "KRW": 0,
    "KWD": 3,
    "MGA": 2,
    "MXN": 2,
    "NOK": 2,
    "NZD": 2,
    "OMR": 3,
    "PLN": 2,
    "RON": 2,
    "RSD": 2,
    "SEK": 2,
    "TND": 3,
    "TWD": 0,
    "UGX": 0,
    "USD": 2,
    "VND": 0,
    "XOF": 0,
}


def to_sandbox(money: Money) -> int:
    """Raises KeyError for a currency that it does not take, ValueError for an inexact amount."""
    return to_exponent(money, EXPONENTS[money.currency])


def from_sandbox(amount: int, currency: str) -> Money:
    """Raises KeyError and ValueError as `to_sandbox`."""
    return from_exponent(amount, currency, EXPONENTS[currency])
