"""The running sandbox: one world, its clock, its keys, its faults, and the loop of it all."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from twintill.sandbox.clock import Clock
from twintill.sandbox.processor import agenda
from twintill.sandbox.processor.deliveries import Deliveries
from twintill.sandbox.processor.face import Face
from twintill.sandbox.processor.faults import Faults
from twintill.sandbox.processor.idempotency import KeyRing
from twintill.sandbox.processor.settings import ProcessorSandboxSettings
from twintill.sandbox.processor.world import World

log = logging.getLogger(__name__)


class Sandbox:
    """All state of one server; nothing of it is kept when the process ends."""

    def __init__(
        self, clock: Clock, settings: ProcessorSandboxSettings, face: Face | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = Faults()
        self.face = face  # None: the sandbox processor's own
        self.world = World(settings, face)
        self.keys = KeyRing(timedelta(seconds=settings.key_window_s))
        self.deliveries = Deliveries(self.world, clock, self.faults, face)
        if settings.webhook_url:
            self.deliveries.add_endpoint(settings.webhook_url, settings.webhook_secret)

    async def catch_up(self) -> datetime:
        """Lets everything happen that is due, and answers what time it is."""
        now = await self.clock.now()
        agenda.catch_up(self.world, now)
        return now

    async def tick(self) -> datetime:
        """As `catch_up`, and returns when every webhook of it was tried."""
        now = await self.catch_up()
        self.deliveries.send_new(now)
        await self.deliveries.first_attempts_done()
        return now

    async def run(self) -> None:
        while True:
            try:
                self.deliveries.send_new(await self.catch_up())
            except Exception:  # a shared clock may be away for a while; the sandbox stays
                log.exception("the sandbox processor could not catch up")
            await asyncio.sleep(self.settings.tick_interval_s)

    async def forget(self) -> None:
        """Back to the beginning; the webhook endpoints stay."""
        await self.deliveries.forget()
        self.world.forget()
        self.keys.forget()
        self.faults.clear()
        if self.face is not None:
            self.face.forget()
