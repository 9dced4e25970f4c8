"""A processor whose settlement report a test writes: lines of the sandbox's charges, and others."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.flows.asking import with_processor
from tests.flows.world import SCOPE, World
from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.domain.settlement import SettlementKind
from twintill.flows.duty import Ran
from twintill.flows.read_settlements import read_settlements
from twintill.money import Money
from twintill.processors.reports import SettlementLine, SettlementPage
from twintill.processors.sandbox import SandboxProcessor
from twintill.store.tables import settlement_lines

THERE = "processor:acct_sandbox:clearing"
NOTHING = {"listed": 0, "found": 0, "not_ours": 0, "failed": 0, "not_asked": 0}


class Settles(SandboxProcessor):
    """Its report is what `lines` says, two to a page."""

    lines: list[SettlementLine]

    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        begin = int(after or 0)
        rest = len(self.lines) - begin - 2
        return SettlementPage(
            tuple(self.lines[begin : begin + 2]), str(begin + 2) if rest > 0 else None
        )


def settling(world: World, *lines: SettlementLine) -> World:
    """The same world, whose processor has this report."""
    world = with_processor(world, Settles)
    report_of(world).extend(lines)
    return world


def report_of(world: World) -> list[SettlementLine]:
    processor = world.means.processors["sandbox"]
    assert isinstance(processor, Settles)
    if "lines" not in vars(processor):
        processor.lines = []
    return processor.lines


def line(
    line_id: str, kind: str, minor: int, fee: int | None = None, currency: str = "EUR", **more: Any
) -> SettlementLine:
    """`of`: the processor's id of the charge."""
    its = SettlementLine(
        line_id=line_id,
        kind=SettlementKind(kind),
        raw_type=f"T_{kind}",
        amount=Money(minor, currency),
        fee=None if fee is None else Money(fee, currency),
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC),
        processor_payment_id=more.pop("of", None),
    )
    return replace(its, **more)


async def charge_of(world: World, invoice_id: str) -> str:
    return str((await world.payment(invoice_id)).attempts[0].processor_payment_id)


async def read(world: World, cursor: Mapping[str, Any] | None = None) -> Ran:
    """A whole pass."""
    ran = await read_settlements(world.means, SCOPE, cursor or {})
    while not ran.again_in:
        ran = await read_settlements(world.means, SCOPE, ran.cursor)
    return ran


async def rows(world: World) -> dict[str, Any]:
    async with world.db() as db:
        return {row.line_id: row for row in await db.execute(settlement_lines.select())}


async def moved(world: World) -> dict[str, int]:
    """The accounts that are not at zero."""
    return {name: minor for name, minor in (await world.balances()).items() if minor}
