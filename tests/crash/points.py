"""One case, once for each point: the victim dies, a healthy process goes on, all is judged."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

from tests.crash import choice, judge
from tests.crash.cases import Case
from tests.crash.crew import KILLED, Crew, Process, last_words
from tests.crash.stage import Stage, set_stage
from tests.crash.victim import Point, read_notes
from tests.postgres import Databases

_LEASE_S = 100  # longer than any lease or lock
_WITHIN_S = 90.0
_STILL_S = 0.4  # after its work is done, a process may pass a last point
_LOOK_S = 0.02
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one point: `wrong` is empty when nothing is."""

    point: Point
    reached: bool
    wrong: tuple[str, ...]
    took_s: float


async def record(databases: Databases, crew: Crew, case: Case, folder: Path) -> list[Point]:
    """The points that an undisturbed process passes until everything is done, in their order."""
    notes = folder / f"{case.name}.points"
    notes.unlink(missing_ok=True)
    async with _staged(databases, crew, case, folder / f"{case.name}-recorded") as stage:
        prepared = await case.prepare(stage)
        await stage.start(case.role, notes=notes)
        async with asyncio.timeout(_WITHIN_S):
            if case.stir is not None:
                await case.stir(stage, prepared)
            else:
                await _all_done(stage)
    return choice.of_case(case, read_notes(notes))


async def play(databases: Databases, crew: Crew, case: Case, point: Point, folder: Path) -> Verdict:
    """Die there, until it was really there that it died."""
    began_s = time.monotonic()
    for number in range(_TRIES):
        here = folder / f"{number}"
        try:
            died, wrong = await _play(databases, crew, case, point, here)
        except Exception as error:  # noqa: BLE001 -- one point's trouble must not hide the others
            died, wrong = True, [f"{type(error).__name__}: {error}"]
        if died:
            break
    return Verdict(point, died, tuple(wrong), time.monotonic() - began_s)


async def _play(
    databases: Databases, crew: Crew, case: Case, point: Point, folder: Path
) -> tuple[bool, list[str]]:
    async with _staged(databases, crew, case, folder) as stage:
        prepared = await case.prepare(stage)
        victim = await stage.start(case.role, aim=point)
        stirring = asyncio.create_task(_stir(stage, case, prepared))
        try:
            async with asyncio.timeout(_WITHIN_S):
                died = await _dies(stage, case, victim, stirring)
                wrong = await _go_on(stage, case, stirring) if died else []
        except TimeoutError:
            raise AssertionError(await _stuck(stage)) from None
        finally:
            stirring.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await stirring
    return died, wrong


async def _stir(stage: Stage, case: Case, prepared: object) -> None:
    if case.stir is not None:
        await case.stir(stage, prepared)


async def _dies(stage: Stage, case: Case, victim: Process, stirring: asyncio.Task[None]) -> bool:
    """Whether it died before everything was done; raises AssertionError if it ended otherwise."""

    async def too_late() -> None:
        if case.stir is None:
            await _all_done(stage)
        else:
            await asyncio.shield(stirring)
        await asyncio.sleep(_STILL_S)

    code = await _first(asyncio.shield(victim.ended), too_late())
    assert code in (None, KILLED), f"it ended with {code}: {last_words(stage.logs[0])}"
    return code == KILLED


async def _first(one: Awaitable[int], other: Awaitable[None]) -> int | None:
    tasks = [asyncio.ensure_future(one), asyncio.ensure_future(other)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].result() if tasks[0] in done else tasks[1].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _go_on(stage: Stage, case: Case, stirring: asyncio.Task[None]) -> list[str]:
    """The dead one's leases run out, and a healthy process finds what was left."""
    wrong = await judge.at_death(stage)
    await stage.passes(_LEASE_S)
    if not stirring.done():
        await stage.start("web")
        await stirring
    await stage.start("worker")
    return wrong + await _judged_at_rest(stage, case)


async def _judged_at_rest(stage: Stage, case: Case) -> list[str]:
    """Once nothing arrived while it was judged: senders of webhooks know nothing of our rest."""
    while True:
        arrived = await stage.ask("SELECT count(*) FROM inbox")
        await _all_done(stage)
        found = await judge.at_the_end(stage, case)
        if await stage.ask("SELECT count(*) FROM inbox") == arrived:
            return found


async def _all_done(stage: Stage) -> None:
    """Nothing is left to do; time passes where all that is left is to wait for it."""
    while await stage.is_busy():
        wait_s = await stage.seconds_to_wait()
        if wait_s is not None:
            await stage.passes(wait_s + 3)
        await asyncio.sleep(_LOOK_S)


async def _stuck(stage: Stage) -> str:
    left = "; ".join(await stage.unfinished())
    said = "\n".join(last_words(log) for log in stage.logs)
    return f"it never came to rest: {left}\n{said}"


@contextlib.asynccontextmanager
async def _staged(
    databases: Databases, crew: Crew, case: Case, folder: Path
) -> AsyncIterator[Stage]:
    database = await asyncio.to_thread(databases.create)
    try:
        async with set_stage(
            database, crew, folder, webhooks=case.webhooks, blind=case.blind
        ) as stage:
            yield stage
    finally:
        await asyncio.to_thread(databases.drop, database)
