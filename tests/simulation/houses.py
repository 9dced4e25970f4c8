"""Twintill's processes in a world: web and workers, with connections of their own; they die."""

import asyncio
import contextvars
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from tests.simulation.database import SimDatabase
from tests.simulation.loop import CURRENT, Process, SimLoop
from tests.simulation.trace import Trace
from twintill.domain.policy import Policy
from twintill.errors import SignatureRefused
from twintill.flows import arrivals
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Processor
from twintill.store.doorbell import Bell
from twintill.store.inbox import Receiver
from twintill.store.vault import Vault
from twintill.store.waker import Waker
from twintill.stripe_billing.gateway import Gateway
from twintill.web import webhooks
from twintill.web.clock import BusinessClock
from twintill.web.doors import Doors
from twintill.worker import Worker

SCOPE = Scope("acct_simulated", False)
INSTALLATION = "abcdefg2"
SECRET = "whsec_1"
VAULT = Vault([b"s" * 32])
LOST = (OSError, SQLAlchemyError, TimeoutError)


@dataclass(frozen=True)
class Outside:
    """Everything that all processes share and none of them owns."""

    loop: SimLoop
    database: SimDatabase
    stripe: Any
    processors: dict[str, Processor]
    policy: Policy
    trace: Trace
    installation_id: str = INSTALLATION

    def means(self, process: Process, pool_size: int) -> Means:
        return Means(
            scope=SCOPE,
            installation_id=self.installation_id,
            database=self.database.engine(process, pool_size),
            stripe=cast(Gateway, self.stripe),
            processors=self.processors,
            vault=VAULT,
            policy=self.policy,
            public_url="http://twintill",
            tells_app=False,
        )

    def start(self, process: Process, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """A task of that process: it ends with it."""
        context = contextvars.Context()
        context.run(CURRENT.set, process)
        task = self.loop.create_task(work, context=context)
        process.tasks.append(task)
        return task


class House:
    """One process; `means` are its own, with connections of its own."""

    def __init__(self, outside: Outside, name: str, pool_size: int = 2) -> None:
        self.outside = outside
        self.process = Process(name)
        self.means = outside.means(self.process, pool_size)

    async def kill(self) -> None:
        if self.process.alive:
            self.outside.trace.say("kill", self.process.name)
            await self.outside.loop.kill(self.process)
            await self.means.database.dispose(close=False)

    async def close(self) -> None:
        if self.process.alive:
            await self.means.database.dispose()


class WorkerHouse(House):
    """Answers bells with the worker's own code; what it gets to see is the dispatcher's choice."""

    def __init__(self, outside: Outside, name: str, transport: httpx.AsyncHTTPTransport) -> None:
        super().__init__(outside, name)
        self.worker = Worker(self.means, transport, Waker(self.means.database))

    async def answer(self, bell: Bell) -> None:
        try:
            await self.worker.answer(bell)
        except LOST as error:
            self.outside.trace.say(self.process.name, f"look lost: {type(error).__name__}")


@dataclass(frozen=True)
class MachineClock:
    """The clock of one machine, which may be wrong until somebody sets it right."""

    loop: SimLoop
    skew_s: float
    until_s: float

    async def now(self) -> datetime:
        now_s = self.loop.time()
        return datetime.fromtimestamp(now_s + (self.skew_s if now_s < self.until_s else 0), UTC)

    async def moved(self) -> bool:
        return False


class WebHouse(House):
    """Takes webhooks with the doors' own code."""

    def __init__(self, outside: Outside, name: str, clock: "MachineClock") -> None:
        super().__init__(outside, name, pool_size=3)
        self.doors = Doors(
            means=self.means,
            stripe_webhook_secrets=(SECRET,),
            clock=cast(BusinessClock, clock),
            receiver=Receiver(self.means.database, flushers=1),
            waker=Waker(self.means.database),
            revisions=(),
        )
        outside.start(self.process, self._receive_for_ever())

    async def take(self, source: str, body: bytes, headers: dict[str, str]) -> int:
        """The status that the sender heard; 503 also for no answer at all."""
        if not self.process.alive:
            return 503
        task = self.outside.start(self.process, self._take(source, body, headers))
        await asyncio.wait([task])
        self.process.tasks.remove(task)
        heard = not task.cancelled() and task.exception() is None
        return int(task.result()) if heard else 503

    async def _take(self, source: str, body: bytes, headers: dict[str, str]) -> int:
        try:
            return await self._answer(source, _request(body, headers))
        except SignatureRefused:
            return 400
        except LOST as error:
            self.outside.trace.say(self.process.name, f"503: {type(error).__name__}")
            return 503

    async def _answer(self, source: str, request: Request) -> int:
        if source == arrivals.STRIPE:
            answer = await webhooks.take_from_stripe(request, self.doors)
        else:
            answer = await webhooks.take_from_processor(source, request, self.doors)
        return answer.status_code

    async def _receive_for_ever(self) -> None:
        async with self.doors.receiver.running():
            await asyncio.Event().wait()


def _request(body: bytes, headers: dict[str, str]) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)
