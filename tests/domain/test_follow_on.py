"""The one line of a follow-on says what it is for."""

from twintill.domain.follow_on import FollowOnWhy, words_of


def test_its_line_names_the_other_invoice() -> None:
    assert words_of(FollowOnWhy.REST, "A-1") == "Rest of invoice A-1"
    failed = "Invoice A-1, whose payment was returned by the bank"
    assert words_of(FollowOnWhy.FAILED_LATE, "A-1") == failed
