"""One API call as the handlers see it, and the pages of a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from twintill.sandbox.stripe.forms import Spec
from twintill.sandbox.stripe.refusal import invalid, missing
from twintill.sandbox.stripe.world import Json, Moment, World

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
PAGING: dict[str, Spec] = {
    "limit": "int",
    "starting_after": "str",
    "ending_before": "str",
    "expand": ["str"],
}


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked: typed parameters, the id or ids in the path, and when."""

    path: str
    params: dict[str, Any]
    moment: Moment
    path_ids: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.path_ids[0]

    @property
    def at(self) -> int:
        return self.moment.at


Handler = Callable[[World, Call], Json]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path (`{}` stands for an id), the parameters it takes, and who answers."""

    method: str
    pattern: str
    handler: Handler
    spec: dict[str, Spec] = field(default_factory=dict)


def page(call: Call, rows: Iterable[Json], noun: str = "object") -> Json:
    """The page that was asked for, of rows that come newest first."""
    limit = call.params.get("limit", DEFAULT_LIMIT)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise invalid(
            f"Invalid limit: must be between 1 and {MAX_LIMIT}",
            code="parameter_invalid_integer",
            param="limit",
        )
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise invalid("Pass starting_after or ending_before, not both.", param="ending_before")
    if before:
        data, has_more = _before(rows, before, limit, noun)
    else:
        data, has_more = _after(rows, after, limit, noun)
    return {"object": "list", "url": call.path, "has_more": has_more, "data": data}


def in_range(value: int, bounds: dict[str, int] | None) -> bool:
    """Whether a time is within a `created[gte]=`-like filter."""
    if not bounds:
        return True
    return (
        value > bounds.get("gt", value - 1)
        and value >= bounds.get("gte", value)
        and value < bounds.get("lt", value + 1)
        and value <= bounds.get("lte", value)
    )


def _after(
    rows: Iterable[Json], cursor: str | None, limit: int, noun: str
) -> tuple[list[Json], bool]:
    remaining = iter(rows)
    if cursor and not any(row["id"] == cursor for row in remaining):
        raise missing(noun, cursor, "starting_after", status=400)
    data = list(islice(remaining, limit + 1))
    return data[:limit], len(data) > limit


def _before(rows: Iterable[Json], cursor: str, limit: int, noun: str) -> tuple[list[Json], bool]:
    newer: list[Json] = []
    for row in rows:
        if row["id"] == cursor:
            return newer[-limit:], len(newer) > limit
        newer.append(row)
    raise missing(noun, cursor, "ending_before", status=400)
