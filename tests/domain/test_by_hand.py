"""Money by hand where the table does not reach: several at once, an attempt found, what is used."""

from dataclasses import replace

import pytest

from tests.domain.situations import (
    NO_ANSWER,
    NOW,
    POLICY,
    SITUATIONS,
    VOID,
    after,
    found,
    new_payment,
    paid_by_hand,
)
from twintill.domain import facts as f
from twintill.domain import hand_news
from twintill.domain.decide import decide
from twintill.domain.follow_on import FollowOnWhy, words_of
from twintill.domain.hand import HandKind, HandState
from twintill.domain.hand_facts import (
    CreditReturned,
    CreditTaken,
    HandPaymentCorrected,
    HandPaymentUndone,
)
from twintill.domain.hand_rules import correct_refusal, undo_refusal
from twintill.domain.payment import Payment, State
from twintill.domain.report import MORE_IS_DUE
from twintill.domain.return_facts import NoteMade, NoteStarted

UNDO = HandPaymentUndone("hp_1", "a mistake", "person:ada")
CORRECT = HandPaymentCorrected("hp_1", "it bounced", "person:ada")
USED = CreditTaken("hp_1", "hp_use", 1000, "person:ada")
PAID_OUT = CreditTaken("hp_1", "act_1", 1000, "person:ada", "SEPA 7")
BEFORE, TOO_MUCH = SITUATIONS["hand-collected"], SITUATIONS["hand-too-much"]


def code(payment: Payment, *, correct: bool = False) -> str | None:
    hand = payment.by_hand[0]
    refused = correct_refusal(payment, hand) if correct else undo_refusal(payment, hand)
    return refused.code if refused else None


def test_a_second_cheque_takes_the_payment_back_from_the_person_who_was_asked_for_the_rest() -> (
    None
):
    stopped = replace(BEFORE, parked_why=f"5000 is due: {MORE_IS_DUE}")
    second = after(stopped, paid_by_hand(hand_id="hp_2"))
    assert second.parked_why is None
    assert [hand.state for hand in second.by_hand] == [HandState.APPLIED, HandState.APPLIED]


def test_one_of_two_is_undone_and_the_other_is_reported() -> None:
    left = after(after(BEFORE, paid_by_hand(hand_id="hp_2")), UNDO)
    assert (left.state, left.unapplied_minor) == (State.COLLECTED, 5000)


def test_undone_beside_an_attempt_that_was_found_the_payment_stands_with_that_one() -> None:
    beside = after(BEFORE, found(BEFORE, NO_ANSWER))
    assert after(beside, UNDO).state is State.CHARGING
    assert after(beside, f.ReportRefused(VOID)).state is State.CHARGING


def test_while_it_is_reported_it_is_not_undone_and_before_that_not_corrected() -> None:
    assert code(replace(BEFORE, reports=1)) == "not_reported_yet"
    assert code(BEFORE, correct=True) == "not_reported_yet"
    assert code(TOO_MUCH) == "reported_already"


def test_what_is_used_must_come_back_first_and_what_is_paid_out_is_owed() -> None:
    used = after(TOO_MUCH, USED)
    assert (code(used), code(used, correct=True)) == ("credit_used", "credit_used")
    back = decide(used, CreditReturned("hp_1", "hp_use", 1000), POLICY, NOW)
    assert (back.payment, back.postings[0].kind) == (TOO_MUCH, "credit_returned")
    out = after(TOO_MUCH, PAID_OUT)
    assert (code(out), code(out, correct=True)) == ("credit_used", None)
    owed = decide(out, CORRECT, POLICY, NOW).postings[0].postings[0]
    assert (owed.account, owed.amount_minor) == ("customer:failed", 6000)
    moved = replace(out, by_hand=(replace(out.by_hand[0], kind=HandKind.CREDIT),))
    assert code(moved, correct=True) == "credit_used"


def test_corrected_its_note_is_followed_by_a_new_invoice_that_says_so() -> None:
    corrected = SITUATIONS["hand-corrected"]
    noted = after(corrected, NoteStarted("note_1", 1, 5000))
    order = decide(noted, NoteMade("note_1", "cn_1", 5000), POLICY, NOW).follow_on
    assert order is not None
    assert (order.why, order.amount_minor, order.try_at) == (FollowOnWhy.CORRECTED, 5000, None)
    assert words_of(order.why, "A-1") == "Invoice A-1, whose payment was corrected"


@pytest.mark.parametrize(
    ("before", "then", "told"),
    [
        (new_payment(), paid_by_hand(), ["recorded", "applied"]),
        (SITUATIONS["charging-started"], paid_by_hand(), ["recorded"]),
        (SITUATIONS["reported"], paid_by_hand(), ["recorded", "credited"]),
        (BEFORE, f.InvoiceReported(4000), ["credited"]),
        (BEFORE, UNDO, ["undone"]),
        (TOO_MUCH, CORRECT, ["corrected"]),
        (TOO_MUCH, USED, []),
    ],
)
def test_the_app_is_told(before: Payment, then: f.Fact, told: list[str]) -> None:
    news = hand_news.news(before, after(before, then))
    assert [name.removeprefix("hand_payment.") for name, _ in news] == told
