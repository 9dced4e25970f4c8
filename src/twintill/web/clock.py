"""Business time for the doors, without asking the database at each request."""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.store import clock

_GOOD_FOR_S = 1.0
_ASKED_AT_MOST_EVERY_S = 0.05


class BusinessClock:
    """The machine's UTC time plus the sandbox's shift; with a live key there is none to ask for."""

    def __init__(self, database: AsyncEngine, *, livemode: bool) -> None:
        self._database = database
        self._livemode = livemode
        self._shift = timedelta(0)
        self._asked_at: float | None = None

    async def now(self) -> datetime:
        """At most a second behind a sandbox's jump. Raises what the database raises."""
        await self._ask_again_after(_GOOD_FOR_S)
        return datetime.now(UTC) + self._shift

    async def moved(self) -> bool:
        """Whether a sandbox has moved time since `now` was answered."""
        before = self._shift
        await self._ask_again_after(_ASKED_AT_MOST_EVERY_S)
        return self._shift != before

    async def _ask_again_after(self, age_s: float) -> None:
        if self._livemode:
            return
        if self._asked_at is not None and time.monotonic() - self._asked_at < age_s:
            return
        async with self._database.connect() as db:
            self._shift = await clock.shift(db)
        self._asked_at = time.monotonic()
