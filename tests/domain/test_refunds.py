"""Stranded money goes back by itself: once, only what is final, and within the caps."""

from dataclasses import replace
from datetime import timedelta

from tests.domain.situations import (
    AMOUNT,
    NOT_SENT,
    NOW,
    POLICY,
    PROVISIONAL,
    REFUND_REFUSED,
    REFUNDED,
    SITUATIONS,
    VOID,
    after,
    answer,
    give_back,
    refund_answer,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.facts import Fact, Via
from twintill.domain.outcomes import Accepted, Approved, NeedsCustomer, NotSent, NotSentReason
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.domain.return_facts import RefundBraked, RefundSeenThere
from twintill.domain.steps import Ask, AskRefund, GiveBack, next_step
from twintill.money import Money

STRANDED = SITUATIONS["stranded"]
DAY = timedelta(days=1)


def learned(payment: Payment, fact: Fact, after_: timedelta = timedelta()) -> Decision:
    return decide(payment, fact, POLICY, NOW + after_)


def test_money_that_may_still_fail_is_asked_for_first() -> None:
    assert isinstance(next_step(SITUATIONS["stranded-provisional"]), Ask)
    assert isinstance(next_step(STRANDED), GiveBack)


def test_when_it_becomes_final_it_goes_back() -> None:
    final = after(SITUATIONS["stranded-provisional"], answer(Approved("ch_1", AMOUNT), Via.RECORD))
    assert isinstance(next_step(final), GiveBack)


def test_money_that_never_becomes_final_is_for_a_person() -> None:
    told = answer(PROVISIONAL, Via.RECORD)
    late = learned(SITUATIONS["stranded-provisional"], told, POLICY.provisional_deadline + DAY)
    assert late.payment.parked_why == "stranded, and not final after 60 days: decide"


def test_a_debit_that_becomes_final_after_the_report_changes_nothing_else() -> None:
    final = answer(Approved("ch_1", AMOUNT), Via.RECORD)
    assert learned(SITUATIONS["reported-provisional"], final).payment.ended


def test_a_cap_calls_a_person_and_a_person_lifts_it() -> None:
    held = learned(STRANDED, give_back(STRANDED, over_cap="21 refunds in an hour")).payment
    assert held.parked_why is not None
    agreed = learned(held, f.Unparked("they are all right")).payment
    assert learned(agreed, give_back(agreed, over_cap="21 refunds in an hour")).give_back


def test_while_a_second_attempt_is_out_nothing_goes_back() -> None:
    both = SITUATIONS["collected-second-out"]
    stranded = learned(both, f.InvoiceReported(4000)).payment
    assert stranded.unresolved_attempt is not None
    assert learned(stranded, give_back(stranded)).give_back is None


def test_the_excess_goes_back_and_the_invoice_stays_reported() -> None:
    sent = learned(SITUATIONS["stranded-excess"], give_back(SITUATIONS["stranded-excess"])).payment
    done = learned(sent, refund_answer(Approved("rfd_1", Money(1000, "EUR")))).payment
    assert (done.state, done.ended, done.reported_minor) == (State.REPORTED, True, 4000)


def test_a_refund_that_was_under_way_and_fails_is_stranded_again() -> None:
    failed = learned(SITUATIONS["refund-under-way"], refund_answer(REFUND_REFUSED, Via.RECORD))
    assert [(p.account, p.amount_minor) for p in failed.postings[0].postings] == [
        ("refund:in_flight", 5000),
        ("customer:stranded", -5000),
    ]
    again = learned(failed.payment, refund_answer(REFUNDED, Via.RECORD)).payment
    assert "failed and is told to be done" in str(again.parked_why)


def test_a_refund_without_an_end_is_for_a_person() -> None:
    late = POLICY.pending_deadline + DAY
    under_way = learned(SITUATIONS["refund-under-way"], refund_answer(Accepted("rfd_1")), late)
    assert "under way for over 21 days" in str(under_way.payment.parked_why)
    assert learned(SITUATIONS["refund-started"], refund_answer(Accepted("rfd_1")), late).postings
    asked = f.RefundNotFoundThere("ref_1", conclusive=False)
    in_doubt = learned(SITUATIONS["refund-in-doubt"], asked, POLICY.doubt_deadline + DAY)
    assert "without an end" in str(in_doubt.payment.parked_why)
    assert isinstance(next_step(in_doubt.payment), AskRefund)


def test_a_refund_that_never_left_waits_as_long_as_it_was_told() -> None:
    told = NotSent(NotSentReason.RATE, "429", wait_s=3600)
    waits = learned(SITUATIONS["refund-started"], refund_answer(told)).payment
    assert waits.next_look_at == NOW + timedelta(hours=1)
    assert give_back(waits).n == 2


def test_a_debit_that_fails_while_its_refund_is_out_is_not_sent_again() -> None:
    failed = learned(SITUATIONS["refund-in-doubt"], f.FailedLate("att_1", "nsf", "")).payment
    assert "the customer has it twice" in str(failed.parked_why)
    agreed = learned(failed, f.Unparked("looked at")).payment
    assert learned(agreed, f.RefundReplayStarted("ref_1")).give_back is None
    done = learned(failed, refund_answer(REFUNDED, Via.RECORD))
    assert next(p.account for p in done.postings[0].postings) == "customer:failed"


def test_a_debit_that_fails_after_its_refund_is_owed_by_the_customer() -> None:
    failed = learned(SITUATIONS["refunded"], f.FailedLate("att_1", "nsf", ""))
    assert [(p.account, p.amount_minor) for p in failed.postings[0].postings] == [
        ("customer:failed", 5000),
        ("processor:acct_p:clearing", -5000),
    ]


def test_a_refund_that_asks_for_the_customer_is_in_doubt() -> None:
    told = NeedsCustomer("rfd_1", "https://processor.test/approve")
    asked = learned(SITUATIONS["refund-started"], refund_answer(told)).payment
    assert asked.reason is Reason.REFUND_IN_DOUBT


def test_a_customer_who_waits_for_money_is_told_of_when_nothing_can_be_read() -> None:
    payment = STRANDED
    notices: list[str] = []
    for _ in range(POLICY.reports_before_notice + 5):
        decision = learned(payment, f.LookFailed("wrong key"))
        payment, notices = decision.payment, [*notices, *decision.notices]
    assert notices == ["payment.needs_person"]
    assert payment.parked_why is None


def test_the_second_of_two_approvals_is_the_one_that_goes_back() -> None:
    twice = after(SITUATIONS["stranded-second"])
    assert twice.receipt_to_give_back is not None
    assert twice.receipt_to_give_back.attempt_id == "att_2"


def test_a_refund_by_hand_is_booked_once_and_only_the_rest_is_ours() -> None:
    seen = RefundSeenThere("rct_1", "rfd_9", Money(2000, "EUR"), 1, "ref_1")
    booked = learned(STRANDED, seen).payment
    assert learned(booked, replace(seen, n=2, refund_id="ref_2")).payment == booked
    rest = learned(booked, give_back(booked))
    assert rest.give_back is not None
    assert rest.give_back.amount.minor == 3000


def test_whoever_may_send_keeps_the_lease() -> None:
    assert learned(STRANDED, give_back(STRANDED)).goes_on
    assert learned(SITUATIONS["waiting-ready"], start()).goes_on
    assert not learned(STRANDED, give_back(STRANDED, over_cap="a cap")).goes_on


def test_when_one_of_two_stranded_debits_fails_the_other_still_goes_back() -> None:
    both = learned(SITUATIONS["collected-twice"], f.ReportRefused(VOID)).payment
    one = learned(both, f.FailedLate("att_1", "nsf", "")).payment
    assert (one.state, one.ended) == (State.STRANDED, False)
    assert learned(one, give_back(one)).give_back is not None


def test_two_stranded_receipts_go_back_one_after_the_other() -> None:
    both = learned(SITUATIONS["collected-twice"], f.ReportRefused(VOID)).payment
    sent = learned(both, give_back(both)).payment
    one = learned(sent, refund_answer(REFUNDED)).payment
    assert (one.state, one.ended) == (State.STRANDED, False)
    assert give_back(one).receipt_id != give_back(both).receipt_id


def test_what_is_not_set_up_there_is_for_a_person_when_no_waiting_mends_it() -> None:
    payment, now = STRANDED, NOW
    told = NotSent(NotSentReason.CONFIG, "refunds are not enabled")
    for _ in range(len(POLICY.not_sent_pauses)):
        payment = decide(payment, give_back(payment), POLICY, now).payment
        answered = f.RefundAnswered(payment.refunds[-1].id, told, Via.FIRST)
        payment = decide(payment, answered, POLICY, now).payment
        assert payment.parked_why is None
    payment = decide(payment, give_back(payment), POLICY, now).payment
    answered = f.RefundAnswered(payment.refunds[-1].id, told, Via.FIRST)
    assert "is not set up there" in str(decide(payment, answered, POLICY, now).payment.parked_why)


def test_a_refund_that_waited_for_its_processor_is_begun_when_it_is_resumed() -> None:
    waits = learned(STRANDED, RefundBraked("the key is refused")).payment
    assert waits.reason is Reason.BRAKED
    begun = learned(waits, give_back(waits))
    assert begun.give_back is not None
    assert begun.payment.reason is Reason.REFUND_WANTED


def test_only_tries_in_a_row_lengthen_the_pause() -> None:
    """The second refund of a payment begins with the shortest one again."""
    unsent = SITUATIONS["refund-not-sent"]
    given = replace(unsent.refunds[0], id="ref_0", outcome=Outcome.APPROVED)
    before = replace(unsent, refunds=(*unsent.refunds, replace(given, n=2)))
    started = decide(before, give_back(before), POLICY, NOW).payment
    told = f.RefundAnswered(started.refunds[-1].id, NOT_SENT, Via.FIRST)
    assert decide(started, told, POLICY, NOW).payment.next_look_at == (
        NOW + POLICY.not_sent_pauses[0]
    )


def test_a_person_agrees_to_one_refund_and_not_to_the_next() -> None:
    over = give_back(STRANDED, over_cap="20 refunds in an hour")
    agreed = learned(learned(STRANDED, over).payment, f.Unparked("it is right")).payment
    assert agreed.refund_agreed
    unsent = after(agreed, give_back(agreed), refund_answer(NOT_SENT))
    assert unsent.refund_agreed, "it has not left yet"
    again = learned(unsent, give_back(unsent)).payment
    told = f.RefundAnswered(again.refunds[-1].id, REFUNDED, Via.FIRST)
    assert not learned(again, told).payment.refund_agreed


def test_who_unparks_what_gives_nothing_back_agrees_to_no_refund() -> None:
    refused = learned(SITUATIONS["back-note-refused"], f.Unparked("mended")).payment
    assert not refused.refund_agreed


def test_what_somebody_gave_back_by_hand_is_not_what_was_agreed_to() -> None:
    agreed = replace(STRANDED, refund_agreed=True)
    seen = RefundSeenThere("rct_1", "rfd_9", Money(2000, "EUR"), 1, "ref_1")
    assert learned(agreed, seen).payment.refund_agreed
