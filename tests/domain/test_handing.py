"""Handing over to Stripe's side: never while anything of ours can still bring money."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.domain.situations import (
    LOOK,
    NO_ANSWER,
    NOT_CHARGED,
    NOW,
    POLICY,
    SITUATIONS,
    after,
    answer,
    found,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.handing import cannot_be_handed, is_handed
from twintill.domain.outcomes import Accepted
from twintill.domain.payment import Payment, Reason, State

HANDED = f.HandedToStripe(LOOK, "swi_1")


def handed(payment: Payment) -> Payment:
    return decide(payment, HANDED, POLICY, NOW).payment


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_is_out_or_here_is_never_handed_over(situation: str) -> None:
    payment = SITUATIONS[situation]
    if payment.unresolved_attempt or payment.unapplied_minor or payment.parked_why:
        assert cannot_be_handed(payment, NOW) is not None
        assert not is_handed(handed(payment))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_after_it_no_charge_begins_until_it_came_back(situation: str) -> None:
    payment = handed(SITUATIONS[situation])
    if is_handed(payment):
        assert decide(payment, start(payment.next_n), POLICY, NOW).send is None
        back = decide(payment, f.HandOverEnded(LOOK), POLICY, NOW).payment
        assert back.state is State.WAITING


def test_a_request_that_may_still_arrive_is_waited_for() -> None:
    said = f.PersonSaid("att_1", replace(NOT_CHARGED, wait_s=7200), "looked", "no answer")
    payment = after(after(new_payment(), start(), answer(NO_ANSWER)), said, at=NOW)
    assert not is_handed(handed(payment))
    assert cannot_be_handed(payment, NOW + timedelta(hours=3)) is None


def test_it_does_not_come_back_beside_a_charge_that_was_found() -> None:
    payment = after(handed(new_payment()), found(new_payment(), Accepted("ch_9")))
    assert payment.unresolved_attempt is not None
    assert decide(payment, f.HandOverEnded(LOOK), POLICY, NOW).payment == payment
    still_handed = replace(payment, state=State.CANCELED, reason=Reason.HANDED_TO_STRIPE)
    assert decide(still_handed, f.HandOverEnded(LOOK), POLICY, NOW).payment == still_handed


@pytest.mark.parametrize("shown", [{"foreign_installation": "hijklmn2"}, {"highest_n": 2}])
def test_what_somebody_else_may_have_charged_is_never_handed_over(shown: dict[str, Any]) -> None:
    """A second copy, or a database that was lost: its own look calls a person."""
    told = f.HandedToStripe(replace(LOOK, **shown), "swi_1")
    decision = decide(new_payment(), told, POLICY, NOW)
    assert not is_handed(decision.payment)
    assert decision.payment.next_look_at == NOW
