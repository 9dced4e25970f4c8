"""What every adapter that tells of disputes must do: each step, by its record and by webhook."""

from datetime import timedelta
from typing import Any

import pytest

from tests.processors.refund_contract import a_charge
from tests.processors.stage import NOW, Stage, events
from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.money import Money
from twintill.processors import DisputePage, Disputes, EventKind, Processor, SeenDispute


def tells(processor: Processor) -> Disputes:
    assert isinstance(processor, Disputes)
    return processor


async def seen(stage: Stage, dispute_id: str) -> SeenDispute:
    found = await tells(stage.processor).get_dispute(dispute_id)
    assert isinstance(found, SeenDispute)
    return found


class DisputeContract:
    @pytest.mark.parametrize("taken", [True, False])
    async def test_one_that_was_opened_is_seen_and_listed(self, stage: Stage, taken: bool) -> None:
        charge_id = await a_charge(stage)
        dispute_id = await stage.dispute(charge_id, taken=taken)
        found = await seen(stage, dispute_id)
        assert (found.stage, found.withheld) == (DisputeStage.OPENED, taken)
        assert (found.amount, found.processor_payment_id) == (Money(4900, "EUR"), charge_id)
        since = NOW - timedelta(days=1)
        assert await tells(stage.processor).list_disputes(since) == DisputePage((found,))

    @pytest.mark.parametrize(
        ("end", "taken"),
        [(DisputeStage.WON, False), (DisputeStage.LOST, True), (DisputeStage.ACCEPTED, True)],
    )
    async def test_its_end_is_seen_and_told(
        self, stage: Stage, end: DisputeStage, taken: bool
    ) -> None:
        dispute_id = await stage.dispute(await a_charge(stage), taken=True)
        await stage.end_dispute(dispute_id, end)
        found = await seen(stage, dispute_id)
        assert (found.stage, found.withheld) == (end, taken)
        (told,) = [e.dispute for e in await events(stage, EventKind(f"dispute.{end}"))]
        assert told == found

    async def test_what_is_opened_is_told(self, stage: Stage) -> None:
        dispute_id = await stage.dispute(await a_charge(stage), taken=False)
        (told,) = [e.dispute for e in await events(stage, EventKind.DISPUTE_OPENED)]
        assert told == await seen(stage, dispute_id)

    async def test_one_that_is_not_there(self, stage: Stage) -> None:
        assert isinstance(await tells(stage.processor).get_dispute("dsp_none"), NotFound)
        assert await tells(stage.processor).list_disputes(NOW) == DisputePage(())

    async def test_the_list_begins_at_a_time(self, stage: Stage) -> None:
        await stage.dispute(await a_charge(stage), taken=True)
        later = NOW + timedelta(days=3650)  # days pass on the stage, from test to test
        assert await tells(stage.processor).list_disputes(later) == DisputePage(())

    async def test_nobody_there_is_no_dispute(self, stage: Stage) -> None:
        nobody: Any = stage.unreachable()
        assert isinstance(await nobody.get_dispute("dsp_1"), NoAnswer | NotSent)
        assert isinstance(await nobody.list_disputes(NOW), NoAnswer | NotSent)
