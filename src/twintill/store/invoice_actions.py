"""Who did what to an invoice through us, and why: written with the deed, read by its timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import invoice_actions

_C = invoice_actions.c


@dataclass(frozen=True, slots=True)
class Action:
    """`id` is derived from the request; `did`: a past participle ("finalized").

    `detail` is shown to people: no secrets, no personal data.
    """

    id: str
    did: str
    actor: str
    invoice_id: str | None = None
    customer_id: str | None = None
    why: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


async def add(db: AsyncConnection, scope: Scope, action: Action) -> bool:
    """False: this one is there already."""
    row = {
        **key(scope),
        "action_id": action.id,
        "invoice_id": action.invoice_id,
        "customer_id": action.customer_id,
        "action": action.did,
        "actor": action.actor,
        "why": action.why,
        "detail": dict(action.detail),
        "at": NOW,
    }
    added = await db.execute(
        insert(invoice_actions).values(row).on_conflict_do_nothing().returning(_C.action_id)
    )
    return added.one_or_none() is not None


async def find(db: AsyncConnection, scope: Scope, action_id: str) -> Any:
    """Its row, or None."""
    found = await db.execute(
        select(invoice_actions).where(mine(invoice_actions, scope), _C.action_id == action_id)
    )
    return found.one_or_none()


async def of_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> list[Any]:
    """Its rows, the oldest first."""
    found = await db.execute(
        select(invoice_actions)
        .where(mine(invoice_actions, scope), _C.invoice_id == invoice_id)
        .order_by(_C.at, _C.action_id)
    )
    return list(found)
