"""How many decimal places the sandbox processor counts in; CLP and ISK differ from Stripe's."""

from twintill.money import Money, from_exponent, to_exponent

MAX_AMOUNT = 99_999_999_999
EXPONENTS = {
    "CHF": 2,
    "CLP": 2,
    "EUR": 2,
    "GBP": 2,
    "ISK": 0,
    "JPY": 0,
    "KWD": 3,
    "SEK": 2,
    "USD": 2,
}


def to_sandbox(money: Money) -> int:
    """Raises KeyError for a currency that it does not take, ValueError for an inexact amount."""
    return to_exponent(money, EXPONENTS[money.currency])


def from_sandbox(amount: int, currency: str) -> Money:
    """Raises KeyError and ValueError as `to_sandbox`."""
    return from_exponent(amount, currency, EXPONENTS[currency])
