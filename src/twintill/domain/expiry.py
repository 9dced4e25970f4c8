"""When a stored card expires: at the end of the month that is printed on it. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_MONTH_AND_YEAR = re.compile(r"(0[1-9]|1[0-2])/(?:20)?(\d\d)", re.ASCII)


def expires_at(kind: str, display: Mapping[str, str]) -> datetime | None:
    """The moment after its last day; None where nothing readable says so.

    `display["exp"]` is "MM/YY" or "MM/20YY". UTC: banks differ by less than a day.
    """
    match = _MONTH_AND_YEAR.fullmatch(display.get("exp", "")) if kind == "card" else None
    if match is None:
        return None
    month, year = int(match[1]), 2000 + int(match[2])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
