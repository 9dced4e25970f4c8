"""A charge whose answer is missing or cannot be believed: never sent again by itself, and found."""

import asyncio

import pytest

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.money import Money
from twintill.processors import LookUpBy
from twintill.testing.stage import Behaviour, Fault, Lie, Stage, Trait
from twintill.testing.steps import (
    ended,
    found,
    needs,
    not_applicable,
    order,
    ordered,
    prepared,
)

DAY_S = 86_400


def needs_a_reliable_look_up(stage: Stage) -> None:
    if stage.processor.capabilities.look_up is not LookUpBy.REFERENCE:
        not_applicable("its look-up proves nothing")


class DoubtContract:
    part = "Answers that are missing or cannot be believed"

    @pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.SILENT_AFTER])
    async def test_charged_but_the_answer_was_lost(self, stage: Stage, fault: Fault) -> None:
        needs_a_reliable_look_up(stage)
        charge = await ordered(stage)
        await stage.break_line(fault)
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        seen = await found(stage, charge)
        assert isinstance(seen, Approved | Accepted)
        assert isinstance(await ended(stage, seen), Approved)
        assert await stage.taken("tw-1") == stage.amount.minor

    @pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.SILENT_BEFORE])
    async def test_never_arrived(self, stage: Stage, fault: Fault) -> None:
        charge = await ordered(stage)
        await stage.break_line(fault)
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        if stage.processor.capabilities.look_up is not LookUpBy.NONE:
            assert await found(stage, charge) == NotFound()
        outcome = await stage.processor.charge(charge)
        assert isinstance(await ended(stage, outcome), Approved)
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_arrived_twice(self, stage: Stage) -> None:
        charge = await ordered(stage)
        first = await stage.processor.charge(charge)
        assert await stage.processor.charge(charge) == first
        assert isinstance(await ended(stage, first), Approved)
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_arrived_twice_at_the_same_moment(self, stage: Stage) -> None:
        charge = await ordered(stage)
        outcomes = await asyncio.gather(*(stage.processor.charge(charge) for _ in range(2)))
        taken = [one for one in outcomes if isinstance(one, Approved | Accepted)]
        assert taken
        assert len({one.processor_payment_id for one in taken}) == 1
        assert all(isinstance(one, Approved | Accepted | NoAnswer) for one in outcomes)
        await ended(stage, taken[0])
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_the_key_is_honoured_as_long_as_it_is_said(self, stage: Stage) -> None:
        charge = await ordered(stage)
        first = await stage.processor.charge(charge)
        await stage.pass_days(0.9 * stage.processor.capabilities.key_window_s / DAY_S)
        again = await stage.processor.charge(charge)
        assert isinstance(first, Approved | Accepted)
        assert isinstance(again, Approved | Accepted)
        assert again.processor_payment_id == first.processor_payment_id
        await ended(stage, again)
        assert await stage.taken("tw-1") == stage.amount.minor

    @pytest.mark.parametrize("arrived", [True, False])
    async def test_the_window_of_the_key_is_over(self, stage: Stage, arrived: bool) -> None:
        needs_a_reliable_look_up(stage)
        charge = await ordered(stage)
        await stage.break_line(Fault.CUT_AFTER if arrived else Fault.CUT_BEFORE)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)
        days = 1.1 * stage.processor.capabilities.key_window_s / DAY_S
        await stage.pass_days(days)
        seen = await found(stage, charge, sent_days_ago=days)
        if arrived:
            assert isinstance(await ended(stage, seen), Approved)
        else:
            assert seen == NotFound()

    async def test_a_look_up_finds_only_its_own(self, stage: Stage) -> None:
        if stage.processor.capabilities.look_up is LookUpBy.NONE:
            not_applicable("it looks up no charge")
        method = await stage.method(Behaviour.APPROVED)
        mine, other = (
            prepared(stage, order(stage, method, f"tw-{n}", invoice_id=f"in_{n}"), f"key-{n}")
            for n in (1, 12)
        )
        assert isinstance(await stage.processor.charge(other), Approved | Accepted)
        await stage.foreign_charge()
        assert await found(stage, mine) == NotFound()

    async def test_the_longest_reference_is_found(self, stage: Stage) -> None:
        needs_a_reliable_look_up(stage)
        longest = "tw-" + "Az09._-" * 4 + "tail"
        assert len(longest) == 35
        method = await stage.method(Behaviour.APPROVED)
        charge = prepared(stage, order(stage, method, longest))
        assert isinstance(await stage.processor.charge(charge), Approved | Accepted)
        assert isinstance(await found(stage, charge), Approved | Accepted)

    async def test_the_same_key_with_another_body_is_in_doubt(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        first = await stage.processor.charge(prepared(stage, order(stage, method)))
        more = Money(stage.amount.minor + 100, stage.amount.currency)
        other = prepared(stage, order(stage, method, amount=more))
        assert isinstance(await stage.processor.charge(other), NoAnswer)
        await ended(stage, first)
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_a_used_reference_under_another_key_is_in_doubt(self, stage: Stage) -> None:
        needs(stage, Trait.UNIQUE_REFERENCE)
        method = await stage.method(Behaviour.APPROVED)
        first = await stage.processor.charge(prepared(stage, order(stage, method), "key-1"))
        again = await stage.processor.charge(prepared(stage, order(stage, method), "key-2"))
        assert isinstance(again, NoAnswer)
        await ended(stage, first)
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_a_declined_reference_may_be_used_again(self, stage: Stage) -> None:
        needs(stage, Behaviour.DECLINES_ONCE)
        if not stage.processor.capabilities.reuses_reference_after_decline:
            not_applicable("a declined reference is used up")
        method = await stage.method(Behaviour.DECLINES_ONCE)
        first = prepared(stage, order(stage, method), "key-1")
        again = prepared(stage, order(stage, method), "key-2")
        assert isinstance(await ended(stage, await stage.processor.charge(first)), Declined)
        outcome = await ended(stage, await stage.processor.charge(again))
        assert isinstance(outcome, Approved)
        needs_a_reliable_look_up(stage)
        assert await found(stage, again, sent_days_ago=20) == outcome

    async def test_a_request_still_in_flight_is_in_doubt(self, stage: Stage) -> None:
        needs(stage, Trait.IN_FLIGHT)
        charge = await ordered(stage, Behaviour.SLOW)
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    @pytest.mark.parametrize("status", [302, 400, 404, 408, 409, 418, 422, 500, 502, 503, 504])
    async def test_a_status_that_proves_nothing_is_no_answer(
        self, stage: Stage, status: int
    ) -> None:
        charge = await ordered(stage)
        await stage.answer_next(status, "<html>sorry</html>", act=True)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    @pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"id":', "[" * 100_000, "\ufffd"])
    async def test_an_unreadable_answer_is_no_answer(self, stage: Stage, body: str) -> None:
        charge = await ordered(stage)
        await stage.answer_next(stage.created_status, body, act=True)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    @pytest.mark.parametrize("lie", list(Lie))
    async def test_a_self_contradictory_answer_is_no_answer(self, stage: Stage, lie: Lie) -> None:
        needs(stage, lie)
        charge = await ordered(stage)
        await stage.lie_next(lie)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    async def test_too_many_requests_is_not_sent_with_its_wait(self, stage: Stage) -> None:
        charge = await ordered(stage)
        await stage.too_many_requests(wait_s=17)
        outcome = await stage.processor.charge(charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.RATE
        assert outcome.wait_s is not None
        assert 10 < outcome.wait_s < 24, "a wait that is told as a time may be some seconds off"

    async def test_bad_credentials_are_not_sent(self, stage: Stage) -> None:
        charge = await ordered(stage)
        outcome = await stage.with_wrong_credentials().charge(charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.CREDENTIALS
        assert await stage.taken("tw-1") == 0

    async def test_an_account_that_is_not_enabled_is_not_sent(self, stage: Stage) -> None:
        needs(stage, Trait.NOT_ENABLED)
        charge = await ordered(stage)
        await stage.disable_account()
        outcome = await stage.processor.charge(charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.CONFIG
        assert " " in outcome.detail, "a sentence that says what to do, not a code alone"

    async def test_a_refused_connection_is_not_sent(self, stage: Stage) -> None:
        outcome = await stage.unreachable().charge(await ordered(stage))
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.NETWORK

    async def test_looking_up_through_a_broken_line_is_not_not_found(self, stage: Stage) -> None:
        charge = await ordered(stage)
        for status, body in ((500, ""), (404, "no such page"), (200, "{}"), (200, "<html>")):
            await stage.answer_next(status, body)
            assert isinstance(await found(stage, charge), NoAnswer)
            await stage.answer_next(status, body)
            state = await stage.processor.get_charge(stage.unknown_charge_id)
            assert isinstance(state, NoAnswer)
        nobody = stage.unreachable()
        assert isinstance(await nobody.get_charge(stage.unknown_charge_id), NotSent)

    async def test_nothing_is_ever_repeated_by_the_adapter(self, stage: Stage) -> None:
        charge = await ordered(stage)
        for fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER, None):
            before = await stage.charge_requests()
            if fault is None:
                await stage.answer_next(500)
            else:
                await stage.break_line(fault)
            await stage.processor.charge(charge)
            assert await stage.charge_requests() == before + 1
