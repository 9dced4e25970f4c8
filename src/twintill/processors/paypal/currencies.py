"""Which currencies PayPal takes, how many decimal places it writes, and amounts as it writes them.

Source: developer.paypal.com, REST API, Reference, Currency codes: three of them take no decimals,
whatever ISO 4217 and Stripe say of them. Nothing is rounded, in either direction.
"""

import re

from twintill.money import Money, stripe_exponent, to_exponent

EXPONENTS = {
    "AUD": 2,
    "BRL": 2,  # only between accounts in Brazil
    "CAD": 2,
    "CHF": 2,
    "CNY": 2,  # only between accounts in China
    "CZK": 2,
    "DKK": 2,
    "EUR": 2,
    "GBP": 2,
    "HKD": 2,
    "HUF": 0,
    "ILS": 2,
    "JPY": 0,
    "MXN": 2,
    "MYR": 2,  # only between accounts in Malaysia
    "NOK": 2,
    "NZD": 2,
    "PHP": 2,
    "PLN": 2,
    "SEK": 2,
    "SGD": 2,
    "THB": 2,
    "TWD": 0,
    "USD": 2,
}
# Orders v2, `MAX_VALUE_EXCEEDED`, has fifteen digits; far below that an amount is a mistake.
MAX_UNITS = 10**12
_VALUE = re.compile(r"(-?)([0-9]{1,16})(?:\.([0-9]{1,8}))?\Z")


def to_value(money: Money) -> str:
    """As PayPal writes it, "49.00" or "4900".

    Raises KeyError for a currency that it does not take, ValueError for an inexact amount.
    """
    exponent = EXPONENTS[money.currency]
    units = to_exponent(money, exponent)
    if not 0 < units < MAX_UNITS:
        raise ValueError(f"{money} is not an amount that can be moved")
    digits = str(units).zfill(exponent + 1)
    return f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits


def from_value(value: str, currency: str) -> Money:
    """A decimal string of PayPal's, which may be below zero, in any currency: what others do with
    the same account has to be read, too.

    Raises ValueError for what is no exact amount in Stripe's units.
    """
    read = _VALUE.match(value)
    if read is None:
        raise ValueError(f"{value[:40]!r} is not an amount")
    exponent = stripe_exponent(currency)
    sign, whole, fraction = read.group(1), read.group(2), read.group(3) or ""
    if fraction[exponent:].strip("0"):
        raise ValueError(f"{value} {currency} has more than {exponent} decimal places")
    minor = int(whole + fraction[:exponent].ljust(exponent, "0"))
    return Money(-minor if sign else minor, currency)
