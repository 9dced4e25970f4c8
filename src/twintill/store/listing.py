"""Lists as Stripe's are read: newest first, by the id that one has seen last."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import BadRequest
from twintill.ids import Scope
from twintill.store.scoped import mine


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is wanted: at most one of the two cursors is set."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A range of creation times, in unix seconds as Stripe counts them."""

    gt_s: int | None = None
    gte_s: int | None = None
    lt_s: int | None = None
    lte_s: int | None = None

    def where(self, column: ColumnElement[datetime]) -> list[ColumnElement[bool]]:
        """A second is a span: what was created at 12:00:00.7 is shown as 12:00:00."""
        limits = []
        if self.gt_s is not None:
            limits.append(column >= _at(self.gt_s + 1))
        if self.gte_s is not None:
            limits.append(column >= _at(self.gte_s))
        if self.lt_s is not None:
            limits.append(column < _at(self.lt_s))
        if self.lte_s is not None:
            limits.append(column < _at(self.lte_s + 1))
        return limits


async def read_page(
    db: AsyncConnection,
    scope: Scope,
    table: Table,
    key: str,
    page: Page,
    *where: ColumnElement[bool],
    by: str = "created_at",
) -> tuple[list[Any], bool]:
    """(rows, newest first; whether more lie beyond). `table` has the column `by`; `key` is its id.

    Raises BadRequest for a cursor that is no such object, or has no place in this order.
    """
    c = table.c
    order = tuple_(c[by], c[key])
    query = select(table).where(mine(table, scope), *where).limit(page.limit + 1)
    if page.ending_before is not None:
        edge = await _edge(db, scope, table, (by, key), "ending_before", page.ending_before)
        query = query.where(order > edge).order_by(c[by], c[key])
    else:
        query = query.order_by(c[by].desc(), c[key].desc())
        if page.starting_after is not None:
            edge = await _edge(db, scope, table, (by, key), "starting_after", page.starting_after)
            query = query.where(order < edge)
    return await _cut(db, query, page)


async def _cut(db: AsyncConnection, query: Select[Any], page: Page) -> tuple[list[Any], bool]:
    rows = list(await db.execute(query))
    has_more = len(rows) > page.limit
    rows = rows[: page.limit]
    return (rows[::-1] if page.ending_before is not None else rows), has_more


async def _edge(
    db: AsyncConnection,
    scope: Scope,
    table: Table,
    order: tuple[str, str],
    param: str,
    object_id: str,
) -> Any:
    by, key = (table.c[name] for name in order)
    found = await db.execute(select(by, key).where(mine(table, scope), key == object_id))
    row = found.one_or_none()
    if row is None or row[0] is None:
        raise BadRequest(f"{param}: no such object: {object_id}", param=param)
    return tuple_(row[0], row[1])


def _at(unix_s: int) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
