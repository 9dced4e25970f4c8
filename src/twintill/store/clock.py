"""The database's clock: the one time that all processes share.

Business time may be shifted by a sandbox (so that a month passes for real processes); it never
runs backwards, and a shift is refused where a live key is used (see `app`).
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.store.tables import virtual_clocks

NOW = func.twintill_now()
WALL = func.twintill_wall()


async def now(db: AsyncConnection) -> datetime:
    """Business time, aware, UTC."""
    moment: datetime = (await db.execute(select(NOW))).scalar_one()
    return moment


async def wall(db: AsyncConnection) -> datetime:
    """The machine's time, which no sandbox moves: for leases, and for strangers with a watch."""
    moment: datetime = (await db.execute(select(WALL))).scalar_one()
    return moment


async def shift(db: AsyncConnection) -> timedelta:
    """How far business time is ahead of the wall; zero outside a sandbox."""
    found = (await db.execute(select(virtual_clocks.c.shift))).scalar_one_or_none()
    return found or timedelta(0)


async def advance(db: AsyncConnection, by: timedelta) -> None:
    """Move business time forward; needs the owner's role. Raises ValueError for backwards."""
    if by < timedelta(0):
        raise ValueError("time does not run backwards")
    await db.execute(
        text(
            "INSERT INTO virtual_clocks (one, shift) VALUES (1, :by) "
            "ON CONFLICT (one) DO UPDATE SET shift = virtual_clocks.shift + excluded.shift"
        ),
        {"by": by},
    )
