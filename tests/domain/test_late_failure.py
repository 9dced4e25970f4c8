"""A debit fails after Stripe was told of it: credited first, then invoiced and collected anew."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.domain.situations import (
    APPROVED,
    DUE,
    LOOK,
    NOW,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    answer,
    new_payment,
    seen_note,
    start,
)
from twintill.domain import facts as f
from twintill.domain import ledger
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.facts import Via
from twintill.domain.follow_on import FollowOn, FollowOnWhy
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import FailedAfterReport, Policy, ReportWhen
from twintill.domain.return_facts import NoteMade, NoteStarted, RefundAsked, SidesSeen
from twintill.domain.steps import Ask, Credit, Report, Rest, next_step

DEBIT = SITUATIONS["reported-provisional"]
WHEN_FINAL = Policy(report_when=ReportWhen.FINAL)
BY_PERSON = Policy(failed_after_report=FailedAfterReport.PERSON)


def learned(payment: Payment, fact: f.Fact, policy: Policy = POLICY) -> Decision:
    return decide(payment, fact, policy, NOW)


def failed(kind: DeclineKind = DeclineKind.SOFT, policy: Policy = POLICY) -> Payment:
    return learned(DEBIT, f.FailedLate("att_1", "nsf", "", kind), policy).payment


def begun(payment: Payment) -> Payment:
    return learned(payment, NoteStarted("note_1", 1, 5000)).payment


def credited(payment: Payment, policy: Policy = POLICY) -> Decision:
    return learned(begun(payment), NoteMade("note_1", "cn_1", 5000), policy)


def test_it_is_credited_and_only_then_invoiced_anew() -> None:
    assert isinstance(next_step(failed()), Credit)
    assert learned(failed(), NoteStarted("note_1", 1, 5000)).follow_on is None
    done = credited(failed())
    at = NOW + timedelta(days=1)
    assert done.follow_on == FollowOn("note_1", 5000, FollowOnWhy.FAILED_LATE, at)
    after = done.payment
    assert (after.state, after.reason, after.ended) == (State.REPORTED, Reason.FAILED_LATE, True)
    assert [leg.account for t in done.postings for leg in t.postings] == [
        "stripe:reported",
        "customer:failed",
    ]


def test_told_again_it_is_not_invoiced_again() -> None:
    after = credited(failed()).payment
    assert learned(after, NoteMade("note_1", "cn_1", 5000)).follow_on is None
    assert learned(after, f.FailedLate("att_1", "nsf", "")).follow_on is None
    assert learned(after, f.InvoiceReported(5000)).note == "reported already"
    assert isinstance(next_step(after), Rest)


def test_a_note_whose_answer_was_lost_counts_when_it_is_listed() -> None:
    ours = replace(seen_note(5000, "cn_1"), our_id="note_1")
    listed = learned(begun(failed()), SidesSeen((ours,)))
    assert listed.follow_on == credited(failed()).follow_on


def test_who_credits_it_in_stripe_may_have_forgiven_it() -> None:
    decision = learned(failed(), SidesSeen((seen_note(5000, "cn_9"),)))
    assert decision.follow_on is None
    assert decision.payment.reported_minor == 0


@pytest.mark.parametrize("kind", [DeclineKind.HARD, DeclineKind.REVOKED])
def test_after_a_hard_failure_nothing_is_waited_for(kind: DeclineKind) -> None:
    follow_on = credited(failed(kind)).follow_on
    assert follow_on is not None
    assert follow_on.try_at is None  # dunning never takes that token again: another one at once


def test_without_retries_it_waits_a_day() -> None:
    never = Policy(retry_pauses=(), retry_gap_min=timedelta(days=2))
    follow_on = credited(failed(policy=never), never).follow_on
    assert follow_on is not None
    assert follow_on.try_at == NOW + timedelta(days=2)


def test_what_was_credited_before_it_failed_is_not_owed_to_the_customer_any_more() -> None:
    owed = SITUATIONS["back-owed-provisional"]
    receipt = owed.receipts[0]
    legs = Counter[str]()
    for transaction in learned(owed, f.FailedLate("att_1", "nsf", "")).postings:
        for leg in transaction.postings:
            legs[leg.account] += leg.amount_minor
    assert legs == {
        ledger.REFUND_DUE: receipt.refund_due_minor,
        ledger.FAILED: receipt.reported_minor,
        ledger.where_from(receipt): -receipt.collected_minor,
    }


def test_what_was_credited_as_a_whole_is_neither_charged_nor_invoiced_again() -> None:
    asked = learned(DEBIT, RefundAsked("ask_1", DEBIT.receipts[0].id, 1, "", "person")).payment
    owed = learned(asked, SidesSeen((seen_note(5000, "cn_1"),))).payment
    assert owed.receipts[0].reported_minor == 0
    after = learned(owed, f.FailedLate("att_1", "nsf", "")).payment
    assert (after.state, after.reason) == (State.REPORTED, Reason.COMPARING)
    later = after.compare_at
    assert later is not None
    done = decide(after, SidesSeen((seen_note(5000, "cn_1"),)), POLICY, later)
    assert (done.payment.state, done.payment.ended) == (State.REPORTED, True)
    assert (done.payment.reason, done.follow_on) == (Reason.FAILED_LATE, None)


def test_by_setting_a_person_decides_and_unparks_it() -> None:
    parked = failed(policy=BY_PERSON)
    assert "unpark it to have a credit note" in str(parked.parked_why)
    agreed = learned(parked, f.Unparked("do it")).payment
    assert isinstance(next_step(agreed), Credit)


def test_it_fails_while_its_report_is_on_the_way() -> None:
    waits = SITUATIONS["waiting-failed-late"]
    told = learned(waits, f.InvoiceReported(5000))
    (posted,) = told.postings
    assert [(leg.account, leg.amount_minor) for leg in posted.postings] == [
        ("customer:failed", 5000),
        ("stripe:reported", -5000),
    ]
    assert isinstance(next_step(told.payment), Credit)
    assert credited(told.payment).follow_on is not None


def test_by_setting_that_is_for_a_person_as_well() -> None:
    told = learned(SITUATIONS["waiting-failed-late"], f.InvoiceReported(5000), BY_PERSON)
    assert "credit note and new invoice" in str(told.payment.parked_why)


def test_a_person_may_have_credited_it_himself() -> None:
    parked = failed(policy=BY_PERSON)
    credited_there = learned(parked, SidesSeen((seen_note(5000, "cn_9"),)), BY_PERSON).payment
    later = NOW + POLICY.pair_pause
    compared = decide(credited_there, SidesSeen(()), BY_PERSON, later).payment
    done = decide(compared, f.Unparked("it is settled"), BY_PERSON, later)
    assert done.payment.ended
    assert done.follow_on is None


def collected(due_at: datetime | None = DUE) -> Payment:
    look = replace(LOOK, due_at=due_at)
    sent = decide(new_payment(due_at=due_at), start(look=look), WHEN_FINAL, NOW).payment
    return learned(sent, answer(PROVISIONAL), WHEN_FINAL).payment


def test_by_setting_a_debit_is_reported_only_when_it_cannot_fail_any_more() -> None:
    held = collected()
    assert (held.state, held.reason, held.reports) == (State.COLLECTED, Reason.NOT_FINAL, 0)
    assert isinstance(next_step(held), Ask)
    asked = learned(held, answer(PROVISIONAL, Via.RECORD), WHEN_FINAL).payment
    assert (asked.reason, asked.next_look_at) == (Reason.NOT_FINAL, NOW + timedelta(days=1))
    final = learned(asked, answer(APPROVED, Via.RECORD), WHEN_FINAL).payment
    assert (final.reason, final.next_look_at) == (None, NOW)
    assert isinstance(next_step(final), Report)


def test_it_is_reported_before_the_invoice_is_overdue() -> None:
    nearly = DUE - WHEN_FINAL.due_margin
    asked = decide(collected(), answer(PROVISIONAL, Via.RECORD), WHEN_FINAL, nearly).payment
    assert isinstance(next_step(asked), Report)


def test_without_a_due_date_it_is_reported_in_the_end() -> None:
    held = collected(due_at=None)
    late = NOW + WHEN_FINAL.provisional_deadline
    asked = decide(held, answer(PROVISIONAL, Via.RECORD), WHEN_FINAL, late).payment
    assert isinstance(next_step(asked), Report)


def test_failed_while_it_is_held_it_is_a_decline_that_came_late() -> None:
    again = learned(collected(), f.FailedLate("att_1", "nsf", ""), WHEN_FINAL).payment
    assert (again.state, again.reason) == (State.WAITING, Reason.FAILED_LATE)


def test_a_reason_alone_never_keeps_final_money_from_being_reported() -> None:
    final = replace(SITUATIONS["collected"], reason=Reason.NOT_FINAL)
    assert isinstance(next_step(final), Report)
