"""Endpoints of the user's app at rest: where it listens, what it is told, and how it stands.

Secrets come and go sealed. A removed endpoint keeps its row, for the deliveries that it had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, any_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.endpoint import Standing
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.listing import Page, read_page
from twintill.store.scoped import key, mine
from twintill.store.tables import webhook_endpoints

_C = webhook_endpoints.c
ENABLED, DISABLED = "enabled", "disabled"


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """One that is to be; `secret` is sealed."""

    id: str
    url: str
    types: Sequence[str] | None  # None: all
    description: str
    secret: bytes
    status: str = ENABLED
    source: str = "api"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of the user's app."""

    id: str
    url: str
    types: tuple[str, ...] | None  # None: all
    description: str
    source: str  # "settings": the environment says it, else "api"
    status: str
    secrets: tuple[bytes, ...]  # sealed; the present one first, then the one that it replaces
    former_until: datetime | None
    standing: Standing
    disabled_at: datetime | None
    disabled_why: str | None
    created_at: datetime

    @property
    def trusted(self) -> bool:
        """Whoever writes the settings may reach inside; whoever calls the API may not."""
        return self.source == "settings"


async def add(db: AsyncConnection, scope: Scope, new: NewEndpoint) -> bool:
    """False: it is there already, and stays as it is."""
    row = {
        **key(scope),
        "endpoint_id": new.id,
        "url": new.url,
        "types": None if new.types is None else list(new.types),
        "description": new.description,
        "source": new.source,
        "status": new.status,
        "secret": new.secret,
        "created_at": NOW,
        "disabled_at": NOW if new.status == DISABLED else None,
    }
    added = await db.execute(
        insert(webhook_endpoints).values(row).on_conflict_do_nothing().returning(_C.endpoint_id)
    )
    return added.one_or_none() is not None


async def read(db: AsyncConnection, scope: Scope, endpoint_id: str) -> Endpoint:
    """Raises NotFoundError, also for one that was removed."""
    found = await find(db, scope, endpoint_id)
    if found is None:
        raise NotFoundError(f"No such endpoint: {endpoint_id}", param="webhook_endpoint")
    return found


async def find(db: AsyncConnection, scope: Scope, endpoint_id: str) -> Endpoint | None:
    return await _one(db, scope, endpoint_id)


async def lock(db: AsyncConnection, scope: Scope, endpoint_id: str) -> Endpoint | None:
    """Until the end of the transaction. Locked before its deliveries, always; new events pass."""
    return await _one(db, scope, endpoint_id, lock=True)


async def page(db: AsyncConnection, scope: Scope, page: Page) -> tuple[list[Endpoint], bool]:
    """(newest first, whether there are more)."""
    rows, more = await read_page(
        db, scope, webhook_endpoints, "endpoint_id", page, _C.removed_at.is_(None)
    )
    return [_read(row) for row in rows], more


async def change(db: AsyncConnection, scope: Scope, endpoint_id: str, **changes: Any) -> None:
    """`types`, `url`, `description`: as given."""
    await _update(db, scope, endpoint_id, changes)


async def enable(db: AsyncConnection, scope: Scope, endpoint_id: str) -> None:
    """With a clean sheet."""
    fresh = {"failures": 0, "failing_since": None, "failed_at": None}
    on = {"status": ENABLED, "disabled_at": None, "disabled_why": None}
    await _update(db, scope, endpoint_id, on | fresh)


async def disable(db: AsyncConnection, scope: Scope, endpoint_id: str, why: str) -> None:
    off = {"status": DISABLED, "disabled_at": NOW, "disabled_why": why}
    await _update(db, scope, endpoint_id, off)


async def rotate(
    db: AsyncConnection, scope: Scope, endpoint_id: str, secret: bytes, overlap: timedelta
) -> None:
    """The former secret signs as well, until the overlap is over."""
    former = {"former_secret": _C.secret, "former_until": NOW + overlap}
    await _update(db, scope, endpoint_id, {"secret": secret, **former})


