"""The budget of calls to Stripe that all processes share, and the count of what was read there.

Each function is a transaction of its own, never part of a caller's: it is over before the call to
Stripe begins. Losing the last of it with the server costs a short burst, so it is not waited for
until it is on the disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Date, Row, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain import pace as rules
from twintill.domain.pace import Ask, AskAgain, Block, Lane, Limits, Urgency
from twintill.ids import Scope
from twintill.store.clock import NOW, WALL, wall
from twintill.store.scoped import key, mine
from twintill.store.tables import stripe_lanes, stripe_reads

_log = structlog.get_logger(__name__)
_ACCOUNT = ""
_TODAY = cast(func.timezone("UTC", NOW), Date)


@dataclass(frozen=True, slots=True)
class SharedBudget:
    """What `stripe_billing.pace` asks before calls leave, and tells of what came back."""

    database: AsyncEngine
    scope: Scope
    limits: Limits

    @property
    def block(self) -> int:
        return self.limits.block

    async def take(self, endpoint: str, ask: Ask) -> tuple[bool, float]:
        """True, and in how many seconds these calls may leave; or False, and when to ask again."""
        async with self.database.begin() as db:
            account, its, now = await _lock(db, self.scope, endpoint)
            match rules.take(account, its, ask, self.limits, now):
                case Block() as block:
                    lanes = {_ACCOUNT: block.account, endpoint: block.endpoint}
                    await _write(db, self.scope, lanes)
                    return True, (block.begins_at - now).total_seconds()
                case AskAgain(at):
                    return False, (at - now).total_seconds()

    async def push_back(self, endpoint: str | None) -> None:
        """Stripe said "too many", to this endpoint or (None) to the account: all wait."""
        lane = endpoint or _ACCOUNT
        try:
            async with self.database.begin() as db:
                account, its, now = await _lock(db, self.scope, lane)
                pushed = rules.push_back(its if endpoint else account, now)
                await _write(db, self.scope, {lane: pushed})
        except (OSError, SQLAlchemyError) as error:
            # The answer at hand matters more; the next one will say the same.
            _log.warning("push_back_lost", endpoint=endpoint, error=str(error))

    async def count_reads(self, reads: int) -> None:
        async with self.database.begin() as db:
            await count_reads(db, self.scope, reads)


async def count_reads(db: AsyncConnection, scope: Scope, reads: int) -> None:
    """So many more of the day's reads are used."""
    c = stripe_reads.c
    added = insert(stripe_reads).values(**key(scope), day=_TODAY, reads=reads)
    await db.execute(
        added.on_conflict_do_update(
            index_elements=[c.stripe_account_id, c.livemode, c.day],
            set_={"reads": c.reads + added.excluded.reads},
        )
    )


async def reads_today(db: AsyncConnection, scope: Scope) -> int:
    """Of the UTC day of business time; some of the last second may still be missing."""
    query = select(stripe_reads.c.reads).where(
        mine(stripe_reads, scope), stripe_reads.c.day == _TODAY
    )
    return (await db.execute(query)).scalar_one_or_none() or 0


async def reads_left(db: AsyncConnection, scope: Scope, per_day: int) -> int:
    """Of `per_day` reads (a setting): what those that can wait may still use today, at least 0."""
    return max(0, per_day - await reads_today(db, scope))


# With the query, since each statement is a way to the database and back.
_NOT_WAITING_FOR_THE_DISK = func.set_config("synchronous_commit", "off", True)


async def _lock(db: AsyncConnection, scope: Scope, endpoint: str) -> tuple[Lane, Lane, datetime]:
    """Both lanes, locked in one order by everybody, and the wall's time."""
    names = sorted({_ACCOUNT, endpoint})
    found = await _find(db, scope, names)
    if len(found) < len(names):
        await _add(db, scope, names)
        found = await _find(db, scope, names)
    lanes = {row.lane: _lane(row) for row in found}
    return lanes[_ACCOUNT], lanes[endpoint], found[0].now


async def _find(db: AsyncConnection, scope: Scope, names: Sequence[str]) -> Sequence[Row[Any]]:
    c = stripe_lanes.c
    query = select(stripe_lanes, WALL.label("now"), _NOT_WAITING_FOR_THE_DISK)
    mine_of_these = query.where(mine(stripe_lanes, scope), c.lane.in_(names))
    return (await db.execute(mine_of_these.order_by(c.lane).with_for_update())).all()


async def _add(db: AsyncConnection, scope: Scope, names: Sequence[str]) -> None:
    now = await wall(db)
    rows = [_row(scope, name, rules.unused(now)) for name in names]
    await db.execute(insert(stripe_lanes).values(rows).on_conflict_do_nothing())


async def _write(db: AsyncConnection, scope: Scope, lanes: dict[str, Lane]) -> None:
    c = stripe_lanes.c
    rows = insert(stripe_lanes).values([_row(scope, name, lane) for name, lane in lanes.items()])
    changes = {
        name: rows.excluded[name]
        for name in ("free_at", "wanted", "wanted_until", "pushes", "pushed_until")
    }
    index = [c.stripe_account_id, c.livemode, c.lane]
    await db.execute(rows.on_conflict_do_update(index_elements=index, set_=changes))


def _row(scope: Scope, name: str, lane: Lane) -> dict[str, object]:
    return {
        **key(scope),
        "lane": name,
        "free_at": lane.free_at,
        "wanted": lane.wanted,
        "wanted_until": lane.wanted_until,
        "pushes": lane.pushes,
        "pushed_until": lane.pushed_until,
    }


def _lane(row: Row[Any]) -> Lane:
    return Lane(row.free_at, Urgency(row.wanted), row.wanted_until, row.pushes, row.pushed_until)
