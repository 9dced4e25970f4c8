"""What is to happen later: due things per clock (the sandbox's own, and each test clock)."""

from __future__ import annotations

import heapq
from typing import NamedTuple


class Due(NamedTuple):
    """What to do to which object; whether it still applies is asked when it is due."""

    at: int
    order: int
    kind: str
    id: str


class Agenda:
    """Due things in order of time, then of entry."""

    def __init__(self) -> None:
        self._heaps: dict[str | None, list[Due]] = {None: []}
        self._entered = 0

    def add(self, at: int, kind: str, id: str, clock_id: str | None = None) -> None:
        self._entered += 1
        heapq.heappush(self._heaps.setdefault(clock_id, []), Due(at, self._entered, kind, id))

    def next_at(self, clock_id: str | None = None) -> int | None:
        heap = self._heaps.get(clock_id)
        return heap[0].at if heap else None

    def take(self, until: int, clock_id: str | None = None) -> Due | None:
        """The earliest thing due by `until`, removed; None if there is none."""
        heap = self._heaps.get(clock_id)
        return heapq.heappop(heap) if heap and heap[0].at <= until else None

    def forget_clock(self, clock_id: str) -> None:
        self._heaps.pop(clock_id, None)

    def entries(self) -> list[tuple[str | None, Due]]:
        return [(clock_id, due) for clock_id, heap in self._heaps.items() for due in sorted(heap)]
