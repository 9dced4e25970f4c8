"""The demo's processes: started, watched, and never left behind, whatever ends the demo."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twintill.demo.trouble import DemoError, ProcessDied

_STOP_S = 8.0  # a worker finishes what it has begun
_WATCH_S = 0.1
_TAIL_LINES = 25
_COMPLAINTS, _LONGEST = 3, 500
_IS_ERROR = re.compile(r'"level": ?"(error|critical)"|^Traceback|^\w*Error:')


@dataclass(frozen=True, slots=True)
class Child:
    """One process, and where it writes what it has to say."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:]) or "(it said nothing)"


class Processes:
    """The running children. Each leads a session of its own, so that Ctrl-C reaches only us."""

    def __init__(self, logs: Path, guard: "_Guard") -> None:
        self.logs = logs
        self._guard = guard
        self._children: list[Child] = []

    async def start(self, name: str, *arguments: str, environment: Mapping[str, str]) -> Child:
        """`twintill ARGUMENTS` as a process that runs until the demo ends."""
        child = await self._spawn(name, arguments, environment)
        self._children.append(child)
        return child

    async def run(self, name: str, *arguments: str, environment: Mapping[str, str]) -> str:
        """`twintill ARGUMENTS` to its end; answers what it printed. Raises DemoError."""
        child = await self._spawn(name, arguments, environment, stdout=subprocess.PIPE)
        try:
            printed, _ = await child.process.communicate()
        finally:
            await self._end([child])
        if child.process.returncode:
            command = " ".join(("twintill", *arguments))
            raise DemoError(f"`{command}` failed:\n{child.last_words()}")
        return printed.decode()

    async def watch(self) -> None:
        """Never returns: raises ProcessDied when one of them ends by itself."""
        while True:
            for child in self._children:
                if child.process.returncode is not None:
                    raise ProcessDied(
                        f"The process '{child.name}' ended by itself "
                        f"({_how_it_ended(child)}). The end of {child.log}:\n{child.last_words()}"
                    )
            await asyncio.sleep(_WATCH_S)

    async def stop_all(self) -> None:
        children, self._children = self._children, []
        await self._end(children)

    async def _spawn(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        stdout: int | None = None,
    ) -> Child:
        path = self.logs / f"{name}.log"
        with path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "twintill", *arguments),
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                env=dict(environment),
                start_new_session=True,
            )
        self._guard.remember(process.pid)
        return Child(name, process, path)

    async def _end(self, children: Sequence[Child]) -> None:
        """A word, time to finish, then force; the guard forgets who is gone."""
        for child in children:
            _signal(child, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await asyncio.gather(*(child.process.wait() for child in children))
        for child in children:
            _signal(child, signal.SIGKILL)
            await child.process.wait()
            self._guard.forget(child.process.pid)


@contextlib.asynccontextmanager
async def running_processes(logs: Path) -> AsyncIterator[Processes]:
    """Whatever is started in the block is gone after it, also when this process is killed."""
    guard = _Guard()
    processes = Processes(logs, guard)
    try:
        yield processes
    finally:
        try:
            await processes.stop_all()
        finally:
            guard.close()


def complaints(logs: Path) -> list[str]:
    """What the processes themselves thought worth an error, the newest few of each."""
    found = []
    for path in sorted(logs.glob("*.log")):
        lines = path.read_text(errors="replace").splitlines()
        errors = [line[:_LONGEST] for line in lines if _IS_ERROR.search(line)]
        found += [f"{path.stem}: {line}" for line in errors[-_COMPLAINTS:]]
    return found


def _signal(child: Child, number: int) -> None:
    if child.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, number)


def _how_it_ended(child: Child) -> str:
    code = child.process.returncode or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


# Its standard input ends when we end, however we end: even by kill -9.
_GUARD = """
alive=""
while read -r word pid; do
    rest=""
    for p in $alive; do [ "$p" = "$pid" ] || rest="$rest $p"; done
    alive="$rest"
    [ "$word" = forget ] || alive="$alive $pid"
done
for p in $alive; do kill -TERM -- "-$p" 2>/dev/null; done
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rest=""
    for p in $alive; do ! kill -0 -- "-$p" 2>/dev/null || rest="$rest $p"; done
    [ -n "$rest" ] || exit 0
    sleep 0.3
done
for p in $rest; do kill -KILL -- "-$p" 2>/dev/null; done
"""


class _Guard:
    """A shell that outlives us just long enough to end the children that are left."""

    def __init__(self) -> None:
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal must not reach it
            cwd="/",
        )

    def remember(self, pid: int) -> None:
        self._tell(f"remember {pid}\n")

    def forget(self, pid: int) -> None:
        self._tell(f"forget {pid}\n")

    def close(self) -> None:
        self._shell.communicate()

    def _tell(self, line: str) -> None:
        assert self._shell.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # somebody ended the guard; we go on
            self._shell.stdin.write(line.encode())
            self._shell.stdin.flush()
