"""An event loop whose every run is the same for the same seed, on real PostgreSQL connections.

Time is virtual: when nobody can go on, it jumps to the next timer. Of the tasks that could go on,
the seed picks one. No task runs while a query is unanswered, unless its backend waits for a lock:
so the order of answers never depends on the machine. A process of the world is killed by ending
its backends first, and cancelling its tasks then.
"""

import asyncio
import heapq
import random
import socket
from asyncio import selector_events
from collections import deque
from collections.abc import Callable, Collection
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

PATIENCE_S = 0.004  # real: past that, an unanswered query may be waiting for a lock
STEPS_MAX = 3_000_000
_READY_FOR_QUERY = b"Z\0\0\0\5"  # how the server ends an answer, before one byte of state


class Backends(Protocol):
    """What the loop asks of the database beside the connections of the world."""

    def blocked(self, ports: Collection[int]) -> set[int]: ...

    def terminate(self, ports: Collection[int]) -> None: ...

    def set_clock(self, microseconds: int) -> None: ...


@dataclass(eq=False)
class Process:
    """A process of the world: what it began dies with it."""

    name: str
    alive: bool = True
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


class Dead(asyncio.CancelledError):
    """A killed process tried to go on."""


def must_be_alive() -> None:
    process = CURRENT.get()
    if process is not None and not process.alive:
        raise Dead(process.name)


def opened_by(process: Process, connect: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Connections made so belong to this process, whichever task asks for them."""

    def open_one(record: Any) -> Any:
        must_be_alive()
        if not process.alive:
            raise ConnectionRefusedError(f"{process.name} is gone")
        asking = CURRENT.set(process)
        try:
            return connect(record)
        finally:
            CURRENT.reset(asking)

    return open_one


class SimLoop(asyncio.SelectorEventLoop):
    """`epoch_s`: where virtual time begins; `rng`: which task goes on."""

    # Of asyncio's own loop, which has no other seam for this.
    _ready: deque[Any]
    _scheduled: list[Any]
    _selector: Any
    _stopping: bool
    _timer_cancelled_count: int
    _process_events: Callable[[Any], None]

    def __init__(self, rng: random.Random, backends: Backends, epoch_s: int) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self._now_s = float(epoch_s)
        self._shown = -1
        self._rng, self._backends = rng, backends
        self._steps: list[Any] = []  # of tasks that could go on
        self._made = 0
        self.steps = 0
        self.set_task_factory(self._new_task)

    def time(self) -> float:
        return self._now_s

    def asked(self) -> None:
        """A query is about to leave: the database must know the time."""
        microseconds = round(self._now_s * 1_000_000)
        if microseconds != self._shown:
            self._backends.set_clock(microseconds)
            self._shown = microseconds

    def cut(self, lines: "list[Line]") -> None:
        """End the backends of these connections; everybody who waits for them hears of it."""
        open_lines = [line for line in lines if line in self.lines]
        self._backends.terminate([line.port for line in open_lines])
        for line in open_lines:
            line.lose()

    async def kill(self, process: Process) -> None:
        """As kill -9 does: whatever it was about to do does not happen."""
        process.alive = False
        self.cut([line for line in self.lines if line.process is process])
        tasks = [task for task in process.tasks if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, asyncio.sleep(0), return_exceptions=True)

    async def end(self) -> None:
        """Nobody goes on, and no connection is left, not even of who did not want to hear of it."""
        me = asyncio.current_task()
        while others := [task for task in asyncio.all_tasks() if task is not me]:
            self.cut(list(self.lines))
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self.cut(list(self.lines))
        await asyncio.sleep(0)
        assert not self.lines

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        must_be_alive()
        sock.setblocking(True)  # on loopback, and nobody else may run meanwhile
        sock.connect(address)
        sock.setblocking(False)

    def _new_task(self, loop: Any, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
        self._made += 1
        task = _NumberedTask(coroutine, loop=self, **options)
        task.number = self._made
        return task

    def _make_socket_transport(
        self, sock: socket.socket, protocol: Any, waiter: Any = None, **options: Any
    ) -> "Line":
        line = Line(self, sock, protocol, waiter, **options)
        self.lines.append(line)
        return line

    def _run_once(self) -> None:
        self._settle()
        if self._steps:
            self.steps += 1
            if self.steps > STEPS_MAX:
                raise RuntimeError("the world never comes to rest")
            self._steps.sort(key=_number)
            chosen = self._steps.pop(self._rng.randrange(len(self._steps)))
            if not chosen._cancelled:
                chosen._run()
        elif not self._stopping:
            self._jump()

    def _settle(self) -> None:
        """Run what is no task's step; wait for every answer that does not wait for a lock."""
        while True:
            self._run_callbacks()
            waiting = [line for line in self.lines if line.busy and not line.blocked]
            if not waiting:
                if self._some_got_their_lock():
                    continue
                return
            events = self._selector.select(PATIENCE_S)
            if events:
                self._process_events(events)
                continue
            blocked = self._backends.blocked([line.port for line in waiting])
            for line in waiting:
                line.blocked = line.port in blocked

    def _some_got_their_lock(self) -> bool:
        """By what was answered just now: it is given up before the server says that it is done."""
        blocked = [line for line in self.lines if line.blocked]
        still = self._backends.blocked([line.port for line in blocked]) if blocked else ()
        for line in blocked:
            line.blocked = line.port in still
        return len(still) < len(blocked)

    def _run_callbacks(self) -> None:
        """Everything that is not the step of a task: in order, and at once."""
        while self._ready:
            handle = self._ready.popleft()
            if _number(handle):
                self._steps.append(handle)
            elif not handle._cancelled:
                handle._run()

    def _jump(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._scheduled:
            raise RuntimeError("nobody can go on, and nothing will happen")
        self._now_s = max(self._now_s, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self._now_s:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)


class _NumberedTask(asyncio.Task[Any]):
    """In the order of their making; other tasks than a world's have no number."""

    number = 0


def _number(handle: Any) -> int:
    """Of the task whose step it is; 0 for any other callback."""
    task = getattr(handle._callback, "__self__", None)
    return task.number if isinstance(task, _NumberedTask) else 0


class Line(selector_events._SelectorSocketTransport):  # type: ignore[name-defined,misc]
    """A connection to PostgreSQL that knows whether it owes an answer."""

    max_size = 1 << 16  # asyncio's own is so big that each read would map memory

    def __init__(self, loop: SimLoop, sock: socket.socket, *args: Any, **options: Any) -> None:
        self.world_loop = loop
        self.port: int = sock.getsockname()[1]
        self.process = CURRENT.get()
        self.busy = self.blocked = False
        super().__init__(loop, sock, *args, **options)

    def write(self, data: bytes) -> None:
        self.world_loop.asked()
        self.busy = True
        super().write(data)

    def close(self) -> None:
        self.busy = False
        super().close()

    def lose(self) -> None:
        """Its backend is gone: what the server said last is not read any more."""
        self._force_close(ConnectionResetError("cut"))

    def _read_ready(self) -> None:
        before = len(self.world_loop._ready)
        arrived = self._sock.recv(self.max_size, socket.MSG_PEEK)
        super()._read_ready()
        woken = len(self.world_loop._ready) > before
        if woken or arrived[-6:-1] == _READY_FOR_QUERY:
            self.busy = False

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        self.busy = self.blocked = False
        if self in self.world_loop.lines:
            self.world_loop.lines.remove(self)
        super()._call_connection_lost(exc)
