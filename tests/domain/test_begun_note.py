"""A credit note that was begun, and is not due any more, is not made."""

from dataclasses import replace
from datetime import timedelta

from tests.domain.situations import (
    NOW,
    POLICY,
    SITUATIONS,
    SOFT,
    seen_note,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.facts import Via
from twintill.domain.return_facts import (
    MoneyBackTold,
    NoteFailed,
    NoteStarted,
    SidesSeen,
)


def test_a_begun_note_whose_refund_somebody_else_credited_is_not_made() -> None:
    """Ours was begun (2000 given back) and never reached Stripe; a person made it by hand."""
    begun = SITUATIONS["back-note-begun"]
    told = decide(begun, MoneyBackTold("credit_note.created"), POLICY, NOW).payment
    later = NOW + timedelta(minutes=11)
    seen = decide(told, SidesSeen((seen_note(2000, "cn_hand"),)), POLICY, later).payment
    assert seen.receipts[0].refund_due_minor == 0, "both sides agree"
    again = decide(seen, NoteStarted("note_1", 1, 2000), POLICY, later)
    assert again.make_note is None


def test_nor_when_the_refund_came_back_meanwhile() -> None:
    begun = SITUATIONS["back-note-begun"]
    came_back = f.RefundAnswered("ref_1", replace(SOFT, processor_payment_id="rfd_1"), Via.RECORD)
    back = decide(begun, came_back, POLICY, NOW).payment
    assert back.receipts[0].refund_due_minor == 0
    assert decide(back, NoteStarted("note_1", 1, 2000), POLICY, NOW).make_note is None


def test_a_note_that_stripe_failed_to_make_is_asked_for_under_its_next_key() -> None:
    begun = SITUATIONS["back-note-begun"]
    failed = decide(begun, NoteFailed("note_1", "HTTP 500"), POLICY, NOW).payment
    again = decide(failed, NoteStarted("note_1", 1, 2000), POLICY, NOW).make_note
    assert again is not None
    assert (again.id, again.key_n) == ("note_1", 1)
