"""Our marks in an invoice's metadata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.stripe_billing import marks

OURS = "abcdefg2"
THEIRS = "zzzzzzz7"
ATTEMPTS = st.lists(st.integers(1, 10_000), max_size=30)


def test_an_untouched_invoice_has_no_marks() -> None:
    assert marks.read_marks({}, OURS) == marks.Marks(0, None, None)


def test_the_mark_of_attempt_five_stands_in_slot_one() -> None:
    assert marks.intent(OURS, 5) == {"twintill_abcdefg2_1": "5"}


@given(ns=ATTEMPTS)
def test_the_highest_attempt_ever_marked_stays_visible(ns: list[int]) -> None:
    metadata: dict[str, str] = {}
    for n in sorted(ns):
        metadata |= marks.intent(OURS, n)
    assert marks.read_marks(metadata, OURS).highest_n == max(ns, default=0)
    assert len(metadata) <= marks.SLOTS


def test_a_write_does_not_hide_a_later_attempt_of_another_copy() -> None:
    metadata = marks.intent(OURS, 4) | marks.intent(OURS, 3)
    assert marks.read_marks(metadata, OURS).highest_n == 4


@given(ours=ATTEMPTS, theirs=ATTEMPTS.filter(bool))
def test_another_installation_shows_beside_ours(ours: list[int], theirs: list[int]) -> None:
    metadata: dict[str, str] = {}
    for n in theirs:
        metadata |= marks.intent(THEIRS, n)
    for n in ours:
        metadata |= marks.intent(OURS, n)
    assert marks.read_marks(metadata, OURS).foreign_installation == THEIRS
    assert marks.read_marks(metadata, OURS).highest_n <= max(ours, default=0)


def test_our_reference_is_read_back() -> None:
    assert marks.read_marks({marks.REFERENCE: "tw-x-1"}, OURS).our_reference == "tw-x-1"


@pytest.mark.parametrize(
    "metadata",
    [
        {marks.OPERATION: "op_1"},
        {"twintill_abcdefg2_1": "one", "twintill_abcdefg2_2": "-1", "twintill_zzzzzzz7_0": ""},
        {"twintill_abcdefg2_1": "\u0661", "twintill_abcdefg2_2": "9" * 40},
        {"twintill_ABCDEFG2_1": "1", "twintill_abcdefg2_4": "1", "twintill_abcdefg1_1": "1"},
        {"my_twintill_abcdefg2_1": "1", "order": "1"},
    ],
)
def test_what_no_twintill_wrote_is_no_mark(metadata: dict[str, str]) -> None:
    assert marks.read_marks(metadata, OURS) == marks.Marks(0, None, None)


@given(metadata=st.dictionaries(st.text(max_size=40), st.text(max_size=40)))
def test_any_metadata_can_be_read(metadata: dict[str, str]) -> None:
    assert marks.read_marks(metadata, OURS).highest_n >= 0


def test_new_installation_ids_are_usable_and_differ() -> None:
    ids = {marks.new_installation_id() for _ in range(50)}
    assert len(ids) == 50
    assert all(marks.is_installation_id(i) for i in ids)


@pytest.mark.parametrize(("installation", "n"), [("ABCDEFGH", 1), ("short", 1), (OURS, 0)])
def test_a_mark_that_could_not_be_read_back_is_not_written(installation: str, n: int) -> None:
    with pytest.raises(ValueError, match=r"installation id|counted from 1"):
        marks.intent(installation, n)