async def remove(db: AsyncConnection, scope: Scope, endpoint_id: str) -> None:
    """Its secrets are forgotten."""
    gone = {"removed_at": NOW, "secret": b"", "former_secret": None, "former_until": None}
    await _update(db, scope, endpoint_id, {**gone, "status": DISABLED})


async def put_back(db: AsyncConnection, scope: Scope, endpoint_id: str, secret: bytes) -> None:
    """One of the settings that was removed from them, and is there again."""
    back = {"removed_at": None, "secret": secret, "status": ENABLED, "disabled_at": None}
    await db.execute(
        update(webhook_endpoints)
        .where(mine(webhook_endpoints, scope), _C.endpoint_id == endpoint_id)
        .values(**back, disabled_why=None, failures=0, failing_since=None, failed_at=None)
    )


async def failed(db: AsyncConnection, scope: Scope, endpoint_id: str, standing: Standing) -> None:
    await _update(
        db,
        scope,
        endpoint_id,
        {
            "failures": standing.failures,
            "failing_since": standing.failing_since,
            "failed_at": standing.failed_at,
        },
    )


async def answers(db: AsyncConnection, scope: Scope, endpoint_id: str) -> None:
    """A success ends the row of failures; written only when there was one."""
    await db.execute(
        update(webhook_endpoints)
        .where(mine(webhook_endpoints, scope), _C.endpoint_id == endpoint_id, _C.failures > 0)
        .values(failures=0, failing_since=None, failed_at=None)
    )


async def count(db: AsyncConnection, scope: Scope) -> dict[str, int]:
    """How many are enabled, disabled, and (of the enabled ones) failing."""
    living = mine(webhook_endpoints, scope) & _C.removed_at.is_(None)
    on = _C.status == ENABLED
    counted = await db.execute(
        select(
            func.count().filter(on),
            func.count().filter(~on),
            func.count().filter(on, _C.failures > 0),
        ).where(living)
    )
    return dict(zip((ENABLED, DISABLED, "failing"), counted.one(), strict=True))


def is_asked_for(event_type: ColumnElement[str]) -> Any:
    """Of an endpoint's row: it is on, and wants events of this type."""
    return (
        (_C.status == ENABLED)
        & _C.removed_at.is_(None)
        & or_(_C.types.is_(None), event_type == any_(_C.types))
    )


async def _one(
    db: AsyncConnection, scope: Scope, endpoint_id: str, *, lock: bool = False
) -> Endpoint | None:
    query = select(webhook_endpoints).where(
        mine(webhook_endpoints, scope), _C.endpoint_id == endpoint_id, _C.removed_at.is_(None)
    )
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await db.execute(query)).one_or_none()
    return None if row is None else _read(row)


async def _update(
    db: AsyncConnection, scope: Scope, endpoint_id: str, changes: dict[str, Any]
) -> None:
    changed = await db.execute(
        update(webhook_endpoints)
        .where(
            mine(webhook_endpoints, scope), _C.endpoint_id == endpoint_id, _C.removed_at.is_(None)
        )
        .values(**changes)
    )
    if changed.rowcount != 1:
        raise NotFoundError(f"No such endpoint: {endpoint_id}", param="webhook_endpoint")


def _read(row: Any) -> Endpoint:
    sealed = (row.secret, row.former_secret)
    return Endpoint(
        id=row.endpoint_id,
        url=row.url,
        types=None if row.types is None else tuple(row.types),
        description=row.description,
        source=row.source,
        status=row.status,
        secrets=tuple(secret for secret in sealed if secret),
        former_until=row.former_until,
        standing=Standing(row.failures, row.failing_since, row.failed_at),
        disabled_at=row.disabled_at,
        disabled_why=row.disabled_why,
        created_at=row.created_at,
    )
