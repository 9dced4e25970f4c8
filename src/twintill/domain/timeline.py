"""The story of an invoice as one list of lines, in the order in which things came to be known.

By our clock: what a sender's clock said is kept beside it (`occurred_at`), as events come late and
unordered. Of the same moment, the cause first: somebody's deed, what Stripe told, what a processor
told or answered, what that meant for the payment, what was booked, what the app was told. What is
still to come stands at the end.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """Whose word a line is."""

    PERSON = "person"
    STRIPE = "stripe"
    PROCESSOR = "processor"
    TWINTILL = "twintill"
    LEDGER = "ledger"


_CAUSES_FIRST = {source: place for place, source in enumerate(Source)}
_TOLD_LAST = len(_CAUSES_FIRST)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened, or (`planned`) that will; `n` orders those of one source."""

    id: str
    at: datetime
    source: Source
    kind: str
    text: str
    ids: Mapping[str, str]
    n: int = 0
    occurred_at: datetime | None = None
    is_news: bool = False  # told to the app: after what it tells
    planned: bool = False


def in_order(lines: Iterable[Line]) -> list[Line]:
    return sorted(lines, key=_place)


def behind(lines: list[Line], line_id: str) -> list[Line] | None:
    """The lines that follow this one; None: there is no such line."""
    places = [n for n, line in enumerate(lines) if line.id == line_id]
    return lines[places[0] + 1 :] if places else None


def _place(line: Line) -> tuple[bool, datetime, int, int, str]:
    rank = _TOLD_LAST if line.is_news else _CAUSES_FIRST[line.source]
    return line.planned, line.at, rank, line.n, line.id
