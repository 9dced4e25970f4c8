"""Delivers events to webhook endpoints: signed, concurrently, again and again until a 2xx."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import json
import logging
import ssl
from typing import Any

import httpx

from twintill.sandbox.clock import Clock
from twintill.sandbox.stripe.drafting import webhooks_delivered
from twintill.sandbox.stripe.faults import Fault, Faults
from twintill.sandbox.stripe.outbox import Delivery, DeliveryState
from twintill.sandbox.stripe.world import Json, World

log = logging.getLogger(__name__)


class Postman:
    """Lives as long as the server: one HTTP client, a bounded number of posts at a time."""

    def __init__(self, world: World, clock: Clock, faults: Faults) -> None:
        self._world, self._clock, self._faults = world, clock, faults
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self._slots = asyncio.Semaphore(world.settings.webhook_concurrency)
        self._held_since_real_s: float | None = None

    async def open(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=self._world.settings.webhook_timeout_real_s,
            follow_redirects=False,
            trust_env=False,
            verify=_tls_context(),
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def start_due(self, until: int) -> int:
        """Starts every post that is due; returns how many."""
        started = 0
        for delivery in self._world.outbox.due(until, _real_now_s()):
            if self._is_hit(delivery, until):
                continue
            started += 1
            self._start([delivery])
        self._release_overheld()
        return started

    def release(self, held: list[Delivery]) -> None:
        """Sends deliveries that were held back, one after the other, in the given order."""
        self._held_since_real_s = None
        if held:
            self._start(held)

    async def settle(self, timeout_real_s: float) -> None:
        """Waits for the posts under way, but no longer than that."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_real_s)

    @property
    def is_busy(self) -> bool:
        return bool(self._tasks)

    def _start(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            delivery.state = DeliveryState.IN_FLIGHT
        task = asyncio.create_task(self._deliver_all(deliveries))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_all(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            async with self._slots:
                try:
                    await self._deliver(delivery)
                except Exception:
                    # The clock may be out of reach (its database restarts): nothing is lost by it.
                    log.exception("a webhook could not be sent; it stays due")
                    delivery.state = DeliveryState.DUE

    async def _deliver(self, delivery: Delivery) -> None:
        endpoint = self._world.all("webhook_endpoint").get(delivery.endpoint_id)
        event = self._world.all("event").get(delivery.event_id)
        if endpoint is None or event is None or endpoint["status"] != "enabled":
            self._world.outbox.close(delivery, DeliveryState.LOST)
            return
        delivery.attempts += 1
        for _ in range(delivery.copies):
            delivery.last_status = await self._post(endpoint, event)
        if delivery.last_status is not None and 200 <= delivery.last_status < 300:
            await self._delivered(delivery, event)
        else:
            await self._failed(delivery)

    async def _post(self, endpoint: Json, event: Json) -> int | None:
        """The status of the answer; None if there was none."""
        assert self._client is not None, "the postman is opened before it delivers"
        body = _body(event, endpoint)
        at = int((await self._clock.now()).timestamp())
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(body, self._world.secrets[endpoint["id"]], at),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            answer = await self._client.post(endpoint["url"], content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None
        return answer.status_code

    async def _delivered(self, delivery: Delivery, event: Json) -> None:
        outbox = self._world.outbox
        outbox.close(delivery, DeliveryState.DELIVERED)
        event["pending_webhooks"] = outbox.pending(event["id"])
        if event["type"] != "invoice.created" or event["pending_webhooks"]:
            return
        invoice = self._world.all("invoice").get(event["data"]["object"]["id"])
        if invoice is None or invoice["webhooks_delivered_at"] is not None:
            return
        # A first attempt counts as made when the event was, also where the clock leapt ahead.
        at = event["created"]
        if delivery.attempts > 1:
            at = max(at, await self._now_for(invoice))
        webhooks_delivered(self._world, invoice, at)

    async def _failed(self, delivery: Delivery) -> None:
        retries = self._world.settings.webhook_retries_s
        if delivery.attempts > len(retries):
            self._world.outbox.close(delivery, DeliveryState.LOST)
            return
        now = int((await self._clock.now()).timestamp())
        delivery.due_at = now + retries[delivery.attempts - 1]
        fast = self._world.settings.webhook_fast_retry_real_s
        if fast is not None:
            delivery.real_due_s = _real_now_s() + fast * 2 ** (delivery.attempts - 1)
        delivery.state = DeliveryState.DUE

    async def _now_for(self, invoice: Json) -> int:
        clock_id = invoice["test_clock"]
        if clock_id:
            return int(self._world.get("test_helpers.test_clock", clock_id)["frozen_time"])
        return int((await self._clock.now()).timestamp())

    def _is_hit(self, delivery: Delivery, now: int) -> bool:
        """Whether an injected fault keeps this delivery from being sent now."""
        if delivery.judged:
            return False
        delivery.judged = True
        event = self._world.get("event", delivery.event_id)
        fault = self._faults.for_webhook(event["type"])
        return fault is not None and self._apply(fault, delivery, now)

    def _apply(self, fault: Fault, delivery: Delivery, now: int) -> bool:
        if fault.kind == "webhook_duplicate":
            delivery.copies = fault.copies
            return False
        if fault.kind == "webhook_delay":
            delivery.due_at = now + fault.delay_s
        elif fault.kind == "webhook_reorder":
            delivery.state = DeliveryState.HELD
            self._held_since_real_s = self._held_since_real_s or _real_now_s()
            self.release(self._faults.hold(delivery, fault))
        elif fault.retry:
            delivery.attempts += 1
            delivery.due_at = now + self._world.settings.webhook_retries_s[0]
        else:
            self._world.outbox.close(delivery, DeliveryState.LOST)
        return True

    def _release_overheld(self) -> None:
        since = self._held_since_real_s
        limit = self._world.settings.reorder_hold_real_s
        if since is not None and _real_now_s() - since >= limit:
            self.release(self._faults.take_held())


def sign(body: bytes, secret: str, at: int) -> str:
    """The value of Stripe-Signature."""
    signed = str(at).encode() + b"." + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Read once in a process: it takes as long as a hundred webhooks."""
    return ssl.create_default_context()


def _body(event: Json, endpoint: Json) -> bytes:
    version = endpoint["api_version"] or event["api_version"]
    shown: dict[str, Any] = {**event, "api_version": version}
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()


def _real_now_s() -> float:
    return asyncio.get_running_loop().time()
