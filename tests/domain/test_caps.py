"""So much may go back by itself; beyond it a person looks."""

import pytest

from twintill.domain.caps import GivenBack, over_cap
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
