"""Whoever reads a page: his language, and no header that breaks it."""

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from twintill.display import amount_for
from twintill.money import Money
from twintill.web.reader import countries, country_of, locale_of


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "en"),
        ("", "en"),
        ("de-DE,de;q=0.9,en;q=0.8", "de_DE"),
        ("xx-YY, fr;q=0.3, it;q=0.7", "it"),
        ("en;q=0, sv", "sv"),
        ("*", "en"),
        ("zh-Hant-TW", "zh_Hant_TW"),
        ("../../etc/passwd", "en"),
    ],
)
def test_the_language_that_is_liked_best_and_known(header: str | None, expected: str) -> None:
    assert str(locale_of(header)) == expected


@given(st.text(max_size=2000))
def test_no_header_breaks_the_page(header: str) -> None:
    assert amount_for(Money(4900, "EUR"), locale_of(header))


def test_countries_are_by_name_and_guessed_from_the_language() -> None:
    codes = [code for code, _ in countries()]
    names = [name for _, name in countries()]
    assert {"DE", "US", "CA", "GB", "JP"} <= set(codes)
    assert "ZZ" not in codes
    assert "EU" not in codes
    assert names.index("France") < names.index("Germany")
    assert country_of(Locale("de", "AT")) == "AT"
    assert country_of(Locale("de")) == ""
