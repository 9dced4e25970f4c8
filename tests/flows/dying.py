"""A worker that is killed in its calls, each in turn: the wire holds the one whose turn it is."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from tests.flows.test_signup_crashes import let_leases_run_out
from tests.flows.world import SCOPE, World
from twintill.flows import operations as flow
from twintill.sandbox.processor.fault_middleware import never_answer
from twintill.store import operations
from twintill.store.operations import Operation

MOST_LOOKS = 60


@dataclass
class Wire:
    """Around both sandboxes: call n of a look is never answered, and `called` says which it was."""

    n: int = 0  # 0: nothing is held
    acts: bool = False  # whether the other side does what it never answers
    calls: int = 0
    called: str = ""
    held: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"].startswith("/_sandbox") or not self._now():
                await app(scope, receive, send)
                return
            if self.acts:
                await app(scope, receive, _unheard)
            self.called = f"{scope['method']} {scope['path']}"
            self.held.set()
            await never_answer(scope, receive)

        return watched

    def hold(self, n: int, *, acts: bool) -> None:
        self.n, self.acts, self.calls, self.called = n, acts, 0, ""
        self.held.clear()

    def _now(self) -> bool:
        self.calls += 1
        return self.calls == self.n


async def killed_in_each_call(
    world: World,
    wire: Wire,
    operation_id: str,
    rests: Callable[[World, str], Awaitable[None]],
    *,
    acts: bool,
) -> list[str]:
    """The calls in which a worker died, until the operation has ended.

    The first one dies in its first call; each one after it repeats that and dies in the next. A
    step may need two calls: then the next one dies a call later. Payments have workers of their
    own, who do not wait for it. `rests`: what happens while it waits for something.
    """
    killed: list[str] = []
    call, before = 1, ""
    for _ in range(MOST_LOOKS):
        called = await _die_in_call(world, wire, operation_id, call, acts=acts)
        stands = await read(world, operation_id)
        assert stands.parked_why is None
        if stands.ended_at is not None:
            return killed
        if called:
            killed.append(called)
            call = call + 1 if stands.step == before else 2
        else:
            call = 1
            await rests(world, operation_id)
        before = stands.step
        await world.work()
    raise AssertionError(f"it never ends: {stands.step}, {stands.error}")


async def read(world: World, operation_id: str) -> Operation:
    async with world.db() as db:
        return await operations.read(db, SCOPE, operation_id)


async def _die_in_call(world: World, wire: Wire, operation_id: str, n: int, *, acts: bool) -> str:
    """The call in which the worker was killed; empty: it makes fewer."""
    async with world.db() as db:
        await operations.ring(db, SCOPE, operation_id)
    wire.hold(n, acts=acts)
    look = asyncio.create_task(flow.look(world.means, SCOPE, operation_id))
    held = asyncio.create_task(wire.held.wait())
    await asyncio.wait([look, held], return_when=asyncio.FIRST_COMPLETED)
    called = "" if look.done() else wire.called
    for task in (look, held):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    wire.hold(0, acts=False)
    async with world.db() as db:
        await db.execute(text("UPDATE payments SET lease_until = now() - interval '1 second'"))
    await let_leases_run_out(world)
    return called


async def _unheard(_: Any) -> None:
    """What it answers reaches nobody."""
