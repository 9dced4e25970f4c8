"""Amounts as PayPal writes them: exact, or refused before anything is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.money import Money, stripe_exponent
from twintill.processors import ChargeRequest, PreparedCharge, RefundRequest, StoredMethod
from twintill.processors.paypal.currencies import EXPONENTS, MAX_UNITS, from_value, to_value
from twintill.processors.paypal.requests import prepare, prepare_refund
from twintill.sandbox.paypal import words

_MINOR = st.integers(min_value=1, max_value=MAX_UNITS - 1)


def test_both_sides_of_the_wire_count_the_same() -> None:
    """The stand-in also knows the rouble, which PayPal's list has lost since."""
    assert {code: n for code, n in words.EXPONENTS.items() if code != "RUB"} == EXPONENTS


@given(minor=_MINOR, currency=st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_arrives_as_it_is_or_is_not_sent(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    missing = stripe_exponent(currency) - EXPONENTS[currency]
    if missing > 0 and minor % 10**missing:
        with pytest.raises(ValueError, match="cannot be expressed"):
            to_value(money)
    else:
        assert from_value(to_value(money), currency) == money


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(1, "EUR"), "0.01"),
        (Money(4900, "EUR"), "49.00"),
        (Money(12_345_00, "HUF"), "12345"),
        (Money(1_234_00, "TWD"), "1234"),
        (Money(4900, "JPY"), "4900"),
    ],
)
def test_each_is_written_as_paypal_writes_it(money: Money, value: str) -> None:
    assert to_value(money) == value
    assert from_value(value, money.currency) == money


@pytest.mark.parametrize(
    "value", ["", "-", "1e3", "1,00", "0x1", " 1", "1.", ".5", "NaN", "\u0661"]
)
def test_what_is_no_decimal_number_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        from_value(value, "EUR")


def test_nothing_is_rounded() -> None:
    assert from_value("49.0", "EUR") == Money(4900, "EUR")
    assert from_value("4900.00", "JPY") == Money(4900, "JPY")
    assert from_value("-0.59", "EUR") == Money(-59, "EUR")
    with pytest.raises(ValueError, match="decimal places"):
        from_value("49.001", "EUR")
    with pytest.raises(ValueError, match="decimal places"):
        from_value("4900.5", "JPY")


def test_what_others_do_in_other_currencies_can_be_read() -> None:
    assert from_value("4900", "KRW") == Money(4900, "KRW")
    assert from_value("49.00", "INR") == Money(4900, "INR")
    with pytest.raises(ValueError, match="currency"):
        from_value("49.00", "euro")


def charge_of(amount: Money, **fields: str) -> PreparedCharge | NotSent:
    values = {"reference": "tw-1", "invoice_id": "in_1", "key": "key-1"} | fields
    request = ChargeRequest(
        reference=values["reference"],
        invoice_id=values["invoice_id"],
        amount=amount,
        method=StoredMethod("4990476113", "8kk84519", "wallet"),
        description="Invoice ACME-0007",
        metadata={},
    )
    return prepare(request, values["key"])


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (Money(10_50, "HUF"), NotSentReason.INEXACT),
        (Money(50, "TWD"), NotSentReason.INEXACT),
        (Money(MAX_UNITS, "EUR"), NotSentReason.INEXACT),
        (Money(4900, "KRW"), NotSentReason.CONFIG),
        (Money(0, "EUR"), NotSentReason.CONFIG),
        (Money(-1, "EUR"), NotSentReason.CONFIG),
    ],
)
def test_what_cannot_be_charged_exactly_is_not_sent(amount: Money, reason: NotSentReason) -> None:
    for prepared in (
        charge_of(amount),
        prepare_refund(RefundRequest("tw-r1", "3C679366HH908993F", amount), "rkey-1"),
    ):
        assert isinstance(prepared, NotSent)
        assert prepared.reason is reason
        assert amount.currency in prepared.detail


def test_a_request_id_that_paypal_would_refuse_is_not_sent() -> None:
    for fields in ({"key": "k" * 109}, {"key": ""}, {"reference": "ä"}, {"invoice_id": ""}):
        prepared = charge_of(Money(4900, "EUR"), **fields)
        assert isinstance(prepared, NotSent)
        assert prepared.reason is NotSentReason.CONFIG
