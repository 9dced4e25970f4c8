"""The budget of calls to Stripe that all processes share, and the count of what was read there.

Each function is a transaction of its own, never part of a caller's: it is over before the call to
Stripe begins. Losing the last of it with the server costs a short burst, so it is not waited for
until it is on the disk.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Date, Row, bindparam, cast, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain import pace as rules
from twintill.domain.pace import Ask, AskAgain, Block, Lane, Limits, Urgency
from twintill.ids import Scope
from twintill.store.clock import NOW, WALL, wall
from twintill.store.scoped import key, mine, of, whose
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


_c = stripe_lanes.c
# Statements are built once: building them costs more than PostgreSQL takes to execute them. That
# the disk is not waited for is set with the query, to save a way to the database and back.
_FIND = (
    select(stripe_lanes, WALL.label("now"), func.set_config("synchronous_commit", "off", True))
    .where(whose(stripe_lanes), _c.lane.in_((_ACCOUNT, bindparam("of_endpoint"))))
    .order_by(_c.lane)
    .with_for_update()
)
_WRITE = (
    update(stripe_lanes)
    .where(whose(stripe_lanes), _c.lane == bindparam("of_lane"))
    .values(
        free_at=bindparam("free_at"),
        wanted=bindparam("wanted"),
        wanted_until=bindparam("wanted_until"),
        pushes=bindparam("pushes"),
        pushed_until=bindparam("pushed_until"),
    )
)


async def _lock(db: AsyncConnection, scope: Scope, endpoint: str) -> tuple[Lane, Lane, datetime]:
    """Both lanes, locked in one order by everybody, and the wall's time."""
    names = {_ACCOUNT, endpoint}
    found = await _find(db, scope, endpoint)
    if len(found) < len(names):
        await _add(db, scope, sorted(names))
        found = await _find(db, scope, endpoint)
    lanes = {row.lane: _lane(row) for row in found}
    return lanes[_ACCOUNT], lanes[endpoint], found[0].now


async def _find(db: AsyncConnection, scope: Scope, endpoint: str) -> Sequence[Row[Any]]:
    return (await db.execute(_FIND, {**of(scope), "of_endpoint": endpoint})).all()


async def _add(db: AsyncConnection, scope: Scope, names: Iterable[str]) -> None:
    unused = rules.unused(await wall(db))
    rows = [{**key(scope), "lane": name, **_columns(unused)} for name in names]
    await db.execute(insert(stripe_lanes).values(rows).on_conflict_do_nothing())


async def _write(db: AsyncConnection, scope: Scope, lanes: Mapping[str, Lane]) -> None:
    changes = [{**of(scope), "of_lane": name, **_columns(lane)} for name, lane in lanes.items()]
    await db.execute(_WRITE, changes)


def _columns(lane: Lane) -> dict[str, Any]:
    return {
        "free_at": lane.free_at,
        "wanted": lane.wanted,
        "wanted_until": lane.wanted_until,
        "pushes": lane.pushes,
        "pushed_until": lane.pushed_until,
    }


def _lane(row: Row[Any]) -> Lane:
    return Lane(row.free_at, Urgency(row.wanted), row.wanted_until, row.pushes, row.pushed_until)
