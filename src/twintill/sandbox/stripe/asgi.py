"""The few lines of ASGI that the sandbox needs: read a body, send JSON, cut a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientLeft(Exception):
    """In the middle of its request, which therefore was never made."""


async def read_body(receive: Receive) -> bytes:
    """The whole request body; raises ClientLeft when the rest of it will not come."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def send_json(
    send: Send, status: int, body: Any, headers: dict[str, str] | None = None
) -> None:
    raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    lines += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": raw})


async def hang(receive: Receive, limit_real_s: float) -> None:
    """Says nothing until the client has gone (or the limit is reached)."""
    try:
        async with asyncio.timeout(limit_real_s):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


async def cut(send: Send) -> None:
    """Breaks the connection: a reset where the server lets us, else half an answer."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
