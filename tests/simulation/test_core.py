"""A thousand random histories of the pure core: no rule breaks; the same seed is the same one."""

from tests.simulation.core import live


def test_no_history_breaks_a_money_rule() -> None:
    wrong = [history for history in map(live, range(1000)) if history.wrong]
    assert not wrong


def test_the_same_seed_is_the_same_history_told_or_not() -> None:
    first: list[str] = []
    second: list[str] = []
    assert live(7, first) == live(7, second) == live(7)
    assert first == second
