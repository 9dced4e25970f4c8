"""Which schema the database has, against the one that this version was written for."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection


async def is_behind(db: AsyncConnection, revisions: Collection[str]) -> bool:
    """Whether migrations are missing. `revisions`: all that this version knows, the newest first.

    A database that is ahead of us is fine: migrations expand before they contract, so during a
    rolling deploy the older version goes on working.
    """
    newest, *older = revisions
    try:
        found = await db.execute(text("SELECT version_num FROM alembic_version"))
    except ProgrammingError:  # no such table: never migrated
        return True
    at = {row.version_num for row in found}
    return not at or (newest not in at and not at.isdisjoint(older))


async def may_rewrite_the_ledger(db: AsyncConnection) -> bool:
    """Whether the connected role owns the ledger (or could become its owner)."""
    owns = text(
        "SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class "
        "WHERE oid = 'ledger_transactions'::regclass"
    )
    return bool((await db.execute(owns)).scalar_one())
