"""Whoever reads a page: which language he likes best, countries by name.

His browser says it (docs/decisions/0009): he sits in front of the page now.
"""

import re
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError

_TAG = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3})\s*(?:;\s*q=([01](?:\.\d{0,3})?))?")
_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_MOST_TAGS = 10
_ENGLISH = Locale("en")
# Not countries where anybody lives: unions, and codes for tests.
_NO_COUNTRIES = frozenset(("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"))


def locale_of(accept_language: str | None) -> Locale:
    """The first language of the header that we can write amounts in; else English."""
    tags: list[tuple[Decimal, str]] = []
    for part in (accept_language or "")[:500].split(",")[:_MOST_TAGS]:
        match = _TAG.fullmatch(part.strip())
        if match is not None:
            tags.append((Decimal(match[2] or "1"), match[1]))
    for weight, tag in sorted(tags, key=lambda tag: -tag[0]):
        locale = _parse(tag)
        if weight > 0 and locale is not None:
            return locale
    return _ENGLISH


def country_of(locale: Locale) -> str:
    """A guess for the form; the reader corrects it."""
    territory = locale.territory or ""
    return territory if any(territory == code for code, _ in countries()) else ""


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """(code, name), by name."""
    named = [
        (code, name)
        for code, name in _ENGLISH.territories.items()
        if _COUNTRY.match(code) and code not in _NO_COUNTRIES
    ]
    return tuple(sorted(named, key=lambda country: country[1].replace("Å", "A")))


@cache
def _parse(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError):
        return None
