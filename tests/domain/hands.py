"""The people of the small pure world who have money in hand: cheques, cash, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.domain.situations import paid_by_hand
from twintill.domain.hand import TAKEN_BACK, HandPayment, HandState
from twintill.domain.hand_facts import (
    CreditReturned,
    CreditTaken,
    HandPaymentCorrected,
    HandPaymentUndone,
)
from twintill.domain.ledger import CREDIT, CREDIT_MOVED, UNDEPOSITED

if TYPE_CHECKING:
    from tests.domain.world import World


@dataclass
class Hands:
    world: World
    uses: int = 0

    def record(self, minor: int) -> None:
        n = len(self.world.payment.by_hand) + 1
        self.world.learn(paid_by_hand(minor, f"hp_{n}"))

    def take_back(self, hand: HandPayment, *, reported: bool) -> None:
        fact = HandPaymentCorrected if reported else HandPaymentUndone
        self.world.learn(fact(hand.id, "not so", "person:ada"))

    def use(self, hand: HandPayment, minor: int, *, paid_out: bool) -> None:
        self.uses += 1
        to = "SEPA 7" if paid_out else None
        self.world.learn(CreditTaken(hand.id, f"use_{self.uses}", minor, "person:ada", to))

    def give_back(self, hand: HandPayment, minor: int) -> None:
        self.uses += 1
        self.world.learn(CreditReturned(hand.id, f"use_{self.uses}", minor))

    def check(self, stands: dict[str, int]) -> None:
        payment = self.world.payment
        hands, kept = payment.by_hand, {}
        for receipt in payment.receipts:
            if not receipt.failed:
                kept[receipt.id] = receipt.collected_minor - receipt.credit_minor
        for hand in hands:
            parts = hand.credit_minor + hand.moved_minor + hand.paid_out_minor
            here = hand.paid_out_minor if hand.state in TAKEN_BACK else hand.amount_minor
            assert parts + kept.get(hand.receipt_id or "", 0) == here, "in two places, or in none"
            assert min(hand.credit_minor, hand.moved_minor, hand.paid_out_minor) >= 0
            out = payment.unresolved_attempt is not None or payment.parked_why is not None
            assert out or hand.state is not HandState.WAITING, "waits for nothing"
        assert -stands.get(CREDIT, 0) == sum(h.credit_minor for h in hands)
        assert -stands.get(CREDIT_MOVED, 0) == sum(h.moved_minor for h in hands)
        live = (h.amount_minor for h in hands if h.state not in TAKEN_BACK)
        assert stands.get(UNDEPOSITED, 0) == sum(live)
