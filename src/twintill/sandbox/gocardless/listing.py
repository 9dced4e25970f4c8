"""Lists: the newest first, in pages, from one cursor to the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from twintill.sandbox.gocardless.fields import read_moment
from twintill.sandbox.gocardless.mistakes import wrong_usage

Json = dict[str, Any]
USUAL_LIMIT, MOST = 50, 500
_CREATED = re.compile(r"created_at\[(gt|gte|lt|lte)\]")
_ALWAYS = frozenset(("after", "before", "limit"))


@dataclass(frozen=True, slots=True)
class Row:
    """One resource, and what it can be filtered by."""

    id: str
    created: datetime
    show: Callable[[], Json]
    filters: Mapping[str, str | None] = field(default_factory=dict)


def page(
    envelope: str,
    rows: Sequence[Row],  # the oldest first
    params: Mapping[str, str],
    filters: frozenset[str] = frozenset(),
    most: int = MOST,  # whatever is asked for
) -> Json:
    for name in params.keys() - filters - _ALWAYS:
        if not _CREATED.fullmatch(name):
            raise wrong_usage(400, "invalid_filters", f"{name} is not a filter of this list")
    wanted = [row for row in reversed(rows) if _matches(row, params, filters)]
    limit = shown_limit = min(_limit(params), most)
    start = _place(wanted, params["after"]) + 1 if "after" in params else 0
    if "before" in params:
        end = _place(wanted, params["before"])
        start = max(start, end - limit)
        limit = min(limit, end - start)
    shown = wanted[start : start + limit]
    more = start + limit < len(wanted)
    cursors = {
        "before": shown[0].id if shown and start > 0 else None,
        "after": shown[-1].id if shown and more else None,
    }
    return {
        envelope: [row.show() for row in shown],
        "meta": {"cursors": cursors, "limit": shown_limit},
    }


def _matches(row: Row, params: Mapping[str, str], filters: frozenset[str]) -> bool:
    for name, text in params.items():
        bound = _CREATED.fullmatch(name)
        if bound is not None and not _is_within(row.created, bound[1], read_moment(name, text)):
            return False
        if name in filters and row.filters.get(name) not in text.split(","):
            return False
    return True


def _is_within(created: datetime, bound: str, moment: datetime) -> bool:
    """Compared as shown: whole milliseconds."""
    shown = created.replace(microsecond=created.microsecond // 1000 * 1000)
    if bound == "gt":
        return shown > moment
    if bound == "gte":
        return shown >= moment
    return shown < moment if bound == "lt" else shown <= moment


def _limit(params: Mapping[str, str]) -> int:
    text = params.get("limit", str(USUAL_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 0 < int(text) <= MOST:
        raise wrong_usage(400, "invalid_filters", f"limit must be from 1 to {MOST}")
    return int(text)


def _place(rows: Sequence[Row], cursor: str) -> int:
    for place, row in enumerate(rows):
        if row.id == cursor:
            return place
    raise wrong_usage(400, "invalid_filters", f"There is no such cursor: {cursor}")
