"""Plays the ordered faults on the wire: ASGI middleware around the whole app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from twintill.sandbox.processor.faults import Fault, Faults

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HANG_LIMIT_S = 120.0
_CONNECTION = "twintill.sandbox.connection"


class FaultMiddleware:
    """Everything except `/_sandbox/...` can be hit."""

    def __init__(self, app: App, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        remember_connection(scope, send)
        fault = self._faults.take_for_request(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._play(fault, scope, receive, send)

    async def _play(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind == "delay":
            await asyncio.sleep(fault.delay_real_s)
            await self._app(scope, receive, send)
            return
        if fault.acts:
            await self._app(scope, receive, _swallow)
        if fault.kind == "status":
            await _answer(fault, send)
        elif fault.kind.startswith("timeout"):
            await never_answer(scope, receive)
        else:
            await _reset(scope, receive)


def remember_connection(scope: Scope, send: Send) -> None:
    """Keeps uvicorn's transport in the scope: call it with the server's own, unwrapped `send`."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    scope.setdefault(_CONNECTION, transport)


async def never_answer(scope: Scope, receive: Receive, limit_s: float = HANG_LIMIT_S) -> None:
    """Keeps the client waiting until it leaves, at most `limit_s`; then the line is cut."""
    try:
        async with asyncio.timeout(limit_s):
            await _until_client_left(receive)
    except TimeoutError:
        await _reset(scope, receive)


async def _reset(scope: Scope, receive: Receive) -> None:
    transport = scope.get(_CONNECTION)
    if transport is None:
        raise RuntimeError("a connection can only be reset when uvicorn serves the sandbox")
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError, TypeError):
        # Lingering for 0 s makes the kernel send a reset instead of an orderly end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _until_client_left(receive)


async def _until_client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(fault: Fault, send: Send) -> None:
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    body = b"" if fault.body is None else text.encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **fault.headers,
    }
    raw_headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.code, "headers": raw_headers})
    await send({"type": "http.response.body", "body": body})


async def _swallow(message: Message) -> None:
    """The sandbox acted; nobody hears the answer."""
