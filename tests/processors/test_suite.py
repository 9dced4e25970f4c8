"""The suite for adapters itself: no case hides another, and its table shows what really ran."""

from collections import Counter

from twintill.testing import Contract


def test_no_case_hides_one_of_the_same_name() -> None:
    names = Counter(
        name for part in Contract.__bases__ for name in vars(part) if name.startswith("test_")
    )
    assert sum(names.values()) >= 100
    assert not [name for name, times in names.items() if times > 1]
