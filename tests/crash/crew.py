"""Starting processes fast: forked from one that has imported everything, not from scratch."""

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.crash.victim import Order
from tests.crash.zygote import LENGTH_BYTES

KILLED = -signal.SIGKILL
_REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """One of ours; `ended` becomes its exit code, negative for a signal."""

    pid: int
    ended: "asyncio.Future[int]"

    def kill(self) -> None:
        """kill -9, once."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        if not self.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Crew:
    """The zygote, and who it has forked so far."""

    def __init__(self, zygote: asyncio.subprocess.Process) -> None:
        self._zygote = zygote
        self._starting: asyncio.Queue[asyncio.Future[Process]] = asyncio.Queue()
        self._running: dict[int, Process] = {}
        self._one_at_a_time = asyncio.Lock()

    async def start(self, order: Order) -> Process:
        """It runs until it dies or is killed; it also goes when we go."""
        pickled = pickle.dumps(order)
        started: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        assert self._zygote.stdin is not None
        self._starting.put_nowait(started)
        self._zygote.stdin.write(len(pickled).to_bytes(LENGTH_BYTES) + pickled)
        await self._zygote.stdin.drain()
        return await started

    async def listen(self) -> None:
        """To the zygote, until it is gone."""
        assert self._zygote.stdout is not None
        loop = asyncio.get_running_loop()
        async for line in self._zygote.stdout:
            word, pid, *code = line.split()
            if word == b"started":
                process = self._running[int(pid)] = Process(int(pid), loop.create_future())
                self._starting.get_nowait().set_result(process)
            else:
                self._running.pop(int(pid)).ended.set_result(int(code[0]))


@contextlib.asynccontextmanager
async def hired() -> AsyncIterator[Crew]:
    """A crew for the block; none of it is left after it, also when we are killed."""
    zygote = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.crash.zygote"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_REPOSITORY,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        start_new_session=True,  # Ctrl-C in the terminal reaches only us
    )
    crew = Crew(zygote)
    listening = asyncio.create_task(crew.listen())
    try:
        yield crew
    finally:
        assert zygote.stdin is not None
        zygote.stdin.close()
        await zygote.wait()
        listening.cancel()


def last_words(log: Path) -> str:
    """The end of what a process said."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return text[-2000:]
