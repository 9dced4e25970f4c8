"""Whatever merchants, customers and banks do in whatever order: the book stays true."""

import contextlib
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.sandbox.processor.client import START
from twintill.sandbox.processor import ProcessorSandboxSettings, agenda, charging, giving_back
from twintill.sandbox.processor.charging import Order
from twintill.sandbox.processor.magic import METHODS
from twintill.sandbox.processor.objects import Charge
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.setups import create_method, revoke_method
from twintill.sandbox.processor.world import World

PICK = st.integers(0, 10**6)
SETTINGS = ProcessorSandboxSettings(api_key="key", seed=7, fee_basis_points=0)


class Merchant(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(SETTINGS)
        self.now = START
        for magic in METHODS:
            create_method(self.world, "pcus_1", magic, self.now)

    @rule(method=PICK, reference=st.integers(1, 6), amount=st.integers(1, 10**6))
    def charge(self, method: int, reference: int, amount: int) -> None:
        tokens = list(self.world.methods)
        token = tokens[method % len(tokens)]
        order = Order(f"ref-{reference}", amount, "EUR", token, "pcus_1", "", {})
        with contextlib.suppress(Refusal):
            charging.create_charge(self.world, order, "http://x", self.now)

    @rule(charge=PICK, amount=st.none() | st.integers(0, 10**6))
    def refund(self, charge: int, amount: int | None) -> None:
        with contextlib.suppress(Refusal):
            giving_back.refund_charge(self.world, self.pick(charge), amount, None, self.now)

    @rule(charge=PICK)
    def cancel(self, charge: int) -> None:
        with contextlib.suppress(Refusal):
            charging.cancel_charge(self.world, self.pick(charge), self.now)

    @rule(charge=PICK, approved=st.booleans())
    def decide(self, charge: int, approved: bool) -> None:
        with contextlib.suppress(Refusal):
            charging.resolve_action(self.world, self.pick(charge), self.now, approved=approved)

    @rule(charge=PICK)
    def dispute(self, charge: int) -> None:
        with contextlib.suppress(Refusal):
            giving_back.open_dispute(self.world, self.pick(charge), None, "fraud", self.now)

    @rule(dispute=PICK, outcome=st.sampled_from(["won", "lost"]))
    def resolve(self, dispute: int, outcome: str) -> None:
        disputes = list(self.world.disputes)
        with contextlib.suppress(Refusal):
            chosen = disputes[dispute % len(disputes)] if disputes else "dsp_none"
            giving_back.resolve_dispute(self.world, chosen, outcome, self.now)

    @rule(method=PICK)
    def revoke(self, method: int) -> None:
        tokens = list(self.world.methods)
        with contextlib.suppress(Refusal):
            revoke_method(self.world, tokens[method % len(tokens)], "customer", self.now)

    @rule(hours=st.integers(0, 24 * 9))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        agenda.catch_up(self.world, self.now)

    @invariant()
    def each_charge_is_what_its_lines_say(self) -> None:
        for charge in self.world.charges.values():
            assert self.moved(charge, "charge") == (
                charge.taken if charge.status in ("succeeded", "failed") else 0
            )
            assert self.moved(charge, "charge_failure") == (
                -charge.taken if charge.status == "failed" else 0
            )
            given_back = self.moved(charge, "refund") + self.moved(charge, "refund_failure")
            assert given_back == -charge.refunded
            assert 0 <= charge.refunded <= charge.taken

    @invariant()
    def nobody_gets_more_back_than_was_taken(self) -> None:
        for charge in self.world.charges.values():
            if charge.status != "failed":
                assert sum(m.amount for m in self.world.book if m.charge == charge.id) >= 0

    @invariant()
    def a_reference_is_alive_at_most_once(self) -> None:
        for charges in self.world.by_reference.values():
            alive = [c for c in charges if c.status not in ("declined", "canceled")]
            assert len(alive) <= 1

    @invariant()
    def nothing_due_is_left(self) -> None:
        agenda.catch_up(self.world, self.now)
        for charge in self.world.charges.values():
            if charge.status == "pending":
                assert charge.expected_at is not None
                assert charge.expected_at > self.now

    def pick(self, n: int) -> str:
        charges = list(self.world.charges)
        return charges[n % len(charges)] if charges else "chg_none"

    def moved(self, charge: Charge, kind: str) -> int:
        lines = self.world.book
        return sum(m.amount for m in lines if m.charge == charge.id and m.type == kind)


TestMerchant = Merchant.TestCase


def test_a_seed_makes_the_same_ids() -> None:
    one, same = World(SETTINGS), World(SETTINGS)
    assert [one.new_id("chg") for _ in range(3)] == [same.new_id("chg") for _ in range(3)]
