"""Giving money back: the rules of charging, once more."""

from datetime import timedelta
from typing import Any

import pytest

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
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
    RefundLists,
    RefundPage,
    RefundRequest,
    Refunds,
    SeenRefund,
)
from twintill.testing.stage import Behaviour, Fault, Lie, Stage, Trait
from twintill.testing.steps import approved, asking, events, needs, three_charges


def gives_back(stage: Stage) -> Refunds:
    return asking(stage, Refunds, "gives nothing back")  # type: ignore[type-abstract]


async def a_charge(stage: Stage, behaviour: Behaviour = Behaviour.APPROVED) -> str:
    return (await approved(stage, behaviour)).processor_payment_id


async def refundable(stage: Stage, behaviour: Behaviour = Behaviour.APPROVED) -> str:
    gives_back(stage)
    return await a_charge(stage, behaviour)


def of(
    stage: Stage,
    charge_id: str,
    minor: int | None = None,
    reference: str = "tw-r1",
    key: str = "rkey-1",
    before_minor: int = 0,
) -> PreparedRefund:
    amount = Money(minor or stage.amount.minor, stage.amount.currency)
    request = RefundRequest(reference, charge_id, amount, before_minor)
    prepared = gives_back(stage).prepare_refund(request, key)
    assert isinstance(prepared, PreparedRefund)
    return prepared


async def listed(stage: Stage, charge_id: str) -> tuple[SeenRefund, ...]:
    """When it must be visible."""
    capabilities = stage.processor.capabilities
    if capabilities.look_up_lag_s:
        await stage.pass_days(capabilities.look_up_lag_s / 86_400)
    seen = await gives_back(stage).list_refunds(charge_id)
    assert isinstance(seen, tuple)
    return seen


async def recent(stage: Stage) -> list[ListedRefund]:
    """Of all charges, page after page."""
    lists: Any = stage.processor
    since = await stage.now() - timedelta(days=60)
    page = await lists.list_recent_refunds(since)
    refunds = list(page.refunds)
    while page.following is not None:
        page = await lists.list_recent_refunds(since, page.following)
        refunds += page.refunds
    return refunds


async def given_back(stage: Stage, charge_id: str, outcome: ChargeOutcome) -> ChargeOutcome:
    """What an accepted refund comes to; days pass until it is told."""
    for _ in range(20):
        if not isinstance(outcome, Accepted):
            break
        await stage.pass_days(1)
        ids = {one.processor_refund_id: one for one in await listed(stage, charge_id)}
        outcome = ids[outcome.processor_payment_id].outcome
    return outcome


