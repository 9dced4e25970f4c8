"""A credit note made by hand for money that was lost to a dispute, where that is our loss."""

from datetime import timedelta

from tests.domain.situations import NOW, SITUATIONS, give_reported, seen_note
from twintill.domain.decide import decide
from twintill.domain.money_back import DisputeStage
from twintill.domain.policy import LostDispute, Policy
from twintill.domain.return_facts import DisputeTold, MoneyBackTold, SidesSeen
from twintill.domain.steps import GiveReportedBack, next_step
from twintill.money import Money

LOSS = Policy(lost_dispute=LostDispute.LOSS)


def test_nothing_is_given_back_for_it_and_it_is_not_looked_at_for_ever() -> None:
    lost = DisputeTold(
        "dsp_1", "dp_1", "att_1", DisputeStage.LOST, Money(5000, "EUR"), True, 0, None
    )
    payment = decide(SITUATIONS["reported"], lost, LOSS, NOW).payment
    payment = decide(payment, MoneyBackTold("credit_note.created"), LOSS, NOW).payment
    later = NOW + timedelta(minutes=11)
    payment = decide(payment, SidesSeen((seen_note(5000, "cn_hand"),)), LOSS, later).payment
    if isinstance(next_step(payment), GiveReportedBack):
        payment = decide(payment, give_reported(payment, 5000), LOSS, later).payment
    assert payment.ended or payment.parked_why
