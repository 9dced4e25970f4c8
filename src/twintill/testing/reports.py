"""What a processor tells when it is asked: events that never arrived, and where the money went."""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any, TypeVar

from twintill.domain.outcomes import Approved, NoAnswer, NotSent
from twintill.processors import EventKind, ProcessorEvent
from twintill.processors.reports import (
    EventLists,
    EventPage,
    SettlementKind,
    SettlementLine,
    SettlementPage,
    Settlements,
)
from twintill.testing.refunds import given_back, gives_back, of
from twintill.testing.stage import Stage, Trait
from twintill.testing.steps import approved, asking, heard, needs, three_charges

Row = TypeVar("Row")
LISTS_NONE, REPORTS_NONE = "lists no events", "reports no settlement"
MOST_PAGES = 200
REPORTED_WITHIN_DAYS = 20  # lag of the report, and the next payout


async def caught_up(stage: Stage, days: float) -> list[ProcessorEvent]:
    """All events of the last days, page after page."""
    lists = asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
    since, after = await stage.now() - timedelta(days=days), None
    read: list[ProcessorEvent] = []
    for pages in range(1, MOST_PAGES):
        page = await lists.list_events(since, after)
        assert isinstance(page, EventPage)
        for body in page.bodies:
            read += stage.processor.parse_webhook(body)
        after = page.following
        if after is None:
            return enough(stage, pages, read)
    raise AssertionError("the list of events has no end")


async def reported(stage: Stage, days: float) -> list[SettlementLine]:
    """All lines of the last days, page after page."""
    reads = asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
    since, after = await stage.now() - timedelta(days=days), None
    lines: list[SettlementLine] = []
    by_payout = False
    for pages in range(1, MOST_PAGES):
        page = await reads.list_settlements(since, after)
        assert isinstance(page, SettlementPage)
        lines += page.lines
        by_payout = by_payout or is_whole_payout(page)
        after = page.following
        if after is None:
            parts = {line.payout_id if by_payout else line.line_id for line in lines}
            enough(stage, pages, list(parts))
            return lines
    raise AssertionError("the report has no end")


def is_whole_payout(page: SettlementPage) -> bool:
    """A page may be a payout, however much is in it: only together do its lines add up."""
    return len(page.lines) > 2 and len({line.payout_id for line in page.lines}) == 1


def enough(stage: Stage, pages: int, rows: list[Row]) -> list[Row]:
    """Three rows are never on one page of two: the next one was really asked for."""
    if Trait.SHORT_PAGES not in stage.lacks:
        assert pages > 1 or len(rows) < 3, "the stage's pages are too long to try paging"
    return rows


def moved(line: SettlementLine) -> int:
    return line.amount.minor - (line.fee.minor if line.fee else 0)


class EventListContract:
    part = "What was never delivered"

    async def test_the_list_has_what_the_webhooks_told(self, stage: Stage) -> None:
        asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
        await approved(stage)
        await stage.pass_days(1)
        delivered = {event.dedupe_key: event for event in await heard(stage)}
        listed = {event.dedupe_key: event for event in await caught_up(stage, days=30)}
        assert delivered
        assert None not in delivered
        assert listed == delivered

    async def test_what_was_never_delivered_is_found(self, stage: Stage) -> None:
        asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
        await stage.stop_webhooks()
        outcome = await approved(stage)
        assert await stage.webhooks() == []
        told = [
            event
            for event in await caught_up(stage, days=30)
            if event.kind is EventKind.CHARGE_APPROVED
        ]
        assert outcome.processor_payment_id in {event.processor_payment_id for event in told}

    async def test_every_page_is_read_and_nothing_twice(self, stage: Stage) -> None:
        asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
        ids = await three_charges(stage)
        listed = await caught_up(stage, days=60)
        assert max(Counter(event.dedupe_key for event in listed).values()) == 1
        told = [event for event in listed if event.kind is EventKind.CHARGE_APPROVED]
        assert {event.processor_payment_id for event in told} == ids

    async def test_the_list_of_events_begins_at_a_time(self, stage: Stage) -> None:
        asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
        await approved(stage)
        assert await caught_up(stage, days=-1) == []

    async def test_a_broken_line_is_no_empty_list(self, stage: Stage) -> None:
        lists = asking(stage, EventLists, LISTS_NONE)  # type: ignore[type-abstract]
        for status, body in ((502, ""), (404, "no such page"), (200, "{}"), (200, "<html>")):
            await stage.answer_next(status, body)
            assert isinstance(await lists.list_events(await stage.now()), NoAnswer)
        nobody: Any = stage.unreachable()
        assert isinstance(await nobody.list_events(await stage.now()), NoAnswer | NotSent)


class SettlementContract:
    part = "Settlement"

    async def test_every_charge_appears_once(self, stage: Stage) -> None:
        asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        ids = await three_charges(stage)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        lines = [
            line for line in await reported(stage, days=100) if line.kind is SettlementKind.CHARGE
        ]
        assert sorted(line.processor_payment_id or "" for line in lines) == sorted(ids)
        assert {line.amount for line in lines} == {stage.amount}
        assert {line.reference for line in lines} <= {"tw-0", "tw-1", "tw-2", None}

    async def test_what_was_kept_is_told(self, stage: Stage) -> None:
        asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        needs(stage, Trait.FEES)
        await three_charges(stage)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        kept = 0
        for line in await reported(stage, days=100):
            kept += line.fee.minor if line.fee else 0
            if line.kind is SettlementKind.FEE:
                kept -= line.amount.minor
        assert kept == await stage.fees() > 0

    async def test_a_refund_appears_once(self, stage: Stage) -> None:
        asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        charge_id = (await approved(stage)).processor_payment_id
        refund = await gives_back(stage).refund(of(stage, charge_id, 2000))
        assert isinstance(await given_back(stage, charge_id, refund), Approved)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        lines = [
            line for line in await reported(stage, days=100) if line.kind is SettlementKind.REFUND
        ]
        assert [line.amount.minor for line in lines] == [-2000]

    async def test_the_lines_add_up_to_the_payouts_and_the_balance(self, stage: Stage) -> None:
        asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        await three_charges(stage)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        lines = await reported(stage, days=100)
        assert [line for line in lines if line.kind is SettlementKind.PAYOUT]
        assert sum(moved(line) for line in lines) == await stage.balance()
        payouts: dict[str, list[SettlementLine]] = defaultdict(list)
        for line in lines:
            if line.payout_id is not None:
                payouts[line.payout_id].append(line)
        for together in payouts.values():
            if len(together) > 1:
                assert sum(moved(line) for line in together) == 0

    async def test_a_line_is_the_same_each_time(self, stage: Stage) -> None:
        asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        await three_charges(stage)
        await stage.pass_days(REPORTED_WITHIN_DAYS)
        once, twice = await reported(stage, days=100), await reported(stage, days=100)
        assert once
        assert once == twice
        assert max(Counter(line.line_id for line in once).values()) == 1

    async def test_a_broken_line_is_no_empty_report(self, stage: Stage) -> None:
        reads = asking(stage, Settlements, REPORTS_NONE)  # type: ignore[type-abstract]
        for status, body in ((502, ""), (404, "no such page"), (200, "{}"), (200, "<html>")):
            await stage.answer_next(status, body)
            assert isinstance(await reads.list_settlements(await stage.now()), NoAnswer)
        nobody: Any = stage.unreachable()
        assert isinstance(await nobody.list_settlements(await stage.now()), NoAnswer | NotSent)
