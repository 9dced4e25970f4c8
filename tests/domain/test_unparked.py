"""What a person was called for is not forgotten because a refund got its answer."""

from tests.domain.situations import (
    NOW,
    POLICY,
    SITUATIONS,
    answer,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.facts import Via
from twintill.domain.outcomes import Approved
from twintill.money import Money


def test_a_refund_that_is_answered_does_not_unpark_what_was_parked_for_something_else() -> None:
    payment = SITUATIONS["back-in-doubt"]
    twice = answer(Approved("ch_other", Money(5000, "EUR")), Via.RECORD)
    payment = decide(payment, twice, POLICY, NOW).payment
    assert "charged twice" in str(payment.parked_why)
    told = f.RefundAnswered("ref_1", Approved("rfd_1", Money(2000, "EUR")), Via.RECORD)
    assert decide(payment, told, POLICY, NOW).payment.parked_why is not None
