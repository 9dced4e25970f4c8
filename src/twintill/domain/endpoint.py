"""An endpoint that does not answer: when a delivery is tried again, when the endpoint is off."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# The schedule that the Standard Webhooks specification recommends: ten tries in three days.
PAUSES = tuple(
    timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
FAILS_FOR = timedelta(days=5)
FAILURES_MIN = 10
# Between two events nothing may be known for long: that is no proof of an outage.
_SILENCE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Standing:
    """Failures in a row, of all deliveries to one endpoint; a success ends them."""

    failures: int = 0
    failing_since: datetime | None = None
    failed_at: datetime | None = None


def next_try(tries: int, now: datetime) -> datetime | None:
    """When a delivery is sent again after its `tries`-th failure; None: not any more."""
    return now + PAUSES[tries - 1] if tries <= len(PAUSES) else None


def after_failure(before: Standing, now: datetime) -> Standing:
    """`now`: business time of this failure."""
    heard = before.failed_at is not None and now - before.failed_at <= _SILENCE
    if before.failing_since is None or not heard:
        return Standing(1, now, now)
    return Standing(before.failures + 1, before.failing_since, now)


def gives_up(standing: Standing, now: datetime) -> bool:
    """Nothing but failures for days, and enough of them: the endpoint is to be disabled."""
    since = standing.failing_since
    return since is not None and standing.failures >= FAILURES_MIN and now - since >= FAILS_FOR
