"""Amounts and dates as people write them, for whoever reads: by babel, and never rounded.

CLDR gives many currencies no decimals (the Serbian dinar, the krona of Iceland) that Stripe counts
in hundredths. An amount that needs its hundredths is shown with them, whatever CLDR says. Digits
and separators are Latin in every language: babel writes no other digits.
"""

import unicodedata
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.core import default_locale
from babel.dates import format_date, format_skeleton
from babel.numbers import NumberPattern, get_currency_precision, get_currency_symbol

from twintill.money import Money, stripe_exponent

ENGLISH = Locale("en")
# What is written from right to left stays one piece in a sentence that is not.
_ISOLATE, _END = "\u2068", "\u2069"
_NO_BREAK = "\u00a0"


def amount_for(money: Money, locale: Locale) -> str:
    """As written where the reader lives: his symbol, his digits, his separators."""
    return written(exact(money), money.currency, locale)


def amount_with_code(money: Money, locale: Locale) -> str:
    """For people who work with many currencies: the ISO code, since a $ says too little."""
    value = exact(money)
    pattern = _pattern(locale.decimal_formats[None], _decimals(value, money.currency))
    return f"{pattern.apply(value, locale, currency_digits=False)} {money.currency}"


def written(value: Decimal, currency: str, locale: Locale) -> str:
    """The same for an amount that is not counted in Stripe's minor units."""
    pattern = _pattern(locale.currency_formats["standard"], _decimals(value, currency))
    _set_apart(pattern, get_currency_symbol(currency, locale))
    return _in_one_piece(
        pattern.apply(value, locale, currency=currency, currency_digits=False), locale
    )


def date_for(moment: datetime, locale: Locale, *, year: bool = True) -> str:
    """The day in UTC, with its month by name: no order of numbers can be misread."""
    day = moment.astimezone(UTC)
    if year:
        return _in_one_piece(format_date(day, "long", locale=locale), locale)
    return _in_one_piece(format_skeleton("MMMMd", day, locale=locale), locale)


def exact(money: Money) -> Decimal:
    """In whole units, never through a float."""
    return Decimal(money.minor).scaleb(-stripe_exponent(money.currency))


def operators_locale() -> Locale:
    """Of the terminal (LC_ALL, LC_MONETARY, LANG); English where that says nothing."""
    try:
        named = Locale.parse(default_locale("LC_MONETARY") or "en")
    except (ValueError, UnknownLocaleError):
        return ENGLISH
    return ENGLISH if named.variant == "POSIX" else named


def _decimals(value: Decimal, currency: str) -> int:
    """What is customary; but all that the amount has, when that would cut something off."""
    customary = get_currency_precision(currency)
    _, _, exponent = value.as_tuple()
    assert isinstance(exponent, int), "an amount is a number"
    return customary if value == round(value, customary) else -exponent


def _set_apart(pattern: NumberPattern, symbol: str) -> None:
    """CLDR's rule, which babel leaves out: a letter does not touch a digit ("KWD 1.250")."""
    starts_with_letter, ends_with_letter = (
        not unicodedata.category(edge).startswith("S") for edge in (symbol[0], symbol[-1])
    )
    if ends_with_letter:
        before, negative = pattern.prefix
        pattern.prefix = (_space_after(before), _space_after(negative))
    if starts_with_letter:
        behind, negative = pattern.suffix
        pattern.suffix = (_space_before(behind), _space_before(negative))


def _space_after(prefix: str) -> str:
    return f"{prefix}{_NO_BREAK}" if prefix.endswith("¤") else prefix


def _space_before(suffix: str) -> str:
    return f"{_NO_BREAK}{suffix}" if suffix.startswith("¤") else suffix


def _pattern(pattern: NumberPattern, decimals: int) -> NumberPattern:
    mine = copy(pattern)
    mine.frac_prec = (decimals, decimals)
    return mine


def _in_one_piece(text: str, locale: Locale) -> str:
    return f"{_ISOLATE}{text}{_END}" if locale.text_direction == "rtl" else text
