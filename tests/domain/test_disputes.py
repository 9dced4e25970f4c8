"""Disputes: told in any order and more than once; whose the money was is booked at the end."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from tests.domain.situations import (
    APPROVED,
    NOW,
    PART_GIVEN,
    POLICY,
    SITUATIONS,
    answer,
    disputed,
    refund_answer,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.decision import Decision, Notice
from twintill.domain.ledger import LOSS, NOTE_DUE, REFUND_DUE, STRANDED, WITHHELD
from twintill.domain.money_back import DisputeStage
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import Fate, LostDispute, Policy
from twintill.domain.return_facts import DisputeNotSeen, DisputeTold
from twintill.domain.steps import AskDispute, AskRefund, Rest, next_step

OPENED, REVIEW = disputed(), disputed(DisputeStage.UNDER_REVIEW)
LOST, WON = disputed(DisputeStage.LOST), disputed(DisputeStage.WON)
REPORTED = SITUATIONS["reported"]
NOT_SEEN = DisputeNotSeen("dsp_1", "cannot be asked")


def learned(payment: Payment, *told: f.Fact, policy: Policy = POLICY) -> Decision:
    decision = Decision(payment)
    for fact in told:
        decision = decide(decision.payment, fact, policy, NOW)
    return decision


def lost_against(payment: Payment, policy: Policy = POLICY) -> dict[str, int]:
    """Which accounts a lost dispute of all of it is booked against."""
    posted = learned(payment, LOST, policy=policy).postings
    legs = [t.postings[0] for t in posted if t.kind == "dispute_lost"]
    return {leg.account: leg.amount_minor for leg in legs}


@pytest.mark.parametrize("end", [LOST, WON])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_it_is_told_makes_no_difference(
    end: DisputeTold, order: tuple[int, ...]
) -> None:
    told = (OPENED, REVIEW, end)
    shuffled = learned(REPORTED, *(told[i] for i in order), *told).payment
    straight = learned(REPORTED, *told).payment
    assert shuffled.receipts == straight.receipts
    assert shuffled.disputes[0].stage is straight.disputes[0].stage is end.stage
    assert shuffled.receipts[0].withheld_minor == 0


def test_what_it_is_lost_against() -> None:
    assert lost_against(REPORTED) == {NOTE_DUE: 5000}
    assert lost_against(REPORTED, Policy(lost_dispute=LostDispute.LOSS)) == {LOSS: 5000}
    assert lost_against(SITUATIONS["back-owed"]) == {REFUND_DUE: 2000, NOTE_DUE: 3000}
    assert lost_against(SITUATIONS["back-given"]) == {NOTE_DUE: 3000, LOSS: 2000}
    assert lost_against(SITUATIONS["stranded-excess"]) == {STRANDED: 1000, NOTE_DUE: 4000}
    assert lost_against(SITUATIONS["refunded"]) == {LOSS: 5000}


def test_the_fee_is_booked_once_and_what_is_added_to_it() -> None:
    (first,) = [t for t in learned(REPORTED, OPENED).postings if t.kind == "dispute_fee"]
    assert [leg.account for leg in first.postings] == ["fee:sandbox", "processor:acct_p:clearing"]
    again = learned(REPORTED, OPENED, replace(REVIEW, fee_minor=2000))
    assert [t.postings[0].amount_minor for t in again.postings] == [500]
    assert learned(REPORTED, OPENED, OPENED).postings == ()


@pytest.mark.parametrize("name", ["back-in-doubt", "refund-in-doubt"])
@pytest.mark.parametrize("told", [OPENED, REVIEW, LOST, replace(OPENED, withheld=False)])
def test_a_refund_in_doubt_is_not_sent_again_beside_it(name: str, told: DisputeTold) -> None:
    """Had the first one never arrived, the customer would have it twice; it is still asked for."""
    held = learned(SITUATIONS[name], told).payment
    (refund,) = (r for r in held.refunds if r.unresolved)
    again = learned(held, f.RefundReplayStarted(refund.id))
    assert again.give_back is None
    assert isinstance(next_step(again.payment), AskRefund)


@pytest.mark.parametrize("name", ["back-in-doubt", "refund-in-doubt"])
def test_when_it_is_won_a_refund_in_doubt_is_sent_again(name: str) -> None:
    won = learned(SITUATIONS[name], OPENED, WON).payment
    assert learned(won, f.RefundReplayStarted("ref_1")).give_back is not None


def test_lost_and_not_taken_yet_it_is_asked_for_until_it_is() -> None:
    lost = learned(REPORTED, replace(LOST, withheld=False)).payment
    assert lost.receipts[0].withheld_minor == -5000
    assert lost.open_dispute is not None
    taken = learned(lost, LOST)
    assert [t.kind for t in taken.postings] == ["withheld"]
    assert taken.payment.receipts[0].withheld_minor == 0
    assert taken.payment.open_dispute is None


def test_while_a_refund_is_out_its_end_waits() -> None:
    out = SITUATIONS["back-under-way"]
    held = learned(out, LOST).payment
    assert isinstance(next_step(held), AskRefund)
    assert (held.receipts[0].withheld_minor, held.receipts[0].disputed_minor) == (5000, 0)


def test_a_refund_that_was_out_and_a_lost_dispute_pay_the_customer_twice() -> None:
    """What was given back is booked although the dispute holds it all; the rest is credited."""
    given = learned(SITUATIONS["back-under-way"], LOST, refund_answer(PART_GIVEN, f.Via.RECORD))
    assert given.payment.parked_why is None
    lost = learned(given.payment, NOT_SEEN)
    legs = [t.postings[0] for t in lost.postings if t.kind == "dispute_lost"]
    assert {leg.account: leg.amount_minor for leg in legs} == {NOTE_DUE: 3000, LOSS: 2000}


def test_an_end_that_is_told_too_early_is_kept_and_booked_later() -> None:
    """Also at a processor that cannot be asked, and when nobody tells it again."""
    early = learned(SITUATIONS["collected"], LOST).payment
    assert (early.disputes[0].stage, early.receipts[0].withheld_minor) == (OPENED.stage, 5000)
    after = learned(early, f.InvoiceReported(5000))
    assert isinstance(next_step(after.payment), AskDispute)
    lost = learned(after.payment, NOT_SEEN)
    assert (lost.payment.state, lost.notices) == (State.REPORTED, (Notice.DISPUTE_LOST,))
    assert lost.payment.receipts[0].note_due_minor == -5000
    assert learned(lost.payment, NOT_SEEN, LOST).postings == ()


def test_what_was_told_before_the_money_was_here_is_kept() -> None:
    """The amount that was taken and the fee as well."""
    early = learned(SITUATIONS["charging-in-doubt"], LOST, OPENED).payment
    assert learned(early, NOT_SEEN).payment.disputes[0].told == early.disputes[0].told
    here = learned(early, answer(APPROVED), f.InvoiceReported(5000)).payment
    booked = learned(here, NOT_SEEN)
    assert [t.kind for t in booked.postings] == ["dispute_fee", "withheld", "dispute_lost"]
    assert booked.payment.receipts[0].withheld_minor == 0


def test_an_old_word_does_not_make_a_kept_end_forgotten() -> None:
    early = learned(SITUATIONS["back-under-way"], LOST, OPENED).payment
    ended = learned(early, refund_answer(PART_GIVEN, f.Via.RECORD), OPENED).payment
    assert ended.disputes[0].stage is DisputeStage.LOST


def test_a_kept_end_and_another_one_contradict_each_other() -> None:
    twice = learned(SITUATIONS["back-under-way"], LOST, WON)
    assert "second review" in str(twice.payment.parked_why)


def test_a_second_review_is_for_a_person() -> None:
    twice = learned(REPORTED, WON, LOST)
    assert "second review" in str(twice.payment.parked_why)
    assert twice.postings == ()


def test_of_a_debit_that_failed_it_is_for_a_person() -> None:
    failed = learned(REPORTED, f.FailedLate("att_1", "nsf", "")).payment
    assert "a debit that failed" in str(learned(failed, OPENED).payment.parked_why)


def test_told_before_the_charge_is_known_to_be_collected() -> None:
    out = learned(SITUATIONS["charging-in-doubt"], OPENED).payment
    assert out.next_look_at == NOW
    assert out.disputes[0].ask_at == NOW
    assert out.receipts == ()


def test_won_it_rests_and_lost_it_is_refunded() -> None:
    won = learned(REPORTED, OPENED, WON).payment
    assert (won.state, won.reason, won.ended) == (State.REPORTED, None, True)
    lost = learned(SITUATIONS["refund-refused"], LOST).payment
    assert (lost.state, lost.reason, lost.parked_why) == (State.REFUNDED, Reason.DISPUTE_LOST, None)
    assert isinstance(next_step(lost), Rest)


def test_the_app_is_told_of_its_beginning_and_its_end_once() -> None:
    assert learned(REPORTED, LOST).notices == (Notice.DISPUTED, Notice.DISPUTE_LOST)
    assert learned(REPORTED, OPENED, REVIEW).notices == ()
    assert learned(REPORTED, OPENED, WON, WON).notices == ()


def test_one_without_an_end_is_for_a_person_in_the_end() -> None:
    long_ago = NOW - POLICY.dispute_deadline - timedelta(days=1)
    open_since = decide(REPORTED, OPENED, POLICY, long_ago).payment
    assert isinstance(next_step(open_since), AskDispute)
    for fact in (OPENED, DisputeNotSeen("dsp_1", "timed out")):
        assert "without an end" in str(learned(open_since, fact).payment.parked_why)


@pytest.mark.parametrize("lost", list(Fate))
def test_the_subscriptions_fate_is_the_harder_of_the_two(lost: Fate) -> None:
    policy = Policy(dispute_opened=Fate.CANCEL_AT_PERIOD_END, dispute_lost=lost)
    both = learned(REPORTED, LOST, policy=policy).fate
    assert both is (lost if lost is Fate.CANCEL_NOW else Fate.CANCEL_AT_PERIOD_END)
    assert learned(REPORTED, OPENED, LOST, policy=policy).fate is lost


def test_its_ledger_ends_at_nothing_withheld() -> None:
    posted = [*learned(REPORTED, OPENED).postings, *learned(REPORTED, OPENED, LOST).postings]
    legs = [leg for t in posted for leg in t.postings if leg.account == WITHHELD]
    assert sum(leg.amount_minor for leg in legs) == 0
