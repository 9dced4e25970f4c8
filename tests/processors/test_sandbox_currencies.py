"""The sandbox processor counts some currencies otherwise than Stripe: exact, or refused unsent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.money import Money, stripe_exponent
from twintill.processors.sandbox.currencies import EXPONENTS, from_sandbox, to_sandbox
from twintill.sandbox.processor import dialect

_MINOR = st.integers(min_value=1, max_value=10**12)


def test_both_sides_of_the_wire_count_the_same() -> None:
    assert EXPONENTS == dialect.EXPONENTS


@given(minor=_MINOR, currency=st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_arrives_as_it_is_or_is_not_sent(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    missing = stripe_exponent(currency) - EXPONENTS[currency]
    if missing > 0 and minor % 10**missing:
        with pytest.raises(ValueError, match="cannot be expressed"):
            to_sandbox(money)
    else:
        assert from_sandbox(to_sandbox(money), currency) == money


@pytest.mark.parametrize(
    ("money", "there"),
    [
        (Money(4900_00, "ISK"), 4900),
        (Money(50_000_00, "UGX"), 50_000),
        (Money(12_345_00, "HUF"), 12_345),
        (Money(1_234_00, "TWD"), 1_234),
        (Money(4900, "JPY"), 4900),
        (Money(12_340, "BHD"), 12_340),
        (Money(4900, "CLP"), 490_000),
    ],
)
def test_the_special_ones(money: Money, there: int) -> None:
    assert to_sandbox(money) == there
