"""The dispatcher's stand-in: hands out bells in a hostile order, late, doubled, or not at all."""

import asyncio
import random
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from tests.simulation.faults import Network
from tests.simulation.houses import LOST, House, Outside
from twintill.store import work
from twintill.store.doorbell import Bell, Kind, read_bell

# Duties run when somebody rings, not by themselves: every five minutes would fill a month.
_SWEPT = tuple(kind for kind in work.ALL if kind.kind is not Kind.DUTY)
# All bells, and for each kind when the sweep would ring next: due for a while, not held by
# anybody, and not rung lately.
_FETCH = (
    "WITH taken AS (DELETE FROM pgqueuer RETURNING entrypoint, payload) "
    "SELECT entrypoint, payload, NULL::timestamptz AS at, twintill_now() AS now FROM taken"
    + "".join(
        f" UNION ALL SELECT '{kind.kind}', NULL, "
        "min(greatest(next_look_at + interval '2 s', lease_until + interval '1 ms', "
        f"rung_at + interval '30 s 1 ms')), twintill_now() FROM {kind.table.name} "
        "WHERE ended_at IS NULL AND parked_at IS NULL"
        for kind in _SWEPT
    )
)
_BELLS = "SELECT count(*) FROM pgqueuer"


class Dispatcher:
    """`next` is for workers; `stirred` is called after everything that may have rung."""

    def __init__(self, outside: Outside, network: Network, rng: random.Random) -> None:
        self.house = House(outside, "bells", pool_size=1)
        self._outside, self._network, self._rng = outside, network, rng
        self._bells: list[Bell] = []
        self._known: list[Bell] = []
        self._stirred = asyncio.Event()
        self._bell_is_there = asyncio.Event()
        self.busy = 0  # looks under way
        self.next_due: datetime | None = None
        self.waiting: set[str] = set()  # kinds that will be due some day
        outside.start(self.house.process, self._run())

    @property
    def idle(self) -> bool:
        return not self._bells and not self.busy and not self._stirred.is_set()

    def stirred(self) -> None:
        self._stirred.set()

    def forget(self) -> None:
        """What was rung in a database that is gone."""
        self._bells.clear()
        self._known.clear()

    async def next(self) -> Bell:
        while not self._bells:
            self._bell_is_there.clear()
            await self._bell_is_there.wait()
        return self._bells.pop(self._rng.randrange(len(self._bells)))

    async def _run(self) -> None:
        while True:
            try:
                async with self.house.means.database.connect() as connection:
                    db = await connection.execution_options(isolation_level="AUTOCOMMIT")
                    await self._serve(db)
            except LOST:
                await asyncio.sleep(1)

    async def _serve(self, db: AsyncConnection) -> None:
        while True:
            self._stirred.clear()
            if await self._fetch(db):
                await self._fetch(db)
            if self._bells:
                self._bell_is_there.set()
            await self._wait()

    async def _fetch(self, db: AsyncConnection) -> bool:
        """Take what was rung; whether the sweep had to ring for more."""
        rows = (await db.exec_driver_sql(_FETCH)).all()
        bells = [read_bell(r.entrypoint, bytes(r.payload)) for r in rows if r.payload is not None]
        for bell in sorted(bells):
            self._hand_out(bell)
        waiting = {row.entrypoint: row.at for row in rows if row.payload is None and row.at}
        self.next_due, self.waiting = min(waiting.values(), default=None), set(waiting)
        due = [k for k in _SWEPT if k.kind in waiting and waiting[k.kind] <= rows[0].now]
        rung = sum([await work.ring_due(db, kind) for kind in due])
        if rung:
            bells_there = (await db.exec_driver_sql(_BELLS)).scalar_one()
            if bells_there < rung:
                self._network.trace.blame(f"the sweep found {rung} due, and rang {bells_there}")
        return bool(due)

    def _hand_out(self, bell: Bell) -> None:
        stormy = self._network.stormy(self._network.weather.lost_bells)
        copies = self._rng.choice((0, 0, 2, 3)) if stormy else 1
        self._bells += [bell] * copies
        if stormy and self._known:
            self._bells.append(self._rng.choice(self._known))  # stale: nobody rang it now
        self._known.append(bell)

    async def _wait(self) -> None:
        now = asyncio.get_running_loop().time()
        wait_s = 1e6 if self.next_due is None else max(0.05, self.next_due.timestamp() - now)
        try:
            async with asyncio.timeout(wait_s):
                await self._stirred.wait()
        except TimeoutError:
            pass