class RefundContract:
    part = "Refunds"

    async def test_a_charge_goes_back(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        first = await gives_back(stage).refund(of(stage, charge_id))
        outcome = await given_back(stage, charge_id, first)
        assert isinstance(outcome, Approved)
        assert outcome.amount == stage.amount

    async def test_two_parts_go_back_and_nothing_more(self, stage: Stage) -> None:
        processor, charge_id, before = gives_back(stage), await refundable(stage), 0
        for n, minor in enumerate((2000, stage.amount.minor - 2000)):
            refund = of(stage, charge_id, minor, f"tw-r{n}", f"rkey-{n}", before)
            assert isinstance(await processor.refund(refund), Approved | Accepted)
            before += minor
        too_much = await processor.refund(of(stage, charge_id, 100, "tw-r9", "rkey-9", before))
        assert isinstance(too_much, Declined)
        seen = await listed(stage, charge_id)
        assert {one.reference: one.amount.minor for one in seen} == {
            "tw-r0": 2000,
            "tw-r1": stage.amount.minor - 2000,
        }

    async def test_more_than_was_charged_does_not_go_back(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        outcome = await gives_back(stage).refund(of(stage, charge_id, stage.amount.minor + 100))
        assert isinstance(outcome, Declined)
        assert await listed(stage, charge_id) == ()

    async def test_the_same_key_gives_back_once(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id, 2000)
        first = await gives_back(stage).refund(refund)
        assert await gives_back(stage).refund(refund) == first
        assert len(await listed(stage, charge_id)) == 1

    async def test_a_lost_answer_is_no_answer_and_the_refund_is_found(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        await stage.break_line(Fault.CUT_AFTER)
        assert isinstance(await gives_back(stage).refund(refund), NoAnswer)
        if not stage.processor.capabilities.finds_refunds:
            return
        (seen,) = await listed(stage, charge_id)
        assert (seen.reference, seen.amount) == ("tw-r1", stage.amount)
        assert isinstance(seen.outcome, Approved | Accepted)

    async def test_what_never_arrived_goes_back_under_the_same_key(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        await stage.break_line(Fault.CUT_BEFORE)
        assert isinstance(await gives_back(stage).refund(refund), NoAnswer)
        assert await listed(stage, charge_id) == ()
        assert isinstance(await gives_back(stage).refund(refund), Approved | Accepted)
        assert len(await listed(stage, charge_id)) == 1

    async def test_what_never_left_was_not_sent(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        nobody: Any = stage.unreachable()
        outcome = await nobody.refund(refund)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.NETWORK

    async def test_bad_credentials_are_not_sent_and_list_nothing(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        stranger: Any = stage.with_wrong_credentials()
        outcome = await stranger.refund(refund)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.CREDENTIALS
        assert isinstance(await stranger.list_refunds(charge_id), NotSent)

    async def test_recent_ones_are_listed_from_a_time_on(self, stage: Stage) -> None:
        gives_back(stage)
        lists = asking(stage, RefundLists, "lists no refunds of all charges")  # type: ignore[type-abstract]
        charge_id = await refundable(stage)
        await gives_back(stage).refund(of(stage, charge_id))
        (seen,) = await listed(stage, charge_id)
        now = await stage.now()
        page = await lists.list_recent_refunds(now - timedelta(days=1))
        assert isinstance(page, RefundPage)
        assert ListedRefund(charge_id, seen) in page.refunds
        later = await lists.list_recent_refunds(now + timedelta(days=1))
        assert later == RefundPage(())
        nobody: Any = stage.unreachable()
        assert isinstance(await nobody.list_recent_refunds(now), NoAnswer | NotSent)

    async def test_every_page_of_refunds_is_read(self, stage: Stage) -> None:
        gives_back(stage)
        asking(stage, RefundLists, "lists no refunds of all charges")  # type: ignore[type-abstract]
        charges = await three_charges(stage)
        for n, charge_id in enumerate(sorted(charges)):
            refund = of(stage, charge_id, 2000, f"tw-r{n}", f"rkey-{n}")
            assert isinstance(await gives_back(stage).refund(refund), Approved | Accepted)
            await listed(stage, charge_id)
        assert {one.processor_payment_id for one in await recent(stage)} == charges

    @pytest.mark.parametrize("status", [302, 400, 404, 409, 422, 500, 502])
    async def test_a_refund_whose_status_proves_nothing_is_no_answer(
        self, stage: Stage, status: int
    ) -> None:
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        await stage.answer_next(status, "<html>sorry</html>", act=True)
        assert isinstance(await gives_back(stage).refund(refund), NoAnswer)

    async def test_a_broken_line_is_no_empty_list_of_refunds(self, stage: Stage) -> None:
        charge_id = await refundable(stage)
        for status, body in ((502, ""), (404, "no such page"), (200, "{}")):
            await stage.answer_next(status, body)
            assert isinstance(await gives_back(stage).list_refunds(charge_id), NoAnswer)

    async def test_an_answer_about_another_amount_is_not_believed(self, stage: Stage) -> None:
        needs(stage, Lie.OTHER_AMOUNT)
        charge_id = await refundable(stage)
        refund = of(stage, charge_id)
        await stage.lie_next(Lie.OTHER_AMOUNT, "refund")
        assert isinstance(await gives_back(stage).refund(refund), NoAnswer)

    async def test_a_refund_can_fail_days_later(self, stage: Stage) -> None:
        charge_id = await refundable(stage, Behaviour.REFUND_FAILS)
        outcome = await gives_back(stage).refund(of(stage, charge_id))
        assert isinstance(outcome, Accepted)
        assert isinstance(await given_back(stage, charge_id, outcome), Declined)
        told = await events(stage, EventKind.REFUND_FAILED)
        assert {event.refund_id for event in told} == {outcome.processor_payment_id}
        assert {event.reference for event in told} <= {None, "tw-r1"}

    async def test_what_cannot_be_expressed_exactly_is_refused_before(self, stage: Stage) -> None:
        needs(stage, Trait.INEXACT)
        request = RefundRequest("tw-r1", stage.unknown_charge_id, stage.inexact)
        refused = gives_back(stage).prepare_refund(request, "rkey-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.INEXACT
