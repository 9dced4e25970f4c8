"""Webhooks: events go out in signed batches, again and again until somebody answers 2xx."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import json
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import httpx

from twintill.sandbox.clock import Clock
from twintill.sandbox.processor.faults import Fault, Faults
from twintill.sandbox.processor.objects import Event, iso
from twintill.sandbox.processor.world import World

SIGNATURE_HEADER = "Sandbox-Signature"
LOG_LIMIT = 10_000
_PARALLEL = 16


def sign(secret: str, body: bytes, at: datetime) -> str:
    """The header's value: HMAC-SHA256 over the time, a dot and the raw body."""
    timestamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"t={timestamp},v1={signature.hexdigest()}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """One webhook request, signed."""

    body: bytes
    headers: Mapping[str, str]


class Letters(Protocol):
    """How a processor writes its webhooks."""

    most_events: int  # in one request

    def write(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str, now: datetime
    ) -> Letter: ...


@dataclass(frozen=True, slots=True)
class SandboxLetters:
    """The sandbox processor's own."""

    most_events: int = 1000

    def write(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str, now: datetime
    ) -> Letter:
        envelope = {
            "id": delivery_id,
            "created": iso(now),
            "events": [event.to_json() for event in batch],
        }
        body = json.dumps(envelope, separators=(",", ":")).encode()
        signature = sign(endpoint.secret, body, now)
        return Letter(body, {"Content-Type": "application/json", SIGNATURE_HEADER: signature})


@dataclass(slots=True)
class Attempt:
    """One line of the log of deliveries."""

    endpoint: str
    events: list[str]
    types: list[str]
    status: int | None  # None: no answer
    fault: str | None


class Deliveries:
    """Sends what the world emitted to every endpoint; owns its tasks and its HTTP client."""

    def __init__(
        self, world: World, clock: Clock, faults: Faults, letters: Letters | None = None
    ) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults
        self._letters = letters or SandboxLetters()
        self._seen = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._untried: set[asyncio.Event] = set()
        self._held: list[Event] = []  # by a reorder fault
        self._delayed: list[tuple[datetime, Event]] = []
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._client = httpx.AsyncClient(
            timeout=world.settings.webhook_timeout_s,
            trust_env=False,  # a proxy of the machine has no business on its loopback
            verify=_tls_context(),
        )
        self.endpoints: list[Endpoint] = []
        self.log: list[Attempt] = []

    def add_endpoint(self, url: str, secret: str) -> Endpoint:
        if not url or not secret:
            raise ValueError("a webhook endpoint needs a url and a secret")
        endpoint = Endpoint(self._world.new_id("pwhe"), url, secret)
        self.endpoints.append(endpoint)
        return endpoint

    def send_new(self, now: datetime) -> None:
        """Starts delivering what was emitted since the last call, and what was held till now."""
        for due, event in [held for held in self._delayed if held[0] <= now]:
            self._delayed.remove((due, event))
            self._send([event], "webhook_delay")
        again, self._world.again = self._world.again, []
        for event in again:
            self._send([event], "resend")
        new, self._seen = self._world.events[self._seen :], len(self._world.events)
        untouched = []
        for event in new:
            fault = self._faults.take_for_webhook(event.type, event.cause)
            if fault is None:
                untouched.append(event)
            else:
                self._play(fault, event, now)
        size = min(self._world.settings.webhook_batch, self._letters.most_events)
        for start in range(0, len(untouched), size):
            self._send(untouched[start : start + size])

    def release_held(self) -> None:
        """Sends what reorder faults held back, the last one first."""
        events, self._held = self._held[::-1], []
        all_tried = asyncio.Event()
        self._untried.add(all_tried)
        self._start(self._send_in_order(events, all_tried))

    async def first_attempts_done(self) -> None:
        """Returns when everything that is on its way was tried once (or is held by a fault)."""
        for tried in list(self._untried):
            await tried.wait()

    async def forget(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._seen = 0
        self._untried.clear()
        self._held.clear()
        self._delayed.clear()
        self.log.clear()

    async def aclose(self) -> None:
        await self.forget()
        await self._client.aclose()

    def _play(self, fault: Fault, event: Event, now: datetime) -> None:
        if fault.kind == "webhook_drop":
            for endpoint in self.endpoints:
                self._note(endpoint, [event], None, fault.kind)
            if fault.retry:
                self._start(self._send_again([event]))
        elif fault.kind == "webhook_duplicate":
            for _ in range(fault.copies):
                self._send([event], fault.kind)
        elif fault.kind == "webhook_delay":
            self._delayed.append((now + timedelta(seconds=fault.delay_s), event))
        else:
            self._held.append(event)
            if fault.is_spent:
                self.release_held()

    def _send(self, batch: Sequence[Event], fault_kind: str | None = None) -> list[asyncio.Event]:
        """To every endpoint; answers what tells that each was tried once."""
        return [self._send_to(endpoint, batch, fault_kind) for endpoint in self.endpoints]

    def _send_to(
        self, endpoint: Endpoint, batch: Sequence[Event], fault_kind: str | None
    ) -> asyncio.Event:
        tried = asyncio.Event()
        self._untried.add(tried)
        self._start(self._deliver(endpoint, batch, fault_kind, tried))
        return tried

    async def _send_again(self, batch: Sequence[Event]) -> None:
        await asyncio.sleep(self._world.settings.webhook_retries_s[0])
        self._send(batch, "webhook_drop")

    async def _send_in_order(self, events: Sequence[Event], all_tried: asyncio.Event) -> None:
        """One after the other, so that they arrive as the fault wants it."""
        try:
            for event in events:
                for tried in self._send([event], "webhook_reorder"):
                    await tried.wait()
        finally:
            self._mark_tried(all_tried)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, endpoint: Endpoint, batch: Sequence[Event], fault: str | None, tried: asyncio.Event
    ) -> None:
        settings = self._world.settings
        delivery_id = self._world.new_id("dlv")
        try:
            for attempt in range(settings.webhook_attempts):
                status = await self._post(endpoint, batch, delivery_id)
                self._note(endpoint, batch, status, fault)
                self._mark_tried(tried)
                if status is not None and 200 <= status < 300:
                    return
                retries_s = settings.webhook_retries_s
                await asyncio.sleep(retries_s[min(attempt, len(retries_s) - 1)])
        finally:
            self._mark_tried(tried)

    def _mark_tried(self, tried: asyncio.Event) -> None:
        tried.set()
        self._untried.discard(tried)

    async def _post(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str
    ) -> int | None:
        async with self._slots:
            now = await self._clock.now()
            letter = self._letters.write(endpoint, batch, delivery_id, now)
            try:
                answer = await self._client.post(
                    endpoint.url, content=letter.body, headers=letter.headers
                )
            except httpx.HTTPError:
                return None
            return answer.status_code

    def _note(
        self, endpoint: Endpoint, batch: Sequence[Event], status: int | None, fault: str | None
    ) -> None:
        if len(self.log) >= LOG_LIMIT:
            del self.log[: LOG_LIMIT // 2]
        ids, types = [event.id for event in batch], [event.type for event in batch]
        self.log.append(Attempt(endpoint.id, ids, types, status, fault))


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Read once in a process: it takes as long as a hundred webhooks."""
    return ssl.create_default_context()
