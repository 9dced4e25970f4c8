"""Webhooks: events go out in signed batches, again and again until somebody answers 2xx."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from twintill.sandbox.clock import Clock
from twintill.sandbox.faults import Fault, Faults
from twintill.sandbox.processor.objects import Event, iso
from twintill.sandbox.processor.world import World

SIGNATURE_HEADER = "Sandbox-Signature"
REORDER_LIMIT_S = 2.0  # a held-back event goes out then, also when no other one followed
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

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        self._world = world
        self._clock = clock
        self._faults = faults
        self._seen = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._untried: set[asyncio.Event] = set()
        self._release = asyncio.Event()  # wakes what a reorder fault holds back
        self._slots = asyncio.Semaphore(_PARALLEL)
        self._client = httpx.AsyncClient(
            timeout=world.settings.webhook_timeout_s,
            trust_env=False,  # a proxy of the machine has no business on its loopback
        )
        self.endpoints: list[Endpoint] = []
        self.log: list[Attempt] = []

    def add_endpoint(self, url: str, secret: str) -> Endpoint:
        if not url or not secret:
            raise ValueError("a webhook endpoint needs a url and a secret")
        endpoint = Endpoint(self._world.new_id("pwhe"), url, secret)
        self.endpoints.append(endpoint)
        return endpoint

    def send_new(self) -> None:
        """Starts delivering every event that was emitted since the last call."""
        new, self._seen = self._world.events[self._seen :], len(self._world.events)
        untouched = []
        for event in new:
            fault = self._faults.take_for_webhook((event.type,))
            if fault is None:
                untouched.append(event)
            else:
                for endpoint in self.endpoints:
                    self._play(fault, endpoint, event)
        size = self._world.settings.webhook_batch
        for start in range(0, len(untouched), size):
            for endpoint in self.endpoints:
                self._send(endpoint, untouched[start : start + size])

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
        self.log.clear()

    async def aclose(self) -> None:
        await self.forget()
        await self._client.aclose()

    def _play(self, fault: Fault, endpoint: Endpoint, event: Event) -> None:
        if fault.kind == "webhook_drop":
            self._note(endpoint, [event], None, fault.kind)
        elif fault.kind == "webhook_duplicate":
            self._send(endpoint, [event], fault.kind)
            self._send(endpoint, [event], fault.kind)
        else:
            self._start(self._send_later(fault, endpoint, event))

    def _send(
        self, endpoint: Endpoint, batch: Sequence[Event], fault_kind: str | None = None
    ) -> None:
        tried = asyncio.Event()
        self._untried.add(tried)
        self._start(self._deliver(endpoint, batch, fault_kind, tried))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_later(self, fault: Fault, endpoint: Endpoint, event: Event) -> None:
        if fault.kind == "webhook_delay":
            await asyncio.sleep(fault.delay_s)
        else:
            await self._another_one_left()
        self._send(endpoint, [event], fault.kind)

    async def _another_one_left(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REORDER_LIMIT_S):
                await self._release.wait()

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
        self._release.set()
        self._release = asyncio.Event()

    async def _post(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str
    ) -> int | None:
        async with self._slots:
            now = await self._clock.now()
            envelope = {
                "id": delivery_id,
                "created": iso(now),
                "events": [event.to_json() for event in batch],
            }
            body = json.dumps(envelope, separators=(",", ":")).encode()
            headers = {
                "Content-Type": "application/json",
                SIGNATURE_HEADER: sign(endpoint.secret, body, now),
            }
            try:
                answer = await self._client.post(endpoint.url, content=body, headers=headers)
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
