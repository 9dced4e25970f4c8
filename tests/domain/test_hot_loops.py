"""Comparing ends, also where nothing was reported."""

from dataclasses import replace
from datetime import timedelta

from tests.domain.situations import (
    NOW,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    VOID,
    after,
    answer,
    give_back,
    new_payment,
    refund_answer,
    seen_note,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.outcomes import Approved, DeclineKind
from twintill.domain.return_facts import (
    MoneyBackTold,
    NoteStarted,
    SidesSeen,
)
from twintill.domain.steps import Compare, Credit, next_step
from twintill.money import Money


def test_comparing_ends_after_the_money_was_stranded_and_given_back() -> None:
    """Told while it was collected; then Stripe did not take it, and it went back."""
    told = decide(SITUATIONS["collected"], MoneyBackTold("credit_note.created"), POLICY, NOW)
    payment = decide(told.payment, f.ReportRefused(VOID), POLICY, NOW).payment
    later = NOW + timedelta(minutes=11)
    payment = decide(payment, give_back(payment), POLICY, later).payment
    gone = refund_answer(Approved("rfd_1", Money(5000, "EUR")))
    payment = decide(payment, gone, POLICY, later).payment
    if isinstance(next_step(payment), Compare):
        payment = decide(payment, SidesSeen(()), POLICY, later).payment
    assert payment.ended


def test_a_debit_that_fails_before_its_report_is_charged_again_not_compared() -> None:
    told = decide(SITUATIONS["collected-provisional"], MoneyBackTold("x"), POLICY, NOW).payment
    payment = decide(told, f.FailedLate("att_1", "nsf", "", DeclineKind.SOFT), POLICY, NOW).payment
    later = NOW + timedelta(days=4)
    if isinstance(next_step(payment), Compare):
        payment = decide(payment, SidesSeen(()), POLICY, later).payment
    assert not isinstance(next_step(payment), Compare)


def test_a_rest_note_that_is_in_stripe_does_not_stop_a_payment_that_waits_again() -> None:
    begun = after(new_payment(), start(), answer(PROVISIONAL), NoteStarted("note_1", 1, 2000, 7000))
    payment = decide(begun, f.FailedLate("att_1", "nsf", "", DeclineKind.SOFT), POLICY, NOW).payment
    if isinstance(next_step(payment), Credit):
        there = replace(seen_note(2000, "cn_1", "note_1"), out_of_band_minor=0)
        payment = decide(payment, SidesSeen((there,)), POLICY, NOW).payment
    assert not isinstance(next_step(payment), Credit)


def test_a_refund_in_doubt_of_a_failed_debit_is_not_looked_at_without_pause() -> None:
    payment = SITUATIONS["back-in-doubt"]
    payment = decide(payment, f.FailedLate("att_1", "nsf", ""), POLICY, NOW).payment
    payment = decide(payment, f.Unparked("looked at"), POLICY, NOW).payment
    after_it = decide(payment, f.RefundReplayStarted("ref_1"), POLICY, NOW).payment
    assert after_it.parked_why or (after_it.next_look_at or NOW) > NOW
