"""After a restore: a credit note of ours that this database lost."""

from dataclasses import replace

from tests.domain.situations import (
    NOW,
    POLICY,
    SITUATIONS,
    seen_note,
)
from twintill.domain.decide import decide
from twintill.domain.return_facts import (
    SidesSeen,
)


def test_the_name_of_a_lost_note_is_not_used_again() -> None:
    """Names are derived from n: a note that Stripe shows under our next name takes that n."""
    payment = decide(
        SITUATIONS["reported"],
        SidesSeen((replace(seen_note(2000, "cn_1", "note_1"), n=1),)),
        POLICY,
        NOW,
    ).payment
    assert payment.next_note_n == 2
