"""Remembers every call of the API, so that a test can count what was really sent."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from twintill.sandbox.processor.fault_middleware import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    remember_connection,
)

LOG_LIMIT = 10_000
_NOT_THE_API = ("/_sandbox", "/setup/", "/actions/")
_KEYS = (b"idempotency-key", b"paypal-request-id")


@dataclass(slots=True)
class LoggedRequest:
    method: str
    path: str
    query: str
    idempotency_key: str | None
    body: Any = None
    status: int | None = None  # None: nothing was answered


class RequestLog:
    """ASGI middleware around everything, the faults included; `/_sandbox` and pages stay out."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._requests: deque[LoggedRequest] = deque(maxlen=LOG_LIMIT)

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(request) for request in self._requests]

    def forget(self) -> None:
        self._requests.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_NOT_THE_API):
            await self._app(scope, receive, send)
            return
        remember_connection(scope, send)
        logged, chunks = _begin(scope), bytearray()
        self._requests.append(logged)

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                chunks.extend(message.get("body", b""))
                logged.body = _readable(bytes(chunks))
            return message

        async def speak(message: Message) -> None:
            if message["type"] == "http.response.start":
                logged.status = message["status"]
            await send(message)

        await self._app(scope, listen, speak)


def _begin(scope: Scope) -> LoggedRequest:
    headers = dict(scope["headers"])
    key = next((headers[name] for name in _KEYS if name in headers), None)
    query = scope["query_string"].decode("latin-1")
    return LoggedRequest(
        scope["method"], scope["path"], query, key.decode("latin-1") if key is not None else None
    )


def _readable(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")
