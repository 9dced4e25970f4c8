"""Reading a request's body: what is missing or ill-typed is said field by field."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from twintill.sandbox.gocardless.mistakes import invalid, wrong_usage

Json = dict[str, Any]
MOST_KEYS, MOST_IN_KEY, MOST_IN_VALUE = 3, 50, 500
_MOST_AMOUNT = 999_999_999_99


@dataclass(frozen=True, slots=True)
class Fields:
    """One resource's fields, or those of an object inside of it."""

    resource: str
    values: Json
    within: str = ""

    def inner(self, name: str) -> Fields:
        value = self.values.get(name)
        if value is None:
            return Fields(self.resource, {}, f"{self.within}{name}.")
        if not isinstance(value, dict):
            raise self.wrong(name, "must be an object")
        return Fields(self.resource, value, f"{self.within}{name}.")

    def text(self, name: str, most: int = 255) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(name, "must be a string")
        if len(value) > most:
            raise self.wrong(name, f"is too long (maximum is {most} characters)")
        return value

    def required(self, name: str, most: int = 255) -> str:
        value = self.text(name, most)
        if not value:
            raise self.wrong(name, "can't be blank")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def amount(self, name: str) -> int:
        """An integer, or a string of digits: the schema allows both."""
        value = self.values.get(name)
        if value is None:
            raise self.wrong(name, "is required")
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, "must be a number")
        if not 0 < value <= _MOST_AMOUNT:
            raise self.wrong(name, "must be greater than 0")
        return value

    def day(self, name: str) -> date | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise self.wrong(name, "must be a date formatted as YYYY-MM-DD") from None

    def url(self, name: str) -> str | None:
        value = self.text(name, 2000)
        if value is not None and not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", value):
            raise self.wrong(name, "is invalid")
        return value

    def metadata(self) -> Json:
        values = self.inner("metadata").values
        if len(values) > MOST_KEYS:
            raise self.wrong("metadata", f"can have at most {MOST_KEYS} keys")
        for key, value in values.items():
            if len(key) > MOST_IN_KEY:
                raise self.wrong("metadata", f"keys must be at most {MOST_IN_KEY} characters")
            if not isinstance(value, str) or len(value) > MOST_IN_VALUE:
                raise self.wrong(
                    "metadata", f"values must be strings of at most {MOST_IN_VALUE} characters"
                )
        return dict(values)

    def wrong(self, name: str, message: str, reason: str | None = None) -> Exception:
        return invalid(self.resource, f"{self.within}{name}", message, reason)


def read_body(body: bytes, content_type: str, envelope: str) -> Fields:
    """The object under the resource's name (or `data`, for actions)."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise wrong_usage(
            415, "invalid_content_type", "The Content-Type header must be application/json"
        )
    try:
        document = json.loads(body)
    except ValueError:
        raise wrong_usage(400, "bad_request", "The request body is not valid JSON") from None
    values = document.get(envelope) if isinstance(document, dict) else None
    if not isinstance(values, dict):
        raise wrong_usage(400, "invalid_document_structure", "Invalid document structure")
    return Fields(envelope, values)


def read_action(body: bytes, content_type: str) -> Fields:
    """An action's body is optional."""
    if not body.strip() or body.strip() in (b"null", b"{}"):
        return Fields("data", {})
    return read_body(body, content_type, "data")


def read_moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise wrong_usage(400, "invalid_filters", f"{name} is not a date and time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
