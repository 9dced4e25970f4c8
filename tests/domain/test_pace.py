"""How many calls may leave in a second, and who goes first."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from twintill.domain.pace import (
    Ask,
    AskAgain,
    Block,
    Lane,
    Limits,
    Urgency,
    push_back,
    take,
    unused,
)

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
LIVE = Limits(account_per_s=80, endpoint_per_s=20)
SECOND = timedelta(seconds=1)


def ms(count: float) -> timedelta:
    return timedelta(milliseconds=count)


def most_in_a_second(moments: list[datetime]) -> int:
    ordered = sorted(moments)
    return max(sum(begin <= m < begin + SECOND for m in ordered) for begin in ordered)


@pytest.mark.parametrize("seed", range(20))
def test_no_second_has_more_calls_than_the_rate_and_one_block(seed: int) -> None:
    rng = random.Random(seed)
    limits = Limits(rng.choice([5, 20, 80]), rng.choice([2, 20, 25]))
    account = unused(NOW)
    lanes = {endpoint: unused(NOW) for endpoint in ("pay", "update", "read")}
    left: dict[str, list[datetime]] = {endpoint: [] for endpoint in lanes}
    now = NOW
    for _ in range(400):
        endpoint = rng.choice(sorted(lanes))
        ask = Ask(rng.choice(list(Urgency)), rng.randint(1, limits.block), rng.random() < 0.5)
        block = take(account, lanes[endpoint], ask, limits, now)
        if isinstance(block, Block):
            account, lanes[endpoint] = block.account, block.endpoint
            left[endpoint] += [block.begins_at] * ask.calls
        now += ms(rng.choice([0, 0, 1, 30]))
    together = [moment for moments in left.values() for moment in moments]
    assert most_in_a_second(together) <= limits.account_per_s + limits.block
    for moments in left.values():
        assert most_in_a_second(moments) <= limits.endpoint_per_s + limits.block


def test_a_block_is_what_fits_into_a_tenth_of_a_second() -> None:
    assert LIVE.block == 2
    assert Limits(80, 80).block == 8
    assert Limits(3, 3).block == 1


def test_calls_leave_at_once_when_nobody_called_before() -> None:
    block = take(unused(NOW), unused(NOW), Ask(Urgency.READ, 2, more=False), LIVE, NOW)
    assert isinstance(block, Block)
    assert block.begins_at == NOW
    assert block.account.free_at == NOW + ms(25)
    assert block.endpoint.free_at == NOW + ms(100)


def test_a_pause_is_not_saved_up() -> None:
    long_ago = unused(NOW - timedelta(days=1))
    block = take(long_ago, long_ago, Ask(Urgency.READ, 2, more=False), LIVE, NOW)
    assert isinstance(block, Block)
    assert block.endpoint.free_at == NOW + ms(100)


@pytest.mark.parametrize("urgency", [Urgency.CHARGE, Urgency.OTHER, Urgency.READ])
def test_nobody_goes_before_a_report_that_waits(urgency: Urgency) -> None:
    first = take(unused(NOW), unused(NOW), Ask(Urgency.REPORT, 2, more=True), LIVE, NOW)
    assert isinstance(first, Block)
    less_urgent, as_urgent = Ask(urgency, 1, more=False), Ask(Urgency.REPORT, 1, more=False)
    soon, later = NOW + ms(200), NOW + ms(500)
    assert take(first.account, first.endpoint, less_urgent, LIVE, soon) == AskAgain(soon + ms(100))
    assert isinstance(take(first.account, first.endpoint, as_urgent, LIVE, soon), Block)
    assert isinstance(take(first.account, first.endpoint, less_urgent, LIVE, later), Block)


def test_waiting_for_one_endpoint_keeps_nobody_from_the_others() -> None:
    account, pay = unused(NOW), replace(unused(NOW), free_at=NOW + ms(90))
    reports = take(account, pay, Ask(Urgency.REPORT, 2, more=True), LIVE, NOW)
    assert isinstance(reports, Block)
    reads = Ask(Urgency.READ, 1, more=False)
    assert isinstance(take(reports.account, unused(NOW), reads, LIVE, NOW), Block)
    assert isinstance(take(reports.account, reports.endpoint, reads, LIVE, NOW), AskAgain)


def test_waiting_for_the_account_keeps_the_less_urgent_from_all_endpoints() -> None:
    account = replace(unused(NOW), free_at=NOW + ms(90))
    reports = take(account, unused(NOW), Ask(Urgency.REPORT, 2, more=True), LIVE, NOW)
    assert isinstance(reports, Block)
    reads = Ask(Urgency.READ, 1, more=False)
    assert isinstance(take(reports.account, unused(NOW), reads, LIVE, NOW), AskAgain)


def test_an_endpoint_that_is_stopped_stops_nobody_else() -> None:
    stopped = push_back(unused(NOW), NOW)
    ask = Ask(Urgency.REPORT, 2, more=False)
    assert take(unused(NOW), stopped, ask, LIVE, NOW) == AskAgain(stopped.free_at - ms(100))


def pushed(lane: Lane, now: datetime) -> tuple[Lane, timedelta]:
    after = push_back(lane, now)
    return after, after.free_at - now


def test_too_many_makes_everybody_wait_longer_each_time() -> None:
    lane, now, pauses = unused(NOW), NOW, []
    for _ in range(5):
        lane, pause = pushed(lane, now)
        pauses.append(pause.total_seconds())
        now = lane.pushed_until
    assert pauses == [1, 2, 4, 8, 8]


def test_a_volley_of_refusals_counts_once() -> None:
    once = push_back(unused(NOW), NOW)
    assert push_back(once, NOW + ms(300)) == once


def test_after_a_quiet_time_the_first_pause_is_short_again() -> None:
    lane = replace(unused(NOW), pushes=4, pushed_until=NOW - timedelta(seconds=31))
    assert pushed(lane, NOW)[1] == SECOND


def test_calls_that_were_given_out_further_ahead_stay_given() -> None:
    lane = replace(unused(NOW), free_at=NOW + timedelta(minutes=1))
    assert push_back(lane, NOW).free_at == NOW + timedelta(minutes=1)
