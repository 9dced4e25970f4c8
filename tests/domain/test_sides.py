"""Random histories of money that goes back: no echo, nothing twice, both sides agree at the end."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.domain.sides import Line, Sides
from tests.domain.test_machine import _EXAMPLES
from twintill.domain import facts as f
from twintill.domain.money_back import DisputeStage
from twintill.domain.return_facts import MoneyBackTold

_STAGES = (DisputeStage.UNDER_REVIEW, DisputeStage.WON, DisputeStage.LOST, DisputeStage.ACCEPTED)
_MINOR = st.sampled_from((1, 500, 1000, 2000, 5000))
_DOES = st.sampled_from(("gives", "gives", "takes its time", "declines"))
_LINES = st.sampled_from((*Line, Line.FINE, Line.FINE, Line.FINE))
_PAUSES = st.sampled_from((5, 300, 601, 3600, 86400, 3 * 86400))


class BothSides(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.sides = Sides()

    @rule(seconds=_PAUSES)
    def time_passes(self, seconds: int) -> None:
        self.sides.now += timedelta(seconds=seconds)

    @rule(minor=_MINOR)
    def somebody_asks_us(self, minor: int) -> None:
        self.sides.ask(minor)

    @rule(minor=_MINOR, told=st.booleans())
    def somebody_credits_in_stripe(self, minor: int, told: bool) -> None:
        self.sides.credit_by_hand(minor)
        if told:
            self.sides.told()

    @rule(minor=_MINOR, told=st.booleans())
    def somebody_refunds_at_the_processor(self, minor: int, told: bool) -> None:
        self.sides.refund_by_hand(minor)
        if told:
            self.sides.told()

    @rule(minor=_MINOR, told=st.booleans())
    def somebody_does_both(self, minor: int, told: bool) -> None:
        self.sides.credit_by_hand(minor)
        if told:
            self.sides.told()
        self.sides.refund_by_hand(minor)

    @rule(line=_LINES, does=_DOES, readable=st.booleans())
    def a_worker_looks(self, line: Line, does: str, readable: bool) -> None:
        self._when_due()
        self.sides.look(line, does, readable=readable)

    @rule(minor=_MINOR, taken=st.booleans(), told=st.booleans())
    def the_customer_disputes_it(self, minor: int, taken: bool, told: bool) -> None:
        self.sides.dispute(minor, taken=taken)
        if told:
            self.some_dispute_is_told(0, 0)

    @rule(stage=st.sampled_from(_STAGES), told=st.booleans())
    def a_dispute_moves_on(self, stage: DisputeStage, told: bool) -> None:
        self.sides.judge(stage)
        if told:
            self.some_dispute_is_told(-1, 0)

    @rule()
    def the_bank_takes_what_is_disputed(self) -> None:
        self.sides.take()

    @rule(number=st.integers(0, 5), age=st.integers(0, 3))
    def some_dispute_is_told(self, number: int, age: int) -> None:
        names = list(self.sides.claims)
        if names:
            self.sides.tell_of(names[number % len(names)], age)

    @precondition(lambda self: self.sides.payment.refunds or self.sides.payment.notes)
    @rule()
    def the_debit_comes_back(self) -> None:
        self.sides.fail_late()

    @rule(kindly=st.booleans())
    def refunds_come_to_an_end(self, kindly: bool) -> None:
        self.sides.settle(kindly=kindly)

    @rule(fact=st.sampled_from((f.InvoiceTouched("invoice.updated"), MoneyBackTold("again"))))
    def something_is_told(self, fact: f.Fact) -> None:
        self.sides.learn(fact)

    @precondition(lambda self: self.sides.payment.parked_why is not None)
    @rule()
    def a_person_puts_it_back_to_work(self) -> None:
        self.sides.learn(f.Unparked("looked at"))

    def teardown(self) -> None:
        self.sides.judge(DisputeStage.LOST)
        self.sides.take()
        for name in self.sides.claims:
            self.sides.tell_of(name)
        self.sides.told()
        for _ in range(60):
            if self.sides.payment.ended or self.sides.payment.parked_why is not None:
                break
            self._when_due()
            self.sides.settle(kindly=True)
            self.sides.look(Line.FINE, "gives")
        self.sides.check_the_end()

    def _when_due(self) -> None:
        at = self.sides.payment.next_look_at
        if at is not None:
            self.sides.now = max(self.sides.now, at)


BothSides.TestCase.settings = settings(
    max_examples=_EXAMPLES, stateful_step_count=25, deadline=None
)
TestBothSides = pytest.mark.timeout(900)(BothSides.TestCase)
