"""A person paid the customer outside the processor: of what, how much, and what ends by it."""

from dataclasses import replace

import pytest

from tests.domain.situations import NOW, POLICY, SITUATIONS
from twintill.domain.decide import decide
from twintill.domain.decision import Decision
from twintill.domain.money_back import AskState
from twintill.domain.outcomes import Finality
from twintill.domain.paid_another_way import choose_paid
from twintill.domain.payment import Payment, State
from twintill.domain.refund_asks import Refused
from twintill.domain.return_facts import PaidAnotherWay
from twintill.domain.steps import Rest, next_step

REFUSED = SITUATIONS["refund-refused"]


def paid(
    payment: Payment, minor: int, ask_id: str = "rfd_w", receipt_id: str = "rct_1"
) -> Decision:
    n = payment.next_refund_n
    fact = PaidAnotherWay(ask_id, f"ref_{n}", n, receipt_id, minor, "SEPA 7", "by bank", "ada")
    return decide(payment, fact, POLICY, NOW)


def test_all_that_is_owed_ends_it() -> None:
    done = paid(REFUSED, 5000)
    payment = done.payment
    assert (payment.state, payment.ended, payment.parked_why) == (State.REFUNDED, True, None)
    assert isinstance(next_step(payment), Rest)
    (posted,) = done.postings
    assert [(leg.account, leg.amount_minor) for leg in posted.postings] == [
        ("customer:stranded", 5000),
        ("hand:paid_out", -5000),
    ]
    (ask,) = payment.asks
    assert (ask.state, ask.by) == (AskState.DONE, "ada")
    assert ask.why == "paid another way (SEPA 7): by bank"


def test_a_part_leaves_the_rest_to_a_person_and_told_again_it_is_noted() -> None:
    part = paid(REFUSED, 2000).payment
    assert (part.parked_why, part.stranded_minor) == (REFUSED.parked_why, 3000)
    assert paid(part, 2000).note == "told already"
    assert paid(part, 3000, "rfd_x").payment.ended


def test_what_the_door_did_not_see_is_noted() -> None:
    assert paid(REFUSED, 5000, receipt_id="rct_9").note == "of something else by now"
    assert paid(REFUSED, 6000).note is not None


def test_without_an_amount_it_is_all_that_is_owed_else_all_that_is_left() -> None:
    for situation, minor in (("refund-refused", 5000), ("back-refused", 2000), ("reported", 5000)):
        chosen = choose_paid(SITUATIONS[situation], None)
        assert not isinstance(chosen, Refused)
        assert chosen[1] == minor, situation


@pytest.mark.parametrize(
    ("situation", "code"),
    [
        ("stranded", "goes_back_by_itself"),
        ("back-owed", "goes_back_by_itself"),
        ("refund-started", "refund_under_way"),
        ("back-under-way", "refund_under_way"),
        ("collected", "not_reported_yet"),
        ("disputed", "disputed"),
        ("back-compared-soon", "being_compared"),
        ("waiting-ready", "nothing_to_refund"),
        ("reported-provisional", "not_final"),
    ],
)
def test_when_it_is_not_taken(situation: str, code: str) -> None:
    refused = choose_paid(SITUATIONS[situation], 1000)
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_a_debit_that_may_still_fail_is_not_paid_another_way() -> None:
    (receipt,) = REFUSED.receipts
    provisional = replace(receipt, finality=Finality.PROVISIONAL)
    refused = choose_paid(replace(REFUSED, receipts=(provisional,)), None)
    assert isinstance(refused, Refused)
    assert refused.code == "not_final"


def test_only_the_excess_was_stranded_and_the_rest_stays_reported() -> None:
    parked = replace(SITUATIONS["stranded-excess"], parked_why="pay the customer another way")
    (receipt,) = (r for r in parked.receipts if r.stranded_minor)
    payment = paid(parked, receipt.stranded_minor, receipt_id=receipt.id).payment
    assert (payment.state, payment.ended) == (State.REPORTED, True)
