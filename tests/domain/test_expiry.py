"""A card is good through the last day of its month."""

from datetime import UTC, datetime

import pytest

from twintill.domain.expiry import expires_at


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("08/27", datetime(2027, 9, 1, tzinfo=UTC)),
        ("12/34", datetime(2035, 1, 1, tzinfo=UTC)),
        ("01/2030", datetime(2030, 2, 1, tzinfo=UTC)),
        ("13/30", None),
        ("8/27", None),
        ("", None),
    ],
)
def test_a_card_expires_after_its_month(shown: str, expected: datetime | None) -> None:
    assert expires_at("card", {"exp": shown}) == expected


def test_what_is_no_card_or_says_nothing_does_not_expire() -> None:
    assert expires_at("bank_debit", {"exp": "08/27"}) is None
    assert expires_at("card", {"last4": "4242"}) is None
