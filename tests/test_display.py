"""What people read: in each language and currency the same amount that Stripe counts."""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from babel import Locale
from babel.numbers import get_currency_symbol, parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from twintill.display import (
    amount_for,
    amount_with_code,
    date_for,
    exact,
    operators_locale,
    written,
)
from twintill.money import Money, stripe_exponent

# All that Stripe bills in.
CURRENCIES = re.findall(
    r"\w+",
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP "
    "BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL "
    "GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD "
    "KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD "
    "SHP SLE SOS SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST "
    "XAF XCD XOF XPF YER ZAR ZMW",
)
LOCALES = re.findall(
    r"\w+",
    "en en_GB en_IN de de_CH de_AT fr fr_CA es es_MX pt_BR it nl sv nb da fi pl cs hu tr ru "
    "uk ar ar_EG he fa ur hi bn th vi id ja ko zh_Hans zh_Hant_TW is sw el",
)
ANY_MONEY = st.builds(
    Money, st.integers(min_value=-(10**13), max_value=10**13), st.sampled_from(CURRENCIES)
)
ANY_LOCALE = st.sampled_from([Locale.parse(name) for name in LOCALES])
# Marks of direction, and of belonging together: seen by nobody.
_UNSEEN = re.compile("[\u200e\u200f\u061c\u2066-\u2069]")


def read_back(text: str, symbol: str, locale: Locale) -> Decimal:
    """As somebody who knows the language and the currency reads it."""
    seen = _UNSEEN.sub("", text).replace(_UNSEEN.sub("", symbol), "", 1)
    minus = any(sign in seen for sign in "-\u2212")
    number = parse_decimal(re.sub("[-\u2212]", "", seen).strip(), locale=locale)
    return -number if minus else number


@given(ANY_MONEY, ANY_LOCALE)
def test_what_is_shown_reads_back_as_the_same_amount(money: Money, locale: Locale) -> None:
    symbol = get_currency_symbol(money.currency, locale)
    assert read_back(amount_for(money, locale), symbol, locale) == exact(money)
    assert read_back(amount_with_code(money, locale), money.currency, locale) == exact(money)
    assert exact(money).scaleb(stripe_exponent(money.currency)) == money.minor


@pytest.mark.parametrize("name", LOCALES)
@pytest.mark.parametrize("currency", ["HUF", "TWD", "RSD", "LAK", "IDR", "ISK", "UGX", "EUR"])
def test_hundredths_that_are_there_are_shown(name: str, currency: str) -> None:
    shown = amount_for(Money(123450, currency), Locale.parse(name))
    assert "50" in shown.replace("1234", "")


@pytest.mark.parametrize(
    ("money", "locale", "shown"),
    [
        (Money(4900, "JPY"), "en", "¥4,900"),
        (Money(4900, "JPY"), "ja", "￥4,900"),
        (Money(4900, "JPY"), "de", "4.900 ¥"),
        (Money(490000, "ISK"), "is", "4.900 kr."),
        (Money(490000, "ISK"), "en", "ISK 4,900"),
        (Money(5000000, "UGX"), "en", "UGX 50,000"),
        (Money(1250, "RSD"), "en", "RSD 12.50"),
        (Money(1200, "RSD"), "en", "RSD 12"),
        (Money(1234560, "KWD"), "en", "KWD 1,234.560"),
        (Money(12340, "BHD"), "de", "12,340 BHD"),
        (Money(1234567, "HUF"), "hu", "12\u00a0345,67 Ft"),
        (Money(123400, "TWD"), "zh_Hant_TW", "$1,234.00"),
        (Money(-4900, "USD"), "en", "-$49.00"),
        (Money(4900, "EUR"), "de", "49,00 €"),
        (Money(123456700, "INR"), "hi", "₹12,34,567.00"),
        (Money(4900, "JPY"), "ar", "4,900 JP¥"),
        (Money(1234560, "KWD"), "ar_EG", "1,234.560 د.ك."),
        (Money(4900, "XOF"), "fr", "4\u202f900 F\u202fCFA"),
    ],
)
def test_as_people_write_it_there(money: Money, locale: str, shown: str) -> None:
    seen = _UNSEEN.sub("", amount_for(money, Locale.parse(locale)))
    assert seen.replace("\u00a0", " ") == shown.replace("\u00a0", " ")


def test_what_is_read_from_the_right_stays_one_piece() -> None:
    arabic = amount_for(Money(4900, "KWD"), Locale("ar"))
    assert (arabic[0], arabic[-1]) == ("\u2068", "\u2069")
    assert date_for(datetime(2026, 12, 3, tzinfo=UTC), Locale("he")).startswith("\u2068")


def test_an_amount_in_a_processors_own_units() -> None:
    assert written(Decimal("4900.05"), "CLP", Locale("en")) == "CLP\u00a04,900.05"


def test_a_day_is_the_same_for_everybody_and_its_month_has_a_name() -> None:
    late = datetime(2026, 12, 3, 23, tzinfo=timezone(timedelta(hours=-5)))
    assert date_for(late, Locale("en")) == "December 4, 2026"
    assert date_for(late, Locale("de")) == "4. Dezember 2026"
    assert date_for(late, Locale("ja")) == "2026年12月4日"
    assert date_for(late, Locale("en", "GB"), year=False) == "4 December"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("de_DE.UTF-8", "1.234,50 EUR"),
        ("en_US.UTF-8", "1,234.50 EUR"),
        ("C", "1,234.50 EUR"),
        ("xx_YY", "1,234.50 EUR"),
    ],
)
def test_the_operators_language_is_his_terminals(
    monkeypatch: pytest.MonkeyPatch, said: str, shown: str
) -> None:
    monkeypatch.delenv("LANGUAGE", raising=False)
    monkeypatch.setenv("LC_ALL", said)
    assert amount_with_code(Money(123450, "EUR"), operators_locale()) == shown
