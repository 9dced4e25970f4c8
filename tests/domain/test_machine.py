"""Random histories: no order of facts breaks a money rule, and a healthy world ends them all."""

import os
from datetime import timedelta
from enum import StrEnum

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.domain.world import CLOSED, TOLD, Does, Line, World
from twintill.domain import facts as f
from twintill.domain.facts import Answered, Via
from twintill.domain.invoice import InvoiceStatus, StripePayment
from twintill.domain.outcomes import Accepted, NeedsCustomer
from twintill.domain.policy import AtEnd

_METHODS = st.sampled_from(("pm_a", "pm_b"))
_DOES = st.sampled_from(Does)
_LINES = st.sampled_from((*Line, Line.FINE, Line.FINE))
_PAUSES = st.sampled_from((5, 60, 3600, 6 * 3600, 86400, 4 * 86400, 25 * 86400))
_NUMBERS = st.integers(min_value=0, max_value=20)
_STEPS_TO_AN_END = 60
_EXAMPLES = int(os.environ.get("TWINTILL_TEST_EXAMPLES", "300"))


class Start(StrEnum):
    """Where a history begins: deep enough for what is rare to happen at all."""

    NEW = "new"
    DEBIT_COLLECTED = "a debit was collected and not yet reported"
    SECOND_OUT = "the first attempt was declined, the second has no answer"
    DECLINE_TURNED = "and the first decline has become an approval"
    VOIDED = "the invoice was voided while a debit was collected"
    REFUND_OUT = "a refund of stranded money has no answer"


