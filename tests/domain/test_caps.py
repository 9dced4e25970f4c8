"""So much may go back by itself; beyond it a person looks."""

import pytest

from twintill.domain.caps import AskedFor, GivenBack, over_asked_cap, over_cap
from twintill.domain.policy import Policy
from twintill.money import Money

POLICY = Policy()
ONE = Money(5000, "EUR")
BUSY_DAY = GivenBack(collected_minor_in_day=10_000_000)


def test_one_refund_on_a_busy_day_breaks_no_cap() -> None:
    assert over_cap(BUSY_DAY, ONE, POLICY) is None


def test_the_first_few_of_a_day_go_back_also_when_little_came_in() -> None:
    few = GivenBack(in_day=POLICY.refunds_without_share - 1, minor_in_day=9000)
    assert over_cap(few, ONE, POLICY) is None


@pytest.mark.parametrize(
    ("so_far", "said"),
    [
        (GivenBack(in_hour=20, collected_minor_in_day=10_000_000), "20 automatic refunds"),
        (
            GivenBack(in_hour=1, minor_in_hour=999_999, collected_minor_in_day=10_000_000),
            "10000.00 EUR an hour",
        ),
        (GivenBack(in_day=3, minor_in_day=6000, collected_minor_in_day=100_000), "10% of what"),
    ],
)
def test_each_cap_says_which_it_is(so_far: GivenBack, said: str) -> None:
    assert said in str(over_cap(so_far, ONE, POLICY))


def test_exactly_the_cap_is_within_it() -> None:
    last = GivenBack(in_hour=19, minor_in_hour=995_000, collected_minor_in_day=100_000_000)
    assert over_cap(last, ONE, POLICY) is None


@pytest.mark.parametrize(
    ("so_far", "minor", "said", "in_time"),
    [
        (AskedFor(50, 100), 1, "50 refunds asked for", True),
        (AskedFor(1, 4_999_000), 1001, "capped at 50000.00 EUR an hour", True),
        (AskedFor(), 5_000_001, "more than may be asked for in an hour", False),
    ],
)
def test_what_is_asked_for_has_caps_of_its_own(
    so_far: AskedFor, minor: int, said: str, in_time: bool
) -> None:
    over = over_asked_cap(so_far, Money(minor, "EUR"), POLICY)
    assert over is not None
    assert said in over.why
    assert over.in_time is in_time


def test_exactly_what_may_be_asked_for_is_within_it() -> None:
    assert over_asked_cap(AskedFor(49, 4_999_000), Money(1000, "EUR"), POLICY) is None


def test_none_at_all_may_be_asked_for() -> None:
    none = Policy(asked_refunds_per_hour=0)
    over = over_asked_cap(AskedFor(), ONE, none)
    assert over is not None
    assert not over.in_time
