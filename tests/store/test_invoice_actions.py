"""What people did to an invoice is written once, and cannot be changed."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.ids import Scope
from twintill.store import invoice_actions
from twintill.store.invoice_actions import Action

_SCOPE = Scope("acct_1", livemode=False)
_FINALIZED = Action(
    "act_1", "finalized", "person:ada", invoice_id="in_1", why="asked", detail={"early_s": 60}
)


async def _add(engine: AsyncEngine) -> bool:
    async with engine.begin() as db:
        return await invoice_actions.add(db, _SCOPE, _FINALIZED)


async def test_an_action_is_written_once(engine: AsyncEngine) -> None:
    assert await _add(engine)
    assert not await _add(engine)
    async with engine.connect() as db:
        (row,) = await invoice_actions.of_invoice(db, _SCOPE, "in_1")
    assert (row.action, row.actor, row.detail) == ("finalized", "person:ada", {"early_s": 60})


async def test_nobody_takes_an_action_back(engine: AsyncEngine, owner: AsyncEngine) -> None:
    await _add(engine)
    for change in ("UPDATE invoice_actions SET actor = 'nobody'", "DELETE FROM invoice_actions"):
        with pytest.raises(DBAPIError):
            async with owner.begin() as db:
                await db.execute(text(change))