class OnePayment(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(looks_up=st.booleans(), replays=st.booleans(), start=st.sampled_from(Start))
    def the_processor_is_of_some_kind_and_something_happened(
        self, looks_up: bool, replays: bool, start: Start
    ) -> None:
        self.world.looks_up = looks_up
        self.world.replays_first_answer = replays
        if start is Start.DEBIT_COLLECTED:
            self._look(Does.APPROVE_FOR_NOW, Line.LATE, "pm_a")
        elif start in (Start.VOIDED, Start.REFUND_OUT):
            self._stranded(lose=start is Start.REFUND_OUT)
        elif start is not Start.NEW:
            self._look(Does.DECLINE, Line.FINE, "pm_a")
            self._look(Does.APPROVE, Line.LOST_AFTER, "pm_a")
        if start is Start.DECLINE_TURNED:
            first = self.world.there["key-1"]
            self.world.settle(first, kindly=True)
            self.world.learn(Answered(first.attempt.id, first.now, Via.RECORD))

    def _stranded(self, *, lose: bool) -> None:
        does = Does.APPROVE if lose else Does.APPROVE_FOR_NOW
        self._look(does, Line.LATE, "pm_a")
        self.world.closed_by_others(InvoiceStatus.VOID, StripePayment.NONE)
        self._look(does, Line.FINE, "pm_a")
        if lose:
            self._look(Does.APPROVE, Line.LOST_AFTER, "pm_a")

    @rule(seconds=_PAUSES)
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    def _look(self, does: Does, line: Line, method: str, *, readable: bool = True) -> None:
        at = self.world.payment.next_look_at
        if at is not None:
            self.world.now = max(self.world.now, at)
        self.world.look(does, line, method, readable=readable)

    @rule(does=_DOES, line=_LINES, method=_METHODS)
    def a_worker_looks_when_it_is_due(self, does: Does, line: Line, method: str) -> None:
        self._look(does, line, method)

    @rule(does=_DOES, method=_METHODS)
    def a_worker_looks_and_loses_the_answer(self, does: Does, method: str) -> None:
        self._look(does, Line.LOST_AFTER, method)

    @rule(method=_METHODS)
    def a_worker_looks_and_is_declined(self, method: str) -> None:
        self._look(Does.DECLINE, Line.FINE, method)

    @rule(does=_DOES, line=_LINES, method=_METHODS)
    def a_worker_cannot_read_stripe(self, does: Does, line: Line, method: str) -> None:
        self._look(does, line, method, readable=False)

    @rule(method=_METHODS)
    def a_worker_takes_the_last_look(self, method: str) -> None:
        self.world.take_look(method)

    @precondition(lambda self: self.world.taken)
    @rule(number=_NUMBERS, does=_DOES, line=_LINES)
    def what_it_prepared_comes_later(self, number: int, does: Does, line: Line) -> None:
        fact = self.world.taken.pop(number % len(self.world.taken))
        self.world.come(fact, does, line)

    @precondition(lambda self: self.world.there)
    @rule(number=_NUMBERS, age=_NUMBERS)
    def a_webhook_tells_news_old_or_new(self, number: int, age: int) -> None:
        charge = list(self.world.there.values())[number % len(self.world.there)]
        told = charge.states[age % len(charge.states)]
        self.world.learn(Answered(charge.attempt.id, told, Via.RECORD))

    @precondition(lambda self: self.world.payment.attempts)
    @rule(number=_NUMBERS, line=st.sampled_from((Line.NEVER_LEFT, Line.LOST_AFTER)))
    def an_answer_without_worth_comes(self, number: int, line: Line) -> None:
        attempts = self.world.payment.attempts
        attempt = attempts[number % len(attempts)]
        nothing = self.world._record(attempt, line)
        for via in (Via.STALE, Via.REPLAY, Via.EXACT_REPLAY, Via.RECORD):
            self.world.learn(Answered(attempt.id, nothing, via))
        self.world.learn(f.NotFoundThere(attempt.id, conclusive=False))

    @precondition(lambda self: self.world.there)
    @rule(number=_NUMBERS, kindly=st.booleans())
    def the_processor_makes_up_its_mind(self, number: int, kindly: bool) -> None:
        charge = list(self.world.there.values())[number % len(self.world.there)]
        self.world.settle(charge, kindly=kindly)

    @precondition(lambda self: self.world.there)
    @rule(number=_NUMBERS)
    def a_debit_comes_back(self, number: int) -> None:
        self.world.fail_late(list(self.world.there.values())[number % len(self.world.there)])

    @precondition(lambda self: self.world.there)
    @rule(number=_NUMBERS)
    def a_debit_becomes_final(self, number: int) -> None:
        self.world.make_final(list(self.world.there.values())[number % len(self.world.there)])

    @precondition(lambda self: self.world.payment.receipt_to_give_back)
    @rule(minor=st.integers(min_value=1, max_value=5000))
    def somebody_gives_it_back_by_hand(self, minor: int) -> None:
        self.world.back.by_hand(minor)

    @precondition(lambda self: self.world.back.there)
    @rule(number=_NUMBERS, age=_NUMBERS, kindly=st.booleans())
    def a_refund_ends_and_is_told(self, number: int, age: int, kindly: bool) -> None:
        given = list(self.world.back.there.values())[number % len(self.world.back.there)]
        self.world.back.settle(given, kindly=kindly)
        self.world.back.tell(given, age)

    @precondition(lambda self: self.world.payment.attempts)
    @rule(how=st.sampled_from(CLOSED))
    def somebody_else_closes_the_invoice(self, how: tuple[InvoiceStatus, StripePayment]) -> None:
        self.world.closed_by_others(*how)

    @rule(minor=st.integers(min_value=1, max_value=3000))
    def the_merchant_credits_some_of_it(self, minor: int) -> None:
        self.world.credited(minor)

    @rule(minor=st.integers(min_value=1, max_value=6000))
    def somebody_records_money_by_hand(self, minor: int) -> None:
        self.world.hands.record(minor)

    @precondition(lambda self: self.world.payment.by_hand)
    @rule(number=_NUMBERS, reported=st.booleans())
    def somebody_takes_it_back(self, number: int, reported: bool) -> None:
        hands = self.world.payment.by_hand
        self.world.hands.take_back(hands[number % len(hands)], reported=reported)

    @precondition(lambda self: self.world.payment.by_hand)
    @rule(number=_NUMBERS, minor=st.integers(min_value=1, max_value=5000), paid_out=st.booleans())
    def somebody_uses_what_is_left(self, number: int, minor: int, paid_out: bool) -> None:
        hands = self.world.payment.by_hand
        self.world.hands.use(hands[number % len(hands)], minor, paid_out=paid_out)

    @precondition(lambda self: self.world.payment.by_hand)
    @rule(number=_NUMBERS, minor=st.integers(min_value=1, max_value=5000))
    def what_was_used_comes_back(self, number: int, minor: int) -> None:
        hands = self.world.payment.by_hand
        self.world.hands.give_back(hands[number % len(hands)], minor)

    @rule(fact=st.sampled_from(TOLD))
    def something_else_is_told(self, fact: f.Fact) -> None:
        self.world.learn(fact)

    @rule(how=st.sampled_from(AtEnd))
    def the_subscription_ends(self, how: AtEnd) -> None:
        self.world.at_end = how
        self.world.learn(f.SubscriptionEnded("sub_1"))

    @rule(braked=st.booleans())
    def the_processor_is_paused_or_resumed(self, braked: bool) -> None:
        self.world.braked = braked

    @rule()
    def a_worker_gives_up(self) -> None:
        self.world.learn(f.LookGaveUp("KeyError"))

    @precondition(lambda self: self.world.payment.parked_why is not None)
    @rule()
    def a_person_puts_it_back_to_work(self) -> None:
        self.world.learn(f.Unparked("looked at"))

    @precondition(lambda self: self.world.payment.unresolved_attempt)
    @rule()
    def a_person_tells_what_the_processor_says(self) -> None:
        attempt = self.world.payment.unresolved_attempt
        assert attempt is not None
        charge = self.world.there.get(attempt.idempotency_key)
        if charge is not None:
            self.world.learn(Answered(attempt.id, charge.now, Via.PERSON))

    @invariant()
    def the_money_rules_hold(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """From anywhere: with everybody healthy, it ends, or a person has been called."""
        world = self.world
        world.braked = False
        for _ in range(_STEPS_TO_AN_END):
            if world.payment.ended or world.payment.parked_why is not None:
                return
            at = world.payment.next_look_at
            assert at is not None
            world.now = max(world.now, at)
            for charge in world.there.values():
                if isinstance(charge.now, Accepted | NeedsCustomer):
                    world.settle(charge, kindly=True)
                world.make_final(charge)
            for given in world.back.there.values():
                world.back.settle(given, kindly=True)
            world.look(Does.APPROVE, Line.FINE, "pm_a")
        raise AssertionError(f"wedged: {world.payment}")


OnePayment.TestCase.settings = settings(
    max_examples=_EXAMPLES, stateful_step_count=30, deadline=None
)
# One test, many histories: a busy machine needs longer than other tests may.
TestOnePayment = pytest.mark.timeout(900)(OnePayment.TestCase)
