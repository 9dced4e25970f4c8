"""Runs a sandbox's ASGI app under uvicorn, as a process or inside a test on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn

POLL_S = 0.002
GRACE_S = 1


@contextlib.asynccontextmanager
async def running(app: Any, port: int = 0) -> AsyncIterator[str]:
    """Serves `app` inside this event loop and yields its base URL; afterwards it is gone."""
    listener = listen("127.0.0.1", port)
    server = _QuietServer(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _started(server, task)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        await task
        listener.close()


async def serve_app(app: Any, host: str, port: int) -> None:
    """Serves `app` until the process is asked to stop (SIGINT or SIGTERM)."""
    listener = listen(host, port)
    try:
        await uvicorn.Server(_config(app)).serve(sockets=[listener])
    finally:
        listener.close()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only a socket that says it is TCP gets TCP_NODELAY from asyncio; without it every answer
    # waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class _QuietServer(uvicorn.Server):
    """A guest in somebody's process: leaves its signal handlers alone, and stops at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's own, without its fixed pauses, which add up over hundreds of tests."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                # uvicorn says nothing when the last one goes.
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        for task in self.server_state.tasks:
            task.cancel()
        await self.lifespan.shutdown()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stopping.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def _config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        # A sandbox logs its own failures; uvicorn's tracebacks of cut connections are noise here.
        log_level="critical",
        lifespan="on",
        date_header=False,  # a sandbox has a clock of its own; whoever shows it says so
        timeout_graceful_shutdown=GRACE_S,
    )


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("the server stopped before it had started")
        await asyncio.sleep(POLL_S)
