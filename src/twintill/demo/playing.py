"""Playing the demo: alone in its folder, on its stage, and how it ends."""

import asyncio
import contextlib
import fcntl
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from twintill.demo import ending, second_act, story, third_act
from twintill.demo.people import Named
from twintill.demo.processes import Processes, complaints, running_processes
from twintill.demo.stage import Stage, set_stage
from twintill.demo.telling import Telling
from twintill.demo.tills import SANDBOX, Till, till_of
from twintill.demo.trouble import AlreadyRunning, Interrupted
from twintill.errors import TwintillError

FOLDER = Path(".twintill/demo")
_INTERRUPTED = 130  # as shells count: 128 + SIGINT


@dataclass(slots=True)
class _Outcome:
    """Whether the books agreed, once that is known."""

    code: int | None = None


def main(
    *, keep: bool = False, act: int = 1, processor: str = SANDBOX, folder: Path = FOLDER
) -> int:
    """The exit code: 0 only if the three books agree. Raises DemoError for what is not played."""
    till = till_of(processor, act)
    return asyncio.run(play(keep=keep, act=act, till=till, folder=folder))


async def play(*, till: Till, keep: bool = False, act: int = 1, folder: Path = FOLDER) -> int:
    """All of it; nothing is left running, however it ends."""
    telling, outcome = Telling(), _Outcome()
    try:
        with _alone(folder):
            async with running_processes(folder / "logs") as processes, _interrupts() as interrupts:
                await _first_of(
                    _perform(folder, processes, till, telling, outcome, act=act, keep=keep),
                    processes.watch(),
                    interrupts,
                )
    except Interrupted:
        telling.plain("\nEverything that the demo started is stopped.")
        return _INTERRUPTED if outcome.code is None else outcome.code
    except AlreadyRunning as error:
        telling.bad(str(error))
        return 1
    except (TwintillError, httpx.HTTPError) as error:
        telling.bad(str(error) or type(error).__name__)
        for complaint in complaints(folder / "logs"):
            telling.plain(complaint)
        telling.plain(f"What each process had to say is in {folder / 'logs'}.")
        return 1
    return 1 if outcome.code is None else outcome.code


async def _perform(
    folder: Path,
    processes: Processes,
    till: Till,
    telling: Telling,
    outcome: _Outcome,
    *,
    act: int,
    keep: bool,
) -> None:
    telling.opening(
        "Twintill: two tills, one ledger",
        f"Stripe bills; {till.words.collector} collects; both agree in the end, and we can prove "
        "it.",
    )
    async with set_stage(folder, processes, till, telling) as stage:
        names = (await _ACTS[act](stage)).names
        outcome.code = 0 if await ending.compare_books(stage, names) else 1
        if keep:
            ending.invite(stage, folder)
            await asyncio.Event().wait()


_ACTS: Mapping[int, Callable[[Stage], Awaitable[Named]]] = {
    1: story.tell,
    2: second_act.tell,
    3: third_act.tell,
}


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Until one of them ends, well or not; the others are cancelled, and cleaned up."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@contextlib.asynccontextmanager
async def _interrupts() -> AsyncIterator[Coroutine[Any, Any, None]]:
    """Yields what raises Interrupted at Ctrl-C or SIGTERM; until the block ends both wait."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()

    async def interrupted() -> None:
        await event.wait()
        raise Interrupted

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, event.set)
    try:
        yield interrupted()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two demos in one folder would write over each other's logs. Raises AlreadyRunning."""
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"A demo is running in {folder} already. End that one (Ctrl-C where it runs), "
                "or wait for it."
            ) from None
        yield
