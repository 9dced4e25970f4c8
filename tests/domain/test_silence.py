"""Which silence of Stripe's is unusual."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from twintill.domain.silence import Signs, unusual

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WELL = Signs(
    heard_at=NOW - timedelta(minutes=50),
    gaps=(timedelta(hours=9), timedelta(hours=8), timedelta(minutes=20)),
    reported_at=NOW - timedelta(minutes=50),
    echoed=True,
    draft_since=NOW - timedelta(minutes=70),
    expecting=True,
)


def test_all_is_well() -> None:
    assert unusual(WELL, NOW) is None


@pytest.mark.parametrize(("minutes", "says"), [(2, None), (4, "invoice.paid")])
def test_our_own_report_comes_back_within_minutes(minutes: int, says: str | None) -> None:
    reported = NOW - timedelta(minutes=minutes)
    said = unusual(replace(WELL, reported_at=reported, echoed=False), NOW)
    assert said is None if says is None else says in str(said)


def test_a_draft_is_finalized_after_an_hour() -> None:
    said = unusual(replace(WELL, draft_since=NOW - timedelta(minutes=91)), NOW)
    assert "invoice.finalized" in str(said)


def test_silence_is_measured_by_what_is_usual_here() -> None:
    long_ago = NOW - timedelta(minutes=61)
    assert unusual(replace(WELL, heard_at=long_ago), NOW) is not None
    nights = (timedelta(hours=9),) * 3
    assert unusual(replace(WELL, heard_at=long_ago, gaps=nights), NOW) is None
    assert unusual(replace(WELL, heard_at=NOW - timedelta(hours=19), gaps=nights), NOW) is not None


def test_of_few_deliveries_nothing_is_known() -> None:
    assert unusual(replace(WELL, heard_at=NOW - timedelta(days=3), gaps=()), NOW) is None


def test_an_endpoint_that_was_never_set_up_is_noticed() -> None:
    never = replace(WELL, heard_at=None, gaps=())
    assert unusual(never, NOW) is not None
    assert unusual(replace(never, expecting=False), NOW) is None


def test_nobody_waits_where_nothing_can_happen() -> None:
    idle = replace(WELL, heard_at=NOW - timedelta(days=9), expecting=False)
    assert unusual(idle, NOW) is None
    assert unusual(replace(WELL, reported_at=None, draft_since=None), NOW) is None
