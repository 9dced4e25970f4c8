"""A refund by hand that is still under way: credited when it has arrived, and not if it fails."""

from datetime import timedelta

from tests.domain.situations import NOW, POLICY, REFUND_REFUSED, SITUATIONS
from twintill.domain import facts as f
from twintill.domain.afterwards import to_note_minor
from twintill.domain.decide import decide
from twintill.domain.facts import RefundAnswered, Via
from twintill.domain.outcomes import Approved, ChargeOutcome
from twintill.domain.payment import Payment
from twintill.domain.return_facts import RefundSeenThere, SidesSeen
from twintill.domain.steps import AskRefund, Credit, GiveBack, next_step
from twintill.money import Money

SEEN = RefundSeenThere("rct_1", "rfd_9", Money(2000, "EUR"), 1, "ref_1", under_way=True)
LATER = NOW + timedelta(minutes=30)


def learned(payment: Payment, *told: f.Fact) -> Payment:
    for fact in told:
        payment = decide(payment, fact, POLICY, LATER).payment
    return payment


def ends(outcome: ChargeOutcome) -> RefundAnswered:
    return RefundAnswered("ref_1", outcome, Via.RECORD)


def test_nothing_is_credited_before_it_has_arrived() -> None:
    out = learned(SITUATIONS["reported"], SidesSeen((), (SEEN,)))
    assert (to_note_minor(out), isinstance(next_step(out), AskRefund)) == (0, True)
    there = learned(out, ends(Approved("rfd_9", Money(2000, "EUR"))), SidesSeen((), ()))
    assert to_note_minor(there) == 2000
    compared = learned(there, SidesSeen((), ()))
    assert isinstance(next_step(compared), Credit)


def test_one_that_comes_back_leaves_nothing_to_credit() -> None:
    failed = learned(SITUATIONS["reported"], SidesSeen((), (SEEN,)), ends(REFUND_REFUSED))
    assert (to_note_minor(failed), failed.reported_minor, failed.refunded_minor) == (0, 5000, 0)


def test_stranded_money_does_not_go_back_beside_it() -> None:
    out = learned(SITUATIONS["stranded"], SEEN)
    assert isinstance(next_step(out), AskRefund)
    there = learned(out, ends(Approved("rfd_9", Money(2000, "EUR"))))
    step = next_step(there)
    assert isinstance(step, GiveBack)
    assert step.receipt.to_give_back_minor == 3000
