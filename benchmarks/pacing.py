"""(C) Pacing: what a turn at Stripe costs, alone and when many wait, against a question of nothing.

The rates are set so high that nobody ever waits for them: only the asking is measured.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import text

from benchmarks import stage
from benchmarks.stage import ACCOUNT, Stage
from twintill.domain.pace import Limits, Urgency
from twintill.ids import Scope
from twintill.sandbox.postgres import Cluster
from twintill.store.database import open_database
from twintill.store.pace import SharedBudget
from twintill.stripe_billing.pace import Pacer

_ENDPOINT = "POST /v1/invoices/{id}"
_SCOPE = Scope(ACCOUNT, False)
_WARM, _LONE, _CROWD, _AT_A_TIME = 20, 200, 1600, 32


@dataclass(frozen=True, slots=True)
class Pacing:
    """Milliseconds each, by round."""

    nothing_ms: list[float]  # BEGIN, SELECT 1, COMMIT
    alone_ms: list[float]
    crowded_ms: list[float]  # a turn, where 32 wait at a time


def measure(cluster: Cluster, rounds: int, tell: Callable[[str], None]) -> Pacing:
    with stage.new_stage(cluster, "pacing", {}) as pacing, asyncio.Runner() as runner:
        return runner.run(_measure(pacing, rounds, tell))


async def _measure(the_stage: Stage, rounds: int, tell: Callable[[str], None]) -> Pacing:
    database = open_database(the_stage.url, pool_size=2)
    pacer = Pacer(SharedBudget(database, _SCOPE, Limits(1_000_000, 1_000_000)))

    async def nothing() -> None:
        async with database.begin() as db:
            await db.execute(text("SELECT 1"))

    async def turn() -> None:
        await pacer.turn(Urgency.CHARGE, _ENDPOINT, within_s=60)

    async def some_turns() -> None:
        for _ in range(_CROWD // _AT_A_TIME):
            await turn()

    async def crowd() -> None:
        await asyncio.gather(*(some_turns() for _ in range(_AT_A_TIME)))

    figures = Pacing([], [], [])
    await _each_ms(nothing, _WARM)
    await _each_ms(turn, _WARM)
    for n in range(rounds):
        tell(f"pacing, round {n + 1} of {rounds}")
        figures.nothing_ms.append(await _each_ms(nothing, _LONE))
        figures.alone_ms.append(await _each_ms(turn, _LONE))
        figures.crowded_ms.append(await _each_ms(crowd, 1) / _CROWD)
    await pacer.aclose()
    await database.dispose()
    return figures


async def _each_ms(act: Callable[[], Awaitable[None]], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        await act()
    return (time.perf_counter() - began) * 1000 / times
