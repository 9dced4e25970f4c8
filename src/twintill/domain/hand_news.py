"""What the user's app is told of money by hand, from one decision."""

from twintill.domain.hand import HandPayment, HandState
from twintill.domain.payment import Payment

RECORDED = "hand_payment.recorded"
APPLIED = "hand_payment.applied"
CREDITED = "hand_payment.credited"
UNDONE = "hand_payment.undone"
CORRECTED = "hand_payment.corrected"

_OF = {
    HandState.APPLIED: APPLIED,
    HandState.CREDIT: CREDITED,
    HandState.UNDONE: UNDONE,
    HandState.CORRECTED: CORRECTED,
}


def news(before: Payment, after: Payment) -> list[tuple[str, HandPayment]]:
    """In order; one that is put on its invoice, and then leaves a rest, is told of twice."""
    known = {hand.id: hand for hand in before.by_hand}
    told = []
    for hand in after.by_hand:
        was = known.get(hand.id)
        if was is None:
            told.append((RECORDED, hand))
        if hand.state in _OF and (was is None or was.state is not hand.state):
            told.append((_OF[hand.state], hand))
        elif was is not None and hand.credit_minor > was.credit_minor:
            told.append((CREDITED, hand))
    return told
