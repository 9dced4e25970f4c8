"""How PayPal writes money, times and ids."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from twintill.sandbox.paypal.refusal import invalid, missing, unprocessable
from twintill.sandbox.processor.objects import Json

WHOLE = ("HUF", "JPY", "TWD")  # take no decimals here, whatever ISO 4217 says
_WITH_TWO = (
    "AUD BRL CAD CHF CNY CZK DKK EUR GBP HKD ILS MXN MYR NOK NZD PHP PLN RUB SEK SGD THB USD"
)
EXPONENTS = dict.fromkeys(WHOLE, 0) | dict.fromkeys(_WITH_TWO.split(), 2)
MAX_VALUE = Decimal("9999999.99")
_UPPER = "0123456789ABCDEFGHJKLMNPRSTUVWXY"
_LOWER = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUE = re.compile(r"-?[0-9]+|-?([0-9]+)?[.][0-9]+")


def new_id(prefix: str, chance: random.Random) -> str:
    """In the shape of PayPal's for each of the engine's objects."""
    if prefix == "tok":
        return _draw(chance, _LOWER, 8)  # a payment token, e.g. 8kk84519
    if prefix == "pcus":
        return _draw(chance, "0123456789", 10)
    if prefix == "dsp":
        return "PP-D-" + _draw(chance, "0123456789", 9)
    if prefix == "pevt":
        return f"WH-{_draw(chance, _UPPER, 17)}-{_draw(chance, _UPPER, 17)}"
    if prefix == "dlv":
        parts = (_draw(chance, "0123456789abcdef", size) for size in (8, 4, 4, 4, 12))
        return "-".join(parts)
    if prefix == "dbg":
        return _draw(chance, "0123456789abcdef", 13)
    if prefix == "access":
        return "A21AA" + _draw(chance, _UPPER + _LOWER, 90)
    if prefix == "payer":
        return _draw(chance, _UPPER, 13)
    return _draw(chance, _UPPER, 17)


def at(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at_home(moment: datetime) -> str:
    """As PayPal writes the times of refunds: California's, with its offset."""
    return moment.astimezone(timezone(timedelta(hours=-8))).isoformat(timespec="seconds")


def money(minor: int, currency: str) -> Json:
    exponent = EXPONENTS[currency]
    value = Decimal(minor).scaleb(-exponent)
    return {"currency_code": currency, "value": f"{value:.{exponent}f}"}


def read_money(amount: object, field: str) -> tuple[int, str]:
    """Minor units and currency. Raises PayPalRefusal as PayPal refuses each mistake."""
    if not isinstance(amount, dict):
        raise missing(field)
    currency, value = amount.get("currency_code"), amount.get("value")
    if currency is None:
        raise missing(f"{field}/currency_code")
    if value is None:
        raise missing(f"{field}/value")
    if not isinstance(currency, str) or re.fullmatch(r"[A-Z]{3}", currency) is None:
        text = "Currency code should be a three-character currency code."
        raise unprocessable("INVALID_CURRENCY_CODE", text, f"{field}/currency_code")
    if not isinstance(value, str) or len(value) > 32 or _VALUE.fullmatch(value) is None:
        text = "The value of a field does not conform to the expected format."
        raise invalid("INVALID_PARAMETER_SYNTAX", f"{field}/value", text, value)
    if currency not in EXPONENTS:
        text = "Currency code is not currently supported."
        raise unprocessable("CURRENCY_NOT_SUPPORTED", text, f"{field}/currency_code")
    return _minor(value, currency, f"{field}/value"), currency


def read_time(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        why = "The value of a field does not conform to the expected format."
        raise invalid("INVALID_PARAMETER_SYNTAX", field, why, text)
    return moment


def _minor(value: str, currency: str, field: str) -> int:
    decimals = len(value.partition(".")[2])
    if decimals and currency in WHOLE:
        text = "Currency does not support decimals."
        raise unprocessable("DECIMALS_NOT_SUPPORTED", text, field)
    if decimals > 2:
        text = "If the currency supports decimals, only two decimal place precision is supported."
        raise unprocessable("DECIMAL_PRECISION", text, field)
    number = Decimal(value)
    if number <= 0:
        text = (
            "Must be greater than zero. "
            "If the currency supports decimals, only two decimal place precision is supported."
        )
        raise unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE", text, field)
    if number > MAX_VALUE:
        text = f"Should be less than or equal to {MAX_VALUE}."
        raise unprocessable("MAX_VALUE_EXCEEDED", text, field)
    return int(number.scaleb(EXPONENTS[currency]))


def _draw(chance: random.Random, alphabet: str, size: int) -> str:
    return "".join(chance.choices(alphabet, k=size))
