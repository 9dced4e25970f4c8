"""A charge of the lost time is found again under its number."""

from dataclasses import replace

from tests.domain.situations import (
    AMOUNT,
    LOOK,
    NOW,
    POLICY,
    SITUATIONS,
    after,
    found,
    new_payment,
    start,
)
from twintill.domain.decide import decide
from twintill.domain.found import waits_for_recover
from twintill.domain.outcomes import Approved, NoAnswer
from twintill.domain.payment import State

LOST = replace(LOOK, highest_n=2)
APPROVED = Approved("ch_9", AMOUNT)


def test_what_was_parked_for_a_lost_attempt_goes_on_when_it_is_found() -> None:
    parked = after(new_payment(), start(look=LOST))
    assert waits_for_recover(parked)
    assert "`twintill recover`" in (parked.parked_why or "")
    payment = decide(parked, found(parked, APPROVED), POLICY, NOW).payment
    assert (payment.state, payment.parked_why) == (State.COLLECTED, None)


def test_what_was_parked_for_something_else_stays_with_its_person() -> None:
    parked = SITUATIONS["waiting-parked"]
    assert not waits_for_recover(parked)
    assert decide(parked, found(parked, APPROVED), POLICY, NOW).payment.parked_why is not None


def test_one_that_nobody_can_ask_about_is_out_although_its_invoice_was_closed() -> None:
    canceled = SITUATIONS["canceled"]
    payment = decide(canceled, found(canceled, NoAnswer("?")), POLICY, NOW).payment
    assert (payment.state, payment.ended) == (State.CHARGING, False)
    assert payment.parked_why is not None


def test_its_deadlines_begin_when_it_is_found() -> None:
    payment = decide(new_payment(), found(new_payment(), NoAnswer("?")), POLICY, NOW).payment
    assert [a.first_sent_at for a in payment.attempts] == [NOW]
    assert "tw-1: look there, then `twintill resolve`" in (payment.parked_why or "")
