"""Money: an integer of minor units and an ISO code, never a float.

Minor units are always Stripe's (facts: Stripe's currencies page), also for currencies where
Stripe's exponent differs from ISO 4217. Processors convert at their adapter, with their own table.
"""

import re
from dataclasses import dataclass

# Stripe counts these in whole units.
_ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(),  # noqa: SIM905
)
# Stripe counts these in thousandths, and requires the last digit to be 0.
_THREE_DECIMAL = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
# Stripe counts these in hundredths although the currency has none: only multiples of 100 exist.
_WHOLE_IN_HUNDREDTHS = frozenset(("ISK", "UGX"))
_ISO = re.compile(r"[A-Z]{3}\Z")


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in Stripe's minor units; the currency is an upper-case ISO 4217 code."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units must be an int, got {self.minor!r}")
        if not _ISO.match(self.currency):
            raise ValueError(f"not an upper-case ISO currency code: {self.currency!r}")

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"cannot combine {self.currency} with {other.currency}")
        return other.minor

    def __str__(self) -> str:
        """For logs and terminals; pages format for the reader's locale."""
        exponent = stripe_exponent(self.currency)
        if exponent == 0:
            return f"{self.minor} {self.currency}"
        sign, digits = ("-" if self.minor < 0 else ""), str(abs(self.minor)).zfill(exponent + 1)
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]} {self.currency}"


def stripe_exponent(currency: str) -> int:
    """How many decimal places Stripe's minor units of this currency stand for."""
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2


def is_expressible(money: Money) -> bool:
    """Whether Stripe itself could bill this amount (its rounding rules for odd currencies)."""
    if money.currency in _WHOLE_IN_HUNDREDTHS:
        return money.minor % 100 == 0
    return money.currency not in _THREE_DECIMAL or money.minor % 10 == 0


def to_exponent(money: Money, exponent: int) -> int:
    """The same amount with another exponent.

    Raises ValueError when it cannot be expressed exactly: nothing is ever rounded.
    """
    have = stripe_exponent(money.currency)
    if exponent >= have:
        return money.minor * int(10 ** (exponent - have))
    quotient, rest = divmod(money.minor, int(10 ** (have - exponent)))
    if rest:
        raise ValueError(f"{money} cannot be expressed with {exponent} decimal places")
    return quotient


def from_exponent(value: int, currency: str, exponent: int) -> Money:
    """A processor's integer, counted with its own exponent, as Stripe's minor units.

    Raises ValueError when it cannot be expressed exactly.
    """
    have = stripe_exponent(currency)
    if have >= exponent:
        return Money(value * int(10 ** (have - exponent)), currency)
    quotient, rest = divmod(value, int(10 ** (exponent - have)))
    if rest:
        raise ValueError(f"{value}e-{exponent} {currency} has no exact Stripe amount")
    return Money(quotient, currency)
