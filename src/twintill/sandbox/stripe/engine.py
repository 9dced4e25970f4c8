"""The billing engine: does by itself what Stripe does as time goes by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from twintill.sandbox.clock import Clock
from twintill.sandbox.stripe import cycle, subscription_state
from twintill.sandbox.stripe.agenda import Due
from twintill.sandbox.stripe.events import emit
from twintill.sandbox.stripe.postman import Postman
from twintill.sandbox.stripe.world import Json, Moment, World

log = logging.getLogger(__name__)

Deed = Callable[[World, Json, Moment], None]
_DEEDS: dict[str, tuple[str, Deed]] = {
    "finalize": ("invoice", cycle.finalization_due),
    "due_date": ("invoice", subscription_state.fell_due),
    "later_action": ("invoice", subscription_state.gave_up),
    "retry_payment": ("invoice", cycle.retry_due),
    "period_end": ("subscription", cycle.period_ended),
    "cancel_at": ("subscription", cycle.cancellation_due),
    "expire_incomplete": ("subscription", cycle.incomplete_expired),
}
BACKGROUND_PATIENCE_REAL_S = 2.0


class Engine:
    """Brings the world to now: in order of time, each thing at the time at which it was due."""

    def __init__(self, world: World, clock: Clock, postman: Postman) -> None:
        self._world, self._clock, self._postman = world, clock, postman
        self._one_at_a_time = asyncio.Lock()
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Forever: every few milliseconds, and at once after a call that changed something."""
        interval = self._world.settings.engine_interval_real_s
        while True:
            try:
                async with asyncio.timeout(interval):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()
            try:
                await self.catch_up(BACKGROUND_PATIENCE_REAL_S, wait=False)
            except Exception:
                log.exception("the sandbox Stripe's engine stumbled; it goes on")
                await asyncio.sleep(interval * 10)

    def wake(self) -> None:
        self._woken.set()

    async def tick(self) -> None:
        """Returns when everything that is due has been done and every due webhook was tried."""
        await self.catch_up(self._world.settings.webhook_timeout_real_s + 1, wait=True)

    async def catch_up(self, patience_real_s: float, *, wait: bool) -> None:
        async with self._one_at_a_time:
            self._forget_old_events(await self._now())
            while True:
                now = await self._now()
                due_at = self._world.agenda.next_at()
                behind = due_at is not None and due_at <= now
                started = self._postman.start_due(min(due_at or now, now))
                busy = self._postman.is_busy
                if busy and (behind or wait):
                    # Endpoints hear of the past before more of it happens.
                    await self._postman.settle(patience_real_s)
                due = self._world.agenda.take(now)
                if due is not None:
                    await self._do(due, patience_real_s)
                elif not (wait and (started or busy)):
                    return

    async def _do(self, due: Due, patience_real_s: float) -> None:
        if due.kind == "advance_clock":
            await self._advance(due.id, patience_real_s)
            return
        table, deed = _DEEDS[due.kind]
        obj = self._world.all(table).get(due.id)
        if obj is not None and self._world.all("customer").get(obj["customer"]) is not None:
            deed(self._world, obj, Moment(due.at))

    async def _advance(self, clock_id: str, patience_real_s: float) -> None:
        """Everything on a test clock happens in its own order; then the clock is ready."""
        clock = self._world.all("test_helpers.test_clock").get(clock_id)
        if clock is None:
            return
        target = clock["status_details"]["advancing"]["target_frozen_time"]
        while True:
            self._postman.start_due(await self._now())
            await self._postman.settle(patience_real_s)
            due = self._world.agenda.take(target, clock_id)
            if due is None:
                break
            clock["frozen_time"] = max(clock["frozen_time"], due.at)
            await self._do(due, patience_real_s)
        clock["frozen_time"], clock["status"] = target, "ready"
        clock["status_details"] = {}
        emit(self._world, "test_helpers.test_clock.ready", clock, Moment(await self._now()))

    async def _now(self) -> int:
        return int((await self._clock.now()).timestamp())

    def _forget_old_events(self, now: int) -> None:
        """Stripe keeps events for 30 days; those that still wait to be delivered stay."""
        events, outbox = self._world.all("event"), self._world.outbox
        while events:
            oldest = next(iter(events.values()))
            if now - oldest["created"] < self._world.settings.events_kept_s:
                return
            if oldest["data"]["object"].get("test_clock"):
                return  # its time says nothing about its age
            if any(delivery.is_open for delivery in outbox.by_event.get(oldest["id"], ())):
                return
            del events[oldest["id"]]
            outbox.forget_event(oldest["id"])
