"""A process of ours that dies at a chosen point: the real web or worker, its sockets watched.

All that it sends and receives passes `socket.send` and `socket.recv` of the plain event loop; they
are wrapped here, in the launcher, so that nothing in the product knows of it. A point is

    before   a write: nothing of it has left
    after    a write: the kernel has it, no answer was read
    read     the first bytes that came in are in the process, and nothing was done with them

and its name is what was written (`wire`), and the how-manieth of its kind it is.
"""

import asyncio
import ctypes
import json
import os
import signal
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from tests.crash.wire import AnswerLine, Line, PostgresLine, RequestLine
from twintill.cli import running, serving
from twintill.cli.logs import configure_logs
from twintill.processors import LookUpBy
from twintill.processors.sandbox import SandboxProcessor
from twintill.settings import read_settings

BEFORE, AFTER, READ = "before", "after", "read"
POSTGRES, SENDER = "PostgreSQL", "sender"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True, slots=True)
class Point:
    """A place to die: what passes there, between whom, and the how-manieth of its kind."""

    phase: str
    party: str
    name: str
    nth: int

    def __str__(self) -> str:
        nth = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.phase:6} {self.party}: {self.name}{nth}"


@dataclass(frozen=True, slots=True)
class Order:
    """What a launcher is told: who to be, who listens where, and whether to die."""

    role: str  # web, worker
    environment: Mapping[str, str]
    log: Path
    parties: Mapping[int, str] = field(default_factory=dict)  # by port
    notes: Path | None = None  # write down every point passed
    aim: Point | None = None  # die there
    blind: bool = False  # the processor offers no look-up by reference


def main(order: Order) -> None:
    """The process, from the zygote's fork to its end."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(order.environment)
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order.blind:
        told = replace(SandboxProcessor.capabilities, look_up=LookUpBy.NONE)
        SandboxProcessor.capabilities = told
    if order.notes is None and order.aim is None:
        _run_as_ever(order.role)
        return
    _Watch(order).attach()
    settings = read_settings()
    configure_logs(settings.log_level)
    process = serving._serve(settings) if order.role == "web" else running._work(settings)
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(process)


def _run_as_ever(role: str) -> None:
    if role == "web":
        serving.serve(read_settings())
    else:
        running.work(read_settings())


@dataclass(slots=True)
class _Socket:
    party: str
    line: Line
    unanswered: bool = False


class _Watch:
    """Counts the points as they are passed, and ends the process at the one aimed at."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._passed: Counter[tuple[str, str, str]] = Counter()
        self._sockets: WeakKeyDictionary[socket.socket, _Socket | None] = WeakKeyDictionary()
        self._notes = None
        if order.notes is not None:
            self._notes = os.open(order.notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def attach(self) -> None:
        """From here on every socket of this process is watched."""
        send, recv, recv_into = socket.socket.send, socket.socket.recv, socket.socket.recv_into

        def watched_send(sock: socket.socket, data: Any, *flags: int) -> int:
            known = self._known(sock)
            if known is None:
                return send(sock, data, *flags)
            name = known.line.wrote(bytes(data))
            self._pass(BEFORE, known, name)
            sent = send(sock, data, *flags)
            known.unanswered = True
            self._pass(AFTER, known, name)
            return sent

        def watched_recv(sock: socket.socket, size: int, *flags: int) -> bytes:
            data = recv(sock, size, *flags)
            self._heard(sock, data)
            return data

        def watched_recv_into(sock: socket.socket, buffer: Any, *rest: int) -> int:
            size = recv_into(sock, buffer, *rest)
            self._heard(sock, bytes(memoryview(buffer)[:size]))
            return size

        for name, function in (
            ("send", watched_send),
            ("recv", watched_recv),
            ("recv_into", watched_recv_into),
        ):
            setattr(socket.socket, name, function)

    def _heard(self, sock: socket.socket, data: bytes) -> None:
        known = self._known(sock)
        if known is None or not data:
            return
        if isinstance(known.line, AnswerLine):
            asked = known.line.read(data)
            if asked is not None:
                self._pass(READ, known, asked)
        elif known.unanswered:
            known.unanswered = False
            self._pass(READ, known, f"answer to {known.line.name}")

    def _known(self, sock: socket.socket) -> _Socket | None:
        if sock not in self._sockets:
            self._sockets[sock] = self._meet(sock)
        return self._sockets[sock]

    def _meet(self, sock: socket.socket) -> _Socket | None:
        if sock.family != socket.AF_INET:
            return None  # the loop's own
        party = self._order.parties.get(sock.getpeername()[1])
        if party is None:
            return _Socket(SENDER, AnswerLine())
        return _Socket(party, PostgresLine() if party == POSTGRES else RequestLine())

    def _pass(self, phase: str, known: _Socket, name: str) -> None:
        kind = (phase, known.party, name)
        self._passed[kind] += 1
        point = Point(*kind, self._passed[kind])
        if self._notes is not None:
            os.write(self._notes, (json.dumps(_as_json(point)) + "\n").encode())
        if point == self._order.aim:
            os.kill(os.getpid(), signal.SIGKILL)


def _as_json(point: Point) -> list[Any]:
    return [point.phase, point.party, point.name, point.nth]


def read_notes(notes: Path) -> list[Point]:
    """What a watched process passed, in order."""
    if not notes.exists():
        return []
    return [Point(*json.loads(line)) for line in notes.read_text().splitlines()]
