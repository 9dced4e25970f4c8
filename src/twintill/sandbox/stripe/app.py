"""The server: an ASGI application with the API under /v1 and its switches under /_sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

from twintill.sandbox.clock import Clock
from twintill.sandbox.serve import serve_app
from twintill.sandbox.stripe import admin, state_file
from twintill.sandbox.stripe.api import Api, LoggedCall
from twintill.sandbox.stripe.asgi import ClientLeft, Receive, Scope, Send
from twintill.sandbox.stripe.engine import Engine
from twintill.sandbox.stripe.faults import Faults
from twintill.sandbox.stripe.idempotency import Keys
from twintill.sandbox.stripe.ids import Ids
from twintill.sandbox.stripe.postman import Postman
from twintill.sandbox.stripe.settings import StripeSandboxSettings
from twintill.sandbox.stripe.world import World

log = logging.getLogger(__name__)


def create_app(clock: Clock, settings: StripeSandboxSettings | None = None) -> StripeSandbox:
    """A sandbox Stripe of its own, as an ASGI application."""
    return StripeSandbox(clock, settings or StripeSandboxSettings())


async def serve(
    host: str, port: int, clock: Clock, settings: StripeSandboxSettings | None = None
) -> None:
    """Serves a sandbox Stripe until the process is asked to stop."""
    await serve_app(create_app(clock, settings), host, port)


class StripeSandbox:
    """One account's world, the engine that moves it, and the doors to both."""

    def __init__(self, clock: Clock, settings: StripeSandboxSettings) -> None:
        self.clock, self.settings = clock, settings
        self.world = World(settings, Ids(settings.seed))
        self.faults = Faults()
        self.keys = Keys(settings.idempotency_kept_s)
        self.calls: deque[LoggedCall] = deque(maxlen=settings.request_log_size)
        self.postman = Postman(self.world, clock, self.faults)
        self.engine = Engine(self.world, clock, self.postman)
        self.api = Api(self.world, clock, self.keys, self.faults, self.calls, self.engine.wake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        with contextlib.suppress(ClientLeft):
            if scope["path"].startswith("/_sandbox"):
                await admin.answer(self, scope, receive, send)
            else:
                await self.api.answer(scope, receive, send)

    def reset(self, *, keep_webhook_endpoints: bool) -> None:
        """An empty account again; clock and settings stay."""
        self.faults.clear()
        self.keys.clear()
        self.calls.clear()
        self.world.clear(keep_webhook_endpoints=keep_webhook_endpoints)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            if self.settings.state_file:
                state_file.load(self.world, self.settings.state_file)
            await self.postman.open()
        except Exception as error:
            log.exception("the sandbox Stripe cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        running = asyncio.create_task(self.engine.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        await self.postman.close()
        if self.settings.state_file:
            state_file.save(self.world, self.settings.state_file)
        await send({"type": "lifespan.shutdown.complete"})
