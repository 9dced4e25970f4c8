"""Billing periods: where a subscription's boundaries fall, counted from its anchor in UTC."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def boundary(anchor: int, interval: str, count: int, index: int) -> int:
    """The index-th boundary after the anchor (0 is the anchor itself).

    Months are counted from the anchor, so that Jan 31 is followed by Feb 28 and then Mar 31.
    """
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in _DAYS:
        return int((start + timedelta(days=_DAYS[interval] * count * index)).timestamp())
    return int(add_months(start, _MONTHS[interval] * count * index).timestamp())


def next_boundary(anchor: int, interval: str, count: int, after: int) -> int:
    """The first boundary later than `after`."""
    index = max(1, _estimate(anchor, interval, count, after) - 1)
    while (end := boundary(anchor, interval, count, index)) <= after:
        index += 1
    return end


def previous_boundary(anchor: int, interval: str, count: int, before: int) -> int:
    """The last boundary earlier than `before`, counting backwards from the anchor if need be."""
    index = _estimate(anchor, interval, count, before) + 1
    while (start := boundary(anchor, interval, count, index)) >= before:
        index -= 1
    return start


def add_months(start: datetime, months: int) -> datetime:
    month_number = start.year * 12 + start.month - 1 + months
    year, month = divmod(month_number, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(start.day, last_day))


def _estimate(anchor: int, interval: str, count: int, at: int) -> int:
    days = _DAYS[interval] if interval in _DAYS else _MONTHS[interval] * 30.436875
    return int((at - anchor) / (days * count * 86400))
