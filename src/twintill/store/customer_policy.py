"""What one customer has otherwise than the account's policy, as it was given (JSON)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import null, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.scoped import mine
from twintill.store.tables import customers


async def read(db: AsyncConnection, scope: Scope, customer_id: str) -> Mapping[str, Any] | None:
    found = await db.execute(
        select(customers.c.policy).where(
            mine(customers, scope), customers.c.customer_id == customer_id
        )
    )
    overrides: Mapping[str, Any] | None = found.scalar_one_or_none()
    return overrides


async def write(
    db: AsyncConnection, scope: Scope, customer_id: str, overrides: Mapping[str, Any]
) -> None:
    """All of it at once; empty: as the account. Raises NotFoundError."""
    written = await db.execute(
        update(customers)
        .where(mine(customers, scope), customers.c.customer_id == customer_id)
        .values(policy=dict(overrides) if overrides else null())
    )
    if written.rowcount == 0:
        raise NotFoundError(f"No such customer: {customer_id}", param="customer")
