"""Credit notes and refunds of reported money: what each stands for, receipt by receipt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    APPROVED,
    NO_ANSWER,
    NOW,
    PART_GIVEN,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    SOFT,
    after,
    answer,
    give_reported,
    new_payment,
    refund_answer,
    seen_note,
    start,
)
from twintill.domain import facts as f
from twintill.domain.afterwards import available_minor, to_note_minor
from twintill.domain.decide import decide
from twintill.domain.facts import Via
from twintill.domain.money_back import AskState
from twintill.domain.payment import Payment, Reason, Receipt, State
from twintill.domain.refund_asks import Refused, choose
from twintill.domain.refund_books import which
from twintill.domain.return_facts import MoneyBackTold, RefundSeenThere, SidesSeen
from twintill.money import Money

REPORTED = SITUATIONS["reported"]


def but(payment: Payment, **changes: object) -> Payment:
    """With its receipt changed."""
    (receipt,) = payment.receipts
    return replace(payment, receipts=(replace(receipt, **changes),))  # type: ignore[arg-type]


def noted(payment: Payment, minor: int) -> tuple[Receipt, list[tuple[str, int]]]:
    """The receipt after a note of somebody's, and what was booked against what."""
    decision = decide(payment, SidesSeen((seen_note(minor, "cn_9"),)), POLICY, NOW)
    legs = [posted.postings[1] for posted in decision.postings]
    return decision.payment.receipts[0], [(leg.account, -leg.amount_minor) for leg in legs]


def test_a_note_is_taken_for_a_lost_dispute_before_it_is_taken_for_a_refund() -> None:
    lost = but(REPORTED, disputed_minor=2000, note_due_minor=-2000)
    assert to_note_minor(lost) == 2000
    receipt, booked = noted(lost, 3000)
    assert booked == [("credit_note:due", 2000), ("refund:due", 1000)]
    assert (receipt.note_due_minor, receipt.refund_due_minor) == (0, 1000)


def test_a_note_of_a_debit_that_failed_is_what_the_customer_owed() -> None:
    receipt, booked = noted(but(REPORTED, failed=True), 5000)
    assert booked == [("customer:failed", 5000)]
    assert receipt.reported_minor == 0


def test_money_that_waits_to_be_reported_is_reported_first() -> None:
    (old,) = REPORTED.receipts
    new = replace(old, id="rct_2", reported_minor=0)
    both = replace(
        REPORTED, receipts=(replace(old, failed=True), new), state=State.COLLECTED, ended=False
    )
    both = replace(both, next_look_at=NOW)
    decision = decide(both, SidesSeen((seen_note(5000, "cn_9"),)), POLICY, NOW)
    assert (decision.payment.state, decision.payment.next_look_at) == (State.COLLECTED, NOW)
    late = decide(SITUATIONS["back-under-way"], refund_answer(PART_GIVEN), POLICY, NOW).payment
    waits = replace(SITUATIONS["back-under-way"], receipts=(*late.receipts, new))
    assert decide(waits, refund_answer(PART_GIVEN), POLICY, NOW).payment.next_look_at is not None


def test_what_is_told_during_the_report_is_compared_after_it() -> None:
    collected = after(new_payment(), start(), answer(APPROVED), at=NOW - timedelta(hours=1))
    told = decide(collected, MoneyBackTold("credit_note.created"), POLICY, NOW).payment
    assert told.state is State.COLLECTED
    payment = decide(told, f.InvoiceReported(5000), POLICY, NOW).payment
    assert (payment.state, payment.ended) == (State.REPORTED, False)
    assert payment.next_look_at == NOW + POLICY.pair_pause


@pytest.mark.parametrize(
    ("payment", "code"),
    [
        (SITUATIONS["stranded"], "goes_back_by_itself"),
        (SITUATIONS["waiting-ready"], "nothing_to_refund"),
        (SITUATIONS["collected"], "not_reported_yet"),
        (SITUATIONS["refunded"], "nothing_to_refund"),
        (SITUATIONS["reported-provisional"], "not_final"),
        (SITUATIONS["back-out"], "refund_under_way"),
        (SITUATIONS["back-asked"], "refund_under_way"),
        (SITUATIONS["back-owed"], "refund_under_way"),
        (SITUATIONS["back-compared-soon"], "being_compared"),
        (SITUATIONS["back-refused"], "needs_person"),
        (SITUATIONS["disputed"], "disputed"),
        (but(REPORTED, failed=True), "nothing_to_refund"),
    ],
)
def test_when_a_refund_may_not_be_asked_for(payment: Payment, code: str) -> None:
    refused = choose(payment, 1000)
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_what_is_held_for_a_dispute_cannot_be_given_back() -> None:
    (receipt,) = but(REPORTED, withheld_minor=2000).receipts
    assert available_minor(receipt) == 3000


def test_by_hand_in_another_currency_fits_nothing() -> None:
    assert which(REPORTED.receipts[0], Money(1000, "USD")) is None


def test_a_refund_that_arrives_after_the_debit_failed_is_booked() -> None:
    failed = decide(
        SITUATIONS["back-under-way"], f.FailedLate("att_1", "nsf", ""), POLICY, NOW
    ).payment
    decision = decide(failed, refund_answer(PART_GIVEN), POLICY, NOW)
    assert [t.kind for t in decision.postings] == ["refunded"]
    assert decision.payment.reason is Reason.FAILED_LATE


def test_what_somebody_else_gave_back_meanwhile_is_refused() -> None:
    asked = but(SITUATIONS["back-asked"], reported_minor=1000, refunded_minor=4000)
    decision = decide(asked, give_reported(asked), POLICY, NOW)
    assert decision.give_back is None
    assert decision.payment.asks[0].state is AskState.REFUSED
    assert decision.payment.ended


def seen(minor: int, *, ours: bool) -> SidesSeen:
    fact = RefundSeenThere("rct_1", "rfd_9", Money(minor, "EUR"), 1, "ref_1", ours=ours)
    return SidesSeen((), (fact,))


def test_our_own_refund_of_a_lost_time_answers_who_asked_for_it() -> None:
    asked = SITUATIONS["back-asked"]
    for minor, ours, state in (
        (2000, True, AskState.DONE),
        (1000, True, AskState.WANTED),
        (2000, False, AskState.WANTED),
    ):
        payment = decide(asked, seen(minor, ours=ours), POLICY, NOW).payment
        assert payment.asks[0].state is state


def test_a_refund_in_doubt_of_a_parked_payment_is_noted_and_not_sent_again() -> None:
    in_doubt = replace(SITUATIONS["back-in-doubt"], parked_why="compare by hand")
    told = decide(in_doubt, refund_answer(NO_ANSWER), POLICY, NOW).payment
    assert (told.parked_why, told.reason) == ("compare by hand", in_doubt.reason)
    assert decide(in_doubt, f.RefundReplayStarted("ref_1"), POLICY, NOW).give_back is None


def test_an_old_decline_that_is_told_approved_while_another_is_out_is_for_a_person() -> None:
    second = after(new_payment(), start(), answer(SOFT), at=NOW - timedelta(days=3))
    out = after(second, start(2))
    payment = decide(out, answer(PROVISIONAL, Via.RECORD), POLICY, NOW).payment
    assert "another attempt is out" in str(payment.parked_why)
