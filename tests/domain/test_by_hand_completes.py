"""What a charge has brought does not suffice: money by hand makes it whole, or stays beside it."""

from tests.domain.situations import (
    APPROVED,
    NOW,
    POLICY,
    PROVISIONAL,
    answer,
    new_payment,
    paid_by_hand,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.hand import HandState
from twintill.domain.hand_facts import CreditTaken
from twintill.domain.payment import Payment, State
from twintill.domain.report import MORE_IS_DUE

MORE = f.ReportFailed(f"6900 is due but 5000 was collected: {MORE_IS_DUE}", needs_person=True)


def learned(payment: Payment, *told: f.Fact) -> Payment:
    for fact in told:
        payment = decide(payment, fact, POLICY, NOW).payment
    return payment


def test_parked_for_the_rest_cash_completes_what_was_charged() -> None:
    parked = learned(new_payment(), start(), answer(APPROVED), MORE)
    whole = learned(parked, paid_by_hand(1900))
    assert (whole.state, whole.parked_why, whole.unapplied_minor) == (State.COLLECTED, None, 6900)
    reported = learned(whole, f.InvoiceReported(6900))
    assert (reported.state, reported.ended, reported.reported_minor) == (State.REPORTED, True, 6900)
    assert reported.by_hand[0].state is HandState.APPLIED


def test_what_is_more_than_the_rest_is_credit_and_never_the_charge() -> None:
    parked = learned(new_payment(), start(), answer(APPROVED), MORE)
    reported = learned(parked, paid_by_hand(2500), f.InvoiceReported(6900))
    assert (reported.stranded_minor, reported.by_hand[0].credit_minor) == (0, 600)


def test_not_parked_for_that_it_stays_credit_beside_a_charge() -> None:
    charged = learned(new_payment(), start(), answer(APPROVED), paid_by_hand(1900))
    assert (charged.unapplied_minor, charged.by_hand[0].state) == (5000, HandState.CREDIT)


FAILED = f.FailedLate("att_1", "nsf", "")


def test_the_debit_beside_it_fails_before_the_report_and_it_pays_instead_of_a_retry() -> None:
    beside = learned(new_payment(), start(), answer(PROVISIONAL), paid_by_hand())
    assert beside.by_hand[0].state is HandState.CREDIT
    paid = learned(beside, FAILED)
    assert (paid.state, paid.unapplied_minor) == (State.COLLECTED, 5000)
    assert (paid.by_hand[0].state, paid.by_hand[0].credit_minor) == (HandState.APPLIED, 0)


def test_what_was_used_meanwhile_is_not_put_on_it() -> None:
    used = CreditTaken("hp_1", "use_1", 1000, "person:ada")
    after = learned(new_payment(), start(), answer(PROVISIONAL), paid_by_hand(), used, FAILED)
    assert (after.state, after.by_hand[0].state) == (State.WAITING, HandState.CREDIT)
