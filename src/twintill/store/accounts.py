"""Whose database this is: one Stripe account for each mode, chosen at the first start."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import stripe_accounts


async def account_of(db: AsyncConnection, *, livemode: bool) -> str | None:
    """The Stripe account that this database belongs to; None before its first start."""
    c = stripe_accounts.c
    found = await db.execute(select(c.stripe_account_id).where(c.livemode == livemode))
    account_id: str | None = found.scalar_one_or_none()
    return account_id


async def began_at(db: AsyncConnection, scope: Scope) -> datetime | None:
    """When this installation started for the first time."""
    c = stripe_accounts.c
    found = await db.execute(select(c.created_at).where(mine(stripe_accounts, scope)))
    moment: datetime | None = found.scalar_one_or_none()
    return moment


async def installation_of(db: AsyncConnection, scope: Scope, proposed: str) -> str:
    """The installation's id; `proposed` becomes it at the first start, whoever comes first."""
    row = {**key(scope), "installation_id": proposed, "created_at": NOW}
    await db.execute(insert(stripe_accounts).values(row).on_conflict_do_nothing())
    known = select(stripe_accounts.c.installation_id).where(mine(stripe_accounts, scope))
    return str((await db.execute(known)).scalar_one())
