"""What every adapter that gives money back must do: the rules of charging, once more."""

from datetime import timedelta
from typing import Any

from tests.processors.stage import NOW, Stage, charged, events
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.money import Money
from twintill.processors import (
    EventKind,
    ListedRefund,
    PreparedRefund,
    Processor,
    RefundLists,
    RefundPage,
    RefundRequest,
    Refunds,
)


def gives_back(processor: Processor) -> Refunds:
    assert isinstance(processor, Refunds)
    return processor


async def a_charge(stage: Stage, behaviour: str = "approved") -> str:
    outcome = await charged(stage, behaviour)
    assert isinstance(outcome, Approved)
    return outcome.processor_payment_id


def of(
    stage: Stage, charge_id: str, minor: int = 4900, reference: str = "tw-r1", key: str = "rkey-1"
) -> PreparedRefund:
    request = RefundRequest(reference, charge_id, Money(minor, "EUR"))
    prepared = gives_back(stage.processor).prepare_refund(request, key)
    assert isinstance(prepared, PreparedRefund)
    return prepared


class RefundContract:
    async def test_a_charge_goes_back(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        outcome = await gives_back(stage.processor).refund(of(stage, charge_id))
        assert isinstance(outcome, Approved)
        assert outcome.amount == Money(4900, "EUR")

    async def test_parts_go_back_until_nothing_is_left(self, stage: Stage) -> None:
        processor, charge_id = gives_back(stage.processor), await a_charge(stage)
        for n, minor in enumerate((2000, 2900)):
            part = await processor.refund(of(stage, charge_id, minor, f"tw-r{n}", f"rkey-{n}"))
            assert isinstance(part, Approved)
        assert isinstance(await processor.refund(of(stage, charge_id, 1, "tw-r9", "k9")), Declined)

    async def test_the_same_key_gives_back_once(self, stage: Stage) -> None:
        processor, charge_id = gives_back(stage.processor), await a_charge(stage)
        first = await processor.refund(of(stage, charge_id, 2000))
        assert await processor.refund(of(stage, charge_id, 2000)) == first
        assert len(await listed(processor, charge_id)) == 1

    async def test_a_lost_answer_is_no_answer_and_the_refund_is_found(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        await stage.break_line("reset_after")
        assert isinstance(await gives_back(stage.processor).refund(of(stage, charge_id)), NoAnswer)
        (found,) = await listed(gives_back(stage.processor), charge_id)
        assert (found.reference, found.amount.minor) == ("tw-r1", 4900)
        assert isinstance(found.outcome, Approved)

    async def test_what_never_left_was_not_sent(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        outcome = await gives_back(stage.unreachable()).refund(of(stage, charge_id))
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.NETWORK

    async def test_a_wrong_key_is_not_sent_and_lists_nothing(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        stranger = gives_back(stage.with_wrong_credentials())
        outcome = await stranger.refund(of(stage, charge_id))
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.CREDENTIALS
        assert isinstance(await stranger.list_refunds(charge_id), NotSent)

    async def test_recent_ones_are_listed_from_a_time_on(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        await gives_back(stage.processor).refund(of(stage, charge_id))
        lists = stage.processor
        assert isinstance(lists, RefundLists)
        since, later = NOW - timedelta(days=1), NOW + timedelta(days=3650)
        (seen,) = await listed(gives_back(stage.processor), charge_id)
        page = await lists.list_recent_refunds(since)
        assert isinstance(page, RefundPage)
        assert ListedRefund(charge_id, seen) in page.refunds
        assert await lists.list_recent_refunds(later) == RefundPage(())
        nobody: Any = stage.unreachable()
        assert isinstance(await nobody.list_recent_refunds(since), NoAnswer | NotSent)

    async def test_an_error_of_the_processor_is_no_answer(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        await stage.break_line("status", code=502)
        assert isinstance(await gives_back(stage.processor).refund(of(stage, charge_id)), NoAnswer)
        await stage.break_line("status", code=502)
        seen = await gives_back(stage.processor).list_refunds(charge_id)
        assert isinstance(seen, NoAnswer)

    async def test_an_answer_about_another_amount_is_not_believed(self, stage: Stage) -> None:
        charge_id = await a_charge(stage)
        told: dict[str, Any] = {"id": "rfd_1", "charge": charge_id, "amount": 1}
        await stage.break_line("status", act=True, code=201, body=told)
        assert isinstance(await gives_back(stage.processor).refund(of(stage, charge_id)), NoAnswer)

    async def test_a_slow_refund_is_accepted_and_told_later(self, stage: Stage) -> None:
        charge_id = await a_charge(stage, "refund_fails")
        outcome = await gives_back(stage.processor).refund(of(stage, charge_id))
        assert isinstance(outcome, Accepted)
        await stage.pass_days(3)
        (told,) = await events(stage, EventKind.REFUND_FAILED)
        assert (told.reference, told.refund_id) == ("tw-r1", outcome.processor_payment_id)
        assert isinstance(told.outcome, Declined)
        (seen,) = await listed(gives_back(stage.processor), charge_id)
        assert isinstance(seen.outcome, Declined)

    async def test_what_cannot_be_expressed_exactly_is_refused_before(self, stage: Stage) -> None:
        request = RefundRequest("tw-r1", "ch_1", stage.inexact)
        refused = gives_back(stage.processor).prepare_refund(request, "rkey-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.INEXACT


async def listed(processor: Refunds, charge_id: str) -> tuple[Any, ...]:
    seen = await processor.list_refunds(charge_id)
    assert isinstance(seen, tuple)
    return seen
