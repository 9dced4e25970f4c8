"""Takes single fields out of a processor's JSON, refusing what is not as documented. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from twintill.errors import ProcessorUnreachable

Json = Mapping[str, Any]
MAX_TEXT = 2000


class Unreadable(ProcessorUnreachable):
    """Not the shape that the processor documents; says what is wrong."""


def read_json(body: bytes) -> Json:
    """One JSON object, strictly: UTF-8, no NaN, nested within reason."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not readable JSON ({type(error).__name__})") from None
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value


def text_of(fields: Json, name: str) -> str:
    """A required text; printable, so that any database can store it."""
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise Unreadable(f"{name} is missing or not a text")
    if not value.isprintable():
        raise Unreadable(f"{name} holds characters that are no text")
    return value


def optional_text_of(fields: Json, name: str) -> str | None:
    return None if fields.get(name) is None else text_of(fields, name)


def words_of(fields: Json, name: str) -> str:
    """Words for a person: whatever is there, made printable; nothing depends on them."""
    value = fields.get(name)
    text = value if isinstance(value, str) else ""
    return "".join(sign if sign.isprintable() else " " for sign in text[:MAX_TEXT])


def whole_number_of(fields: Json, name: str, most: int) -> int:
    """A required integer from 1 to `most`; JSON's true is none."""
    value = fields.get(name)
    if type(value) is not int or not 0 < value <= most:
        raise Unreadable(f"{name} is not a whole number up to {most}")
    return value


def object_of(fields: Json, name: str) -> Json:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is missing or not an object")
    return value


def list_of(fields: Json, name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise Unreadable(f"{name} is missing or not a list")
    return value


def time_of(fields: Json, name: str) -> datetime | None:
    """An ISO time with its zone, or None where the field is null."""
    text = optional_text_of(fields, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{name} is not a time with its zone") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
