"""Operations that wait for a person, and another try for one of them."""

from typing import Any

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.doorbell import Bell, Kind, enqueue
from twintill.store.listing import Page, read_page
from twintill.store.tables import operations
from twintill.store.work import OPERATIONS

_C = operations.c


async def list_parked(db: AsyncConnection, scope: Scope, page: Page) -> tuple[list[Any], bool]:
    """(rows, newest first; whether there are more)."""
    where = (_C.parked_at.is_not(None), _C.ended_at.is_(None))
    return await read_page(db, scope, operations, "operation_id", page, *where)


async def replay(db: AsyncConnection, scope: Scope, operation_id: str) -> None:
    """Back to work at the step where it stopped, with all its tries. Raises NotFoundError.

    Stripe may keep its refusal under the key that got it: the step goes on under another one, and
    what it creates is looked for first.
    """
    key_n = func.coalesce(_C.data["key_n"].as_integer(), 0) + 1
    anew = func.jsonb_build_object("failures", 0, "answered", True, "key_n", key_n)
    fresh = {"parked_at": None, "parked_why": None, "looks": 0, "rung_at": None}
    back = await db.execute(
        update(operations)
        .where(
            OPERATIONS.whose(scope, operation_id), _C.parked_at.is_not(None), _C.ended_at.is_(None)
        )
        .values(next_look_at=NOW, data=_C.data.op("||")(anew), **fresh)
        .returning(_C.operation_id)
    )
    if back.one_or_none() is None:
        raise NotFoundError(f"No operation of this id is parked: {operation_id}")
    await enqueue(db, Bell(Kind.OPERATION, scope, operation_id))
