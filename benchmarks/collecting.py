"""(B) Collecting: invoices a second from finalized to reported, over both sandboxes.

Everything is a process of its own: Stripe, the processor, the web process that their webhooks
reach, and one worker or two. The clock starts before the first finalization and stops when the
last invoice is reported; calls, commits and processor time count until everything is quiet.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks import commits, stage
from benchmarks.stage import Stage
from benchmarks.world import World, open_world
from twintill.sandbox.postgres import Cluster

_QUIET_S = 60.0
_AT_A_TIME = 8
_WARM, _OVERHEARD = 10, 20  # invoices


@dataclass(frozen=True, slots=True)
class Run:
    """One heap of invoices, collected."""

    invoices: int
    elapsed_s: float
    stripe_calls: Counter[str]
    events: int  # webhooks' events, of Stripe and of the processor
    commits: int  # of the whole database, as it counts them itself
    cpu_s: dict[str, float]

    @property
    def per_s(self) -> float:
        return self.invoices / self.elapsed_s


@dataclass
class Collecting:
    """All runs by number of workers, what one run said to the database, and lone invoices."""

    runs: dict[int, list[Run]] = field(default_factory=dict)
    alone_ms: list[float] = field(default_factory=list)
    spoken: commits.Spoken | None = None
    spoken_invoices: int = 0


def measure(
    cluster: Cluster, rounds: int, invoices: int, ends_at: float, tell: Callable[[str], None]
) -> Collecting:
    """One and two workers by turns."""
    with stage.new_stage(cluster, "collecting", {}) as collecting, asyncio.Runner() as runner:
        return runner.run(_measure(collecting, rounds, invoices, ends_at, tell))


async def _measure(
    the_stage: Stage, rounds: int, invoices: int, ends_at: float, tell: Callable[[str], None]
) -> Collecting:
    collecting = Collecting(runs={1: [], 2: []})
    async with AsyncExitStack() as closing:
        world = await closing.enter_async_context(open_world(the_stage))
        await world.add_customers(max(invoices, _WARM, _OVERHEARD))
        for n in range(rounds):
            if n and time.monotonic() > ends_at:
                break  # a slow machine gets fewer rounds
            for workers in (1, 2):
                tell(f"collecting, round {n + 1} of {rounds}, workers: {workers}")
                with world.working(workers):
                    await _collect(world, _WARM)  # warm
                    collecting.runs[workers].append(await _collect(world, invoices))
        tell("collecting: lone invoices, and what is said to the database")
        with world.working(1):
            collecting.alone_ms = [(await _collect(world, 1)).elapsed_s * 1000 for _ in range(10)]
            collecting.spoken_invoices = count = _OVERHEARD
            async with commits.overheard(the_stage) as overheard:
                await _collect(world, count)
            collecting.spoken = overheard.spoken
    return collecting


async def _collect(world: World, invoices: int) -> Run:
    drafts = [await world.draft(n) for n in range(invoices)]
    await world.forget_calls()
    cpu, committed, events = world.cpu_s(), await world.commits(), await world.events()
    reported = await world.reported()
    began = time.monotonic()
    await _finalize(world, drafts)
    await _until(lambda: world.has_reported(reported + invoices))
    elapsed_s = time.monotonic() - began
    await _until(world.is_quiet)
    calls = await world.stripe_calls()
    return Run(
        invoices,
        elapsed_s,
        stripe_calls=calls,
        events=await world.events() - events,
        commits=await world.commits() - committed,
        cpu_s={name: used - cpu[name] for name, used in world.cpu_s().items()},
    )


async def _finalize(world: World, drafts: list[str]) -> None:
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def finalize(invoice_id: str) -> None:
        async with slots:
            await world.finalize(invoice_id)

    await asyncio.gather(*map(finalize, drafts))


async def _until(true: Callable[[], Any]) -> None:
    """Asks rarely enough to cost nothing."""
    async with asyncio.timeout(_QUIET_S):
        while not await true():  # noqa: ASYNC110 -- another process sets no event of ours
            await asyncio.sleep(0.02)
