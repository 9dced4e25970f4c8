"""Which of the points that a process passed are worth dying at, and how many are different."""

import re

from tests.crash.cases import Case
from tests.crash.victim import BEFORE, POSTGRES, Point

# They change nothing, and which connection is told them first is chance.
_NOTHING = re.compile(
    r"(answer to )?(prepare |connect$|disconnect$|show |select pg_catalog)", re.IGNORECASE
)
# What a dispatcher does all the time; how often depends on how long it runs.
_PULSE = re.compile(r"(answer to )?(NOTIFY|SET |LISTEN|\w+ pgqueuer(_log)?$|UPDATE \w+ rung_at)")
_PULSES = 2
# A commit, or one of our statements that are a transaction by themselves.
_SEEN_BY_OTHERS = re.compile(r"(answer to )?(COMMIT|INSERT deliveries|NOTIFY|\w+ pgqueuer)")


def of_case(case: Case, passed: list[Point]) -> list[Point]:
    """The case's own part of what was passed, without chance and without the endless pulse."""
    first = next((n for n, p in enumerate(passed) if case.since in str(p)), len(passed))
    own = passed[first:]
    if case.until:
        last = next((n for n, p in enumerate(own) if case.until in str(p)), len(own))
        own = own[:last]
    return [p for p in own if not _NOTHING.match(p.name) and not _is_late_pulse(p)]


def different(points: list[Point]) -> list[Point]:
    """Inside a transaction nobody sees anything before its commit: there, dying before a statement
    is dying after the one before it. All three phases of what others see."""
    return [
        p
        for p in points
        if p.party != POSTGRES or p.phase == BEFORE or _SEEN_BY_OTHERS.match(p.name)
    ]


def _is_late_pulse(point: Point) -> bool:
    return _PULSE.match(point.name) is not None and point.nth > _PULSES
