"""Disputes: each step, by its record and by webhook."""

from datetime import timedelta
from typing import Any

import pytest

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.processors import DisputePage, Disputes, EventKind, ProcessorEvent, SeenDispute
from twintill.testing.refunds import a_charge
from twintill.testing.stage import Stage, Trait
from twintill.testing.steps import asking, events, needs, three_charges


def tells(stage: Stage) -> Disputes:
    return asking(stage, Disputes, "is asked about no dispute")  # type: ignore[type-abstract]


async def seen(stage: Stage, dispute_id: str) -> SeenDispute:
    found = await tells(stage).get_dispute(dispute_id)
    assert isinstance(found, SeenDispute)
    return found


def names(event: ProcessorEvent, dispute: SeenDispute) -> bool:
    """Whether what was told is this dispute as it is, or at least says whom to ask about."""
    if event.dispute is None:
        return event.processor_payment_id == dispute.processor_payment_id
    told = event.dispute
    return (told.dispute_id, told.stage, told.withheld, told.amount) == (
        dispute.dispute_id,
        dispute.stage,
        dispute.withheld,
        dispute.amount,
    )


async def opened(stage: Stage, *, taken: bool) -> str:
    tells(stage)
    if not taken:
        needs(stage, Trait.UNTAKEN_DISPUTES)
    return await stage.dispute(await a_charge(stage), taken=taken)


class DisputeContract:
    part = "Disputes"

    @pytest.mark.parametrize("taken", [True, False])
    async def test_one_that_was_opened_is_seen_listed_and_told(
        self, stage: Stage, taken: bool
    ) -> None:
        dispute_id = await opened(stage, taken=taken)
        found = await seen(stage, dispute_id)
        assert (found.stage, found.withheld) == (DisputeStage.OPENED, taken)
        assert found.amount == stage.amount
        since = await stage.now() - timedelta(days=1)
        assert await tells(stage).list_disputes(since) == DisputePage((found,))
        [told] = await events(stage, EventKind.DISPUTE_OPENED, EventKind.DISPUTE_WITHHELD)
        assert names(told, found)

    @pytest.mark.parametrize(
        ("end", "taken"),
        [(DisputeStage.WON, False), (DisputeStage.LOST, True), (DisputeStage.ACCEPTED, True)],
    )
    async def test_its_end_is_seen_and_told(
        self, stage: Stage, end: DisputeStage, taken: bool
    ) -> None:
        if end is DisputeStage.ACCEPTED:
            needs(stage, Trait.ACCEPTED_DISPUTES)
        if end is DisputeStage.WON:
            needs(stage, Trait.WON_DISPUTES)
        dispute_id = await opened(stage, taken=True)
        await stage.end_dispute(dispute_id, end)
        found = await seen(stage, dispute_id)
        assert (found.stage, found.withheld) == (end, taken)
        [told] = await events(stage, EventKind(f"dispute.{end}"))
        assert names(told, found)

    async def test_a_dispute_that_does_not_exist_is_not_found(self, stage: Stage) -> None:
        assert isinstance(await tells(stage).get_dispute(stage.unknown_dispute_id), NotFound)
        assert await tells(stage).list_disputes(await stage.now()) == DisputePage(())

    async def test_the_list_of_disputes_begins_at_a_time(self, stage: Stage) -> None:
        await opened(stage, taken=True)
        later = await stage.now() + timedelta(days=1)
        assert await tells(stage).list_disputes(later) == DisputePage(())

    async def test_every_page_of_disputes_is_read(self, stage: Stage) -> None:
        tells(stage)
        since, disputed = await stage.now() - timedelta(days=1), await three_charges(stage)
        for charge_id in disputed:
            await stage.dispute(charge_id, taken=True)
        page = await tells(stage).list_disputes(since)
        assert isinstance(page, DisputePage)
        found = list(page.disputes)
        while page.following is not None:
            page = await tells(stage).list_disputes(since, page.following)
            assert isinstance(page, DisputePage)
            found += page.disputes
        assert sorted(one.processor_payment_id for one in found) == sorted(disputed)

    async def test_a_broken_line_is_no_dispute(self, stage: Stage) -> None:
        tells(stage)
        for status, body in ((502, ""), (404, "no such page"), (200, "{}")):
            await stage.answer_next(status, body)
            asked = await tells(stage).get_dispute(stage.unknown_dispute_id)
            assert isinstance(asked, NoAnswer)
            await stage.answer_next(status, body)
            assert isinstance(await tells(stage).list_disputes(await stage.now()), NoAnswer)
        nobody: Any = stage.unreachable()
        asked = await nobody.get_dispute(stage.unknown_dispute_id)
        assert isinstance(asked, NoAnswer | NotSent)
        assert isinstance(await nobody.list_disputes(await stage.now()), NoAnswer | NotSent)
