"""Figures for /metrics: what is due, overdue and parked, per kind of work."""

from typing import NamedTuple

from sqlalchemy import Float, and_, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import mine
from twintill.store.work import ALL


class Waiting(NamedTuple):
    """One kind of work: rows due by now, rows parked, and how long the oldest is overdue."""

    kind: str
    due: int
    parked: int
    overdue_s: float


async def waiting(db: AsyncConnection, scope: Scope) -> list[Waiting]:
    """Reads only rows that are not ended, through their partial indexes."""
    figures = []
    for work in ALL:
        c = work.table.c
        due = and_(c.next_look_at <= NOW, c.parked_at.is_(None))
        oldest = func.min(case((due, c.next_look_at)))
        query = select(
            func.count().filter(due),
            func.count().filter(c.parked_at.is_not(None)),
            func.coalesce(cast(func.extract("epoch", NOW - oldest), Float), 0.0),
        ).where(mine(work.table, scope), c.ended_at.is_(None))
        due_count, parked, overdue_s = (await db.execute(query)).one()
        figures.append(Waiting(str(work.kind), due_count, parked, max(0.0, overdue_s)))
    return figures
