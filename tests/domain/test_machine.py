"""Random histories: no order of facts breaks a money rule, and a healthy world ends them all."""

import os
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.domain.world import Does, Line, World
from twintill.domain import facts as f
from twintill.domain.facts import Answered, Via
from twintill.domain.invoice import InvoiceStatus, StripePayment
from twintill.domain.outcomes import Accepted, NeedsCustomer

_METHODS = st.sampled_from(("pm_a", "pm_b"))
_DOES = st.sampled_from(Does)
_LINES = st.sampled_from((*Line, Line.FINE, Line.FINE))
_PAUSES = st.sampled_from((5, 60, 3600, 6 * 3600, 86400, 4 * 86400, 25 * 86400))
_NUMBERS = st.integers(min_value=0, max_value=20)
_STEPS_TO_AN_END = 60
_EXAMPLES = int(os.environ.get("TWINTILL_TEST_EXAMPLES", "100"))


class OnePayment(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @rule(seconds=_PAUSES)
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule(does=_DOES, line=_LINES, method=_METHODS, readable=st.booleans() | st.just(True))
    def a_worker_looks_when_it_is_due(
        self, does: Does, line: Line, method: str, readable: bool
    ) -> None:
        at = self.world.payment.next_look_at
        if at is not None:
            self.world.now = max(self.world.now, at)
        self.world.look(does, line, method, readable=readable)

    @precondition(lambda self: self.world.stale)
    @rule(number=_NUMBERS)
    def a_worker_without_a_lease_comes_back(self, number: int) -> None:
        fact = self.world.stale[number % len(self.world.stale)]
        if isinstance(fact, f.ChargeStarted) and fact.n != self.world.payment.next_n:
            assert self.world.learn(fact).send is None

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

    @rule(
        status=st.sampled_from(
            (InvoiceStatus.VOID, InvoiceStatus.DELETED, InvoiceStatus.UNCOLLECTIBLE)
        )
    )
    def the_merchant_closes_the_invoice(self, status: InvoiceStatus) -> None:
        self.world.closed_by_others(status, StripePayment.NONE)

    @rule(by=st.sampled_from((StripePayment.PAID, StripePayment.NONE)))
    def somebody_else_pays_it(self, by: StripePayment) -> None:
        self.world.closed_by_others(InvoiceStatus.PAID, by)

    @rule(minor=st.integers(min_value=1, max_value=3000))
    def the_merchant_credits_some_of_it(self, minor: int) -> None:
        self.world.credited(minor)

    @rule(
        fact=st.sampled_from(
            (
                f.InvoiceTouched("invoice.updated"),
                f.InvoiceOpened(None),
                f.MethodAdded("pm_b"),
                f.AmountAgreed(5000),
                f.CheckoutExpired(),
                f.NoMethodFound(),
                f.LookFailed("timed out"),
                f.ReportFailed("timed out"),
                f.LookGaveUp("KeyError"),
                f.Unparked("looked at"),
            )
        )
    )
    def something_else_is_told(self, fact: f.Fact) -> None:
        self.world.learn(fact)

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
        for _ in range(_STEPS_TO_AN_END):
            if world.payment.ended or world.payment.parked_why is not None:
                return
            at = world.payment.next_look_at
            assert at is not None
            world.now = max(world.now, at)
            for charge in world.there.values():
                if isinstance(charge.now, Accepted | NeedsCustomer):
                    world.settle(charge, kindly=True)
            world.look(Does.APPROVE, Line.FINE, "pm_a")
        raise AssertionError(f"wedged: {world.payment}")


OnePayment.TestCase.settings = settings(
    max_examples=_EXAMPLES, stateful_step_count=30, deadline=None
)
TestOnePayment = OnePayment.TestCase
