"""After a restore: a credit note of ours that this database lost."""

from dataclasses import replace

from tests.domain.situations import (
    NOW,
    POLICY,
    SITUATIONS,
    seen_note,
)
from twintill.domain.decide import decide
from twintill.domain.return_facts import RefundSeenThere, SidesSeen
from twintill.money import Money


def test_the_name_of_a_lost_note_is_not_used_again() -> None:
    """Names are derived from n: a note that Stripe shows under our next name takes that n."""
    payment = decide(SITUATIONS["back-given"], SidesSeen((LOST,)), POLICY, NOW).payment
    assert payment.next_note_n == 2


LOST = replace(seen_note(2000, "cn_1", "note_1"), n=1)


def test_our_own_note_of_a_lost_time_is_never_given_back_by_itself() -> None:
    """It stands for money that had left us: its refund may show later, else a person looks."""
    early = decide(SITUATIONS["reported"], SidesSeen((LOST,)), POLICY, NOW).payment
    assert (early.notes, early.compare_at) == ((), NOW + POLICY.pair_pause)
    at_last = decide(early, SidesSeen((LOST,)), POLICY, NOW + POLICY.pair_pause).payment
    assert "of a lost time (cn_1)" in str(at_last.parked_why)
    assert [n.credit_note_id for n in at_last.notes] == ["cn_1"]


def test_it_is_explained_by_what_the_processor_shows_or_by_what_is_known_to_be_gone() -> None:
    refund = RefundSeenThere("rct_1", "rfd_9", Money(2000, "EUR"), 1, "ref_1", ours=True)
    both = decide(SITUATIONS["reported"], SidesSeen((LOST,), (refund,)), POLICY, NOW).payment
    assert (both.parked_why, both.refunded_minor, both.reported_minor) == (None, 2000, 3000)
    gone = decide(SITUATIONS["back-given"], SidesSeen((LOST,)), POLICY, NOW).payment
    assert (gone.ended, gone.parked_why) == (True, None)
