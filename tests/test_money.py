"""Money: whole minor units, exact or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.money import Money, from_exponent, is_expressible, stripe_exponent, to_exponent

_CURRENCIES = st.sampled_from(("EUR", "USD", "JPY", "KWD", "ISK", "UGX", "XOF", "BHD", "GBP"))
_MINOR = st.integers(min_value=-(10**15), max_value=10**15)


@given(minor=_MINOR, currency=_CURRENCIES, more=st.integers(min_value=0, max_value=4))
def test_a_finer_exponent_and_back_is_the_same_money(minor: int, currency: str, more: int) -> None:
    money, exponent = Money(minor, currency), stripe_exponent(currency) + more
    assert from_exponent(to_exponent(money, exponent), currency, exponent) == money


@given(minor=_MINOR, currency=_CURRENCIES, exponent=st.integers(min_value=0, max_value=4))
def test_whatever_converts_converts_back_and_the_rest_is_refused(
    minor: int, currency: str, exponent: int
) -> None:
    money, have = Money(minor, currency), stripe_exponent(currency)
    if exponent < have and minor % 10 ** (have - exponent):
        with pytest.raises(ValueError, match="cannot be expressed"):
            to_exponent(money, exponent)
    else:
        assert from_exponent(to_exponent(money, exponent), currency, exponent) == money


@given(value=_MINOR, currency=_CURRENCIES, exponent=st.integers(min_value=0, max_value=5))
def test_a_processors_integer_is_exact_or_refused(value: int, currency: str, exponent: int) -> None:
    have = stripe_exponent(currency)
    if exponent > have and value % 10 ** (exponent - have):
        with pytest.raises(ValueError, match="no exact Stripe amount"):
            from_exponent(value, currency, exponent)
    else:
        assert to_exponent(from_exponent(value, currency, exponent), exponent) == value


@given(a=_MINOR, b=_MINOR, currency=_CURRENCIES)
def test_sums_and_differences_undo_each_other(a: int, b: int, currency: str) -> None:
    assert Money(a, currency) + Money(b, currency) - Money(b, currency) == Money(a, currency)


@pytest.mark.parametrize("minor", [1.0, "1", True, None])
def test_only_an_int_is_an_amount(minor: object) -> None:
    with pytest.raises(TypeError):
        Money(minor, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "EUR\n", "E1R", ""])
def test_a_currency_is_three_upper_case_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO currency"):
        Money(1, currency)


def test_currencies_never_mix() -> None:
    with pytest.raises(ValueError, match="cannot combine"):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(1999, "EUR"), "19.99 EUR"),
        (Money(-5, "EUR"), "-0.05 EUR"),
        (Money(0, "EUR"), "0.00 EUR"),
        (Money(500, "JPY"), "500 JPY"),
        (Money(1230, "KWD"), "1.230 KWD"),
    ],
)
def test_money_is_written_with_its_decimals(money: Money, text: str) -> None:
    assert str(money) == text


@pytest.mark.parametrize(
    ("money", "expressible"),
    [
        (Money(1, "EUR"), True),
        (Money(1, "JPY"), True),
        (Money(1230, "KWD"), True),
        (Money(1234, "KWD"), False),
        (Money(500, "ISK"), True),
        (Money(550, "ISK"), False),
        (Money(550, "UGX"), False),
    ],
)
def test_what_stripe_could_bill(money: Money, expressible: bool) -> None:
    assert is_expressible(money) is expressible
