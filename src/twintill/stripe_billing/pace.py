"""Taking turns: every request to Stripe waits for its own, the most urgent first.

The budget is shared with all other processes; here it is handed on inside this one. A turn is for
one HTTP request, so what the client repeats by itself takes another.
"""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from twintill.domain.pace import Ask, Urgency
from twintill.errors import StripeThrottled

# How long one call may wait for its turns, in seconds, all its requests together. What it then
# still takes (`connection.DEADLINE_S`) must end before the lease of the row that it is made for:
# a report is up to three calls in a row.
PATIENCE_S: Mapping[Urgency, float] = {
    Urgency.REPORT: 4.0,
    Urgency.CHARGE: 20.0,
    Urgency.OTHER: 15.0,
    Urgency.READ: 15.0,
}
_COUNT_AFTER_S = 1.0
# The code of a StripeThrottled that says: this call never left.
NEVER_LEFT = "never_left"


class Pace(Protocol):
    """What the connection to Stripe asks before each request, and tells of what came back."""

    async def turn(self, urgency: Urgency, endpoint: str, within_s: float) -> None:
        """Returns when the request may leave; raises StripeThrottled after `within_s`."""

    async def push_back(self, endpoint: str | None) -> None:
        """Stripe said "too many" to this endpoint, or (None) to the account."""

    def count_read(self) -> None:
        """A GET has left: those are counted against the month's allocation."""


class Budget(Protocol):
    """What all processes share (`store.pace.SharedBudget`)."""

    @property
    def block(self) -> int: ...

    async def take(self, endpoint: str, ask: Ask) -> tuple[bool, float]: ...

    async def push_back(self, endpoint: str | None) -> None: ...

    async def count_reads(self, reads: int) -> None: ...


class Unpaced:
    """For a sandbox that needs no sparing, and for the one call before the database is known."""

    async def turn(self, urgency: Urgency, endpoint: str, within_s: float) -> None:
        """At once."""

    async def push_back(self, endpoint: str | None) -> None:
        """Nobody is told."""

    def count_read(self) -> None:
        """Nobody counts."""


@dataclass(order=True, slots=True)
class _Waiter:
    urgency: Urgency
    number: int
    turn: asyncio.Future[None] = field(compare=False)
    gives_up_at: float = field(compare=False)  # by the event loop's clock


class Pacer:
    """This process's side of it; made at start-up, ended by `aclose`.

    `limited` False: reads are counted, and nobody waits.
    """

    def __init__(self, budget: Budget, *, limited: bool = True) -> None:
        self._budget = budget
        self._limited = limited
        self._numbers = itertools.count()
        self._waiting: dict[str, list[_Waiter]] = {}  # by endpoint: a heap
        self._handing_out: dict[str, asyncio.Task[None]] = {}
        self._reads = 0
        self._counting: asyncio.Task[None] | None = None

    async def turn(self, urgency: Urgency, endpoint: str, within_s: float) -> None:
        """Raises what the database raises when it is away."""
        if not self._limited:
            return
        loop = asyncio.get_running_loop()
        gives_up_at = loop.time() + within_s
        waiter = _Waiter(urgency, next(self._numbers), loop.create_future(), gives_up_at)
        heapq.heappush(self._waiting.setdefault(endpoint, []), waiter)
        self._hand_out_from_now_on(endpoint)
        try:
            async with asyncio.timeout_at(gives_up_at):
                await waiter.turn
        except TimeoutError as error:
            raise _too_long(urgency) from error

    async def push_back(self, endpoint: str | None) -> None:
        await self._budget.push_back(endpoint)

    def count_read(self) -> None:
        self._reads += 1
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(self._count())

    async def aclose(self) -> None:
        """Nobody waits any more; what was read is counted."""
        tasks = [*self._handing_out.values(), *([self._counting] if self._counting else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Exception):  # the database may be gone, too
            await self._write_reads()

    def _hand_out_from_now_on(self, endpoint: str) -> None:
        task = self._handing_out.get(endpoint)
        if task is None or task.done():
            self._handing_out[endpoint] = asyncio.create_task(self._hand_out(endpoint))

    async def _hand_out(self, endpoint: str) -> None:
        """Block by block, as long as anybody waits."""
        try:
            while heap := self._still_waiting(endpoint):
                await self._hand_out_block(endpoint, heap)
        except Exception as error:  # noqa: BLE001 -- it belongs to those who wait
            for waiter in self._waiting.pop(endpoint, []):
                if not waiter.turn.done():
                    waiter.turn.set_exception(error)

    async def _hand_out_block(self, endpoint: str, heap: list[_Waiter]) -> None:
        urgency = heap[0].urgency
        as_urgent = sum(waiter.urgency is urgency for waiter in heap)
        calls = min(self._budget.block, len(heap))
        ask = Ask(urgency, calls, more=as_urgent > calls)
        given, wait_s = await self._budget.take(endpoint, ask)
        self._send_away(heap, asyncio.get_running_loop().time() + wait_s)
        await asyncio.sleep(wait_s)
        if not given:
            return
        # Who came meanwhile and is more urgent goes first.
        for _ in range(calls):
            if not self._still_waiting(endpoint):
                return
            heapq.heappop(heap).turn.set_result(None)

    def _still_waiting(self, endpoint: str) -> list[_Waiter]:
        heap = self._waiting.get(endpoint, [])
        while heap and heap[0].turn.done():
            heapq.heappop(heap)
        return heap

    def _send_away(self, heap: list[_Waiter], begins_at: float) -> None:
        """Those who would give up before: at once, so that their rows are free again."""
        for waiter in heap:
            if waiter.gives_up_at < begins_at and not waiter.turn.done():
                waiter.turn.set_exception(_too_long(waiter.urgency))

    async def _count(self) -> None:
        while self._reads:
            await asyncio.sleep(_COUNT_AFTER_S)
            with contextlib.suppress(Exception):  # the next second counts them
                await self._write_reads()

    async def _write_reads(self) -> None:
        reads, self._reads = self._reads, 0
        if reads:
            try:
                await self._budget.count_reads(reads)
            except BaseException:
                self._reads += reads
                raise


def _too_long(urgency: Urgency) -> StripeThrottled:
    return StripeThrottled(
        f"too many calls to Stripe are waiting for this one ({urgency.name.lower()}) to leave in "
        "time",
        code=NEVER_LEFT,
    )
