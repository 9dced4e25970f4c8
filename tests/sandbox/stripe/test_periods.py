"""Billing periods: every boundary follows from the anchor, and none is skipped."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.sandbox.stripe.periods import boundary, next_boundary, previous_boundary

ANCHORS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001
    lambda at: int(at.replace(tzinfo=UTC).timestamp())
)
INTERVALS = st.sampled_from(["day", "week", "month", "year"])


def days(anchor: str, interval: str, indexes: range) -> list[str]:
    start = int(datetime.fromisoformat(anchor).replace(tzinfo=UTC).timestamp())
    return [
        datetime.fromtimestamp(boundary(start, interval, 1, i), UTC).strftime("%m-%d")
        for i in indexes
    ]


def test_the_last_of_the_month_is_found_again() -> None:
    assert days("2026-01-31", "month", range(6)) == [
        "01-31",
        "02-28",
        "03-31",
        "04-30",
        "05-31",
        "06-30",
    ]
    assert days("2024-02-29", "year", range(3)) == ["02-29", "02-28", "02-28"]


@given(ANCHORS, INTERVALS, st.integers(1, 12), st.integers(0, 200))
def test_walking_by_next_boundary_meets_every_boundary(
    anchor: int, interval: str, count: int, index: int
) -> None:
    here, following = (boundary(anchor, interval, count, i) for i in (index, index + 1))
    assert here < following
    assert next_boundary(anchor, interval, count, here) == following
    assert next_boundary(anchor, interval, count, following - 1) == following
    assert previous_boundary(anchor, interval, count, following) == here


@pytest.mark.parametrize("interval", ["month", "year"])
@given(anchor=ANCHORS, index=st.integers(-20, 20))
def test_the_time_of_day_stays(interval: str, anchor: int, index: int) -> None:
    there = datetime.fromtimestamp(boundary(anchor, interval, 1, index), UTC)
    assert there.time() == datetime.fromtimestamp(anchor, UTC).time()
    midnight = datetime.combine(there.date(), datetime.min.time(), UTC)
    assert there - midnight < timedelta(days=1)
