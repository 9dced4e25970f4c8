"""The frame around every door: request ids, body limits, deadlines, headers, one error handler."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twintill.errors import TooLargeError, TwintillError
from twintill.flows.evidence import LARGEST_BYTES
from twintill.ids import new_id
from twintill.web import docs_page, health, openapi, problems, routes, webhooks
from twintill.web.doors import Doors

API_BODY_MAX = 64 * 1024
WEBHOOK_BODY_MAX = 1024 * 1024
BODY_DEADLINE_S = 10.0
_WEBHOOKS = "/webhooks/"

# Of pages that set none of their own; the checkout page does.
_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_log = structlog.get_logger(__name__)


def create_app(
    doors: AbstractAsyncContextManager[Doors], *, body_deadline_s: float = BODY_DEADLINE_S
) -> FastAPI:
    """All doors in one app; `doors` is entered when the server starts and left when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with doors as app.state.doors:
            yield

    app = Api(
        title="Twintill",
        version=version("twintill"),
        summary="Stripe bills; any processor collects; Twintill keeps the two in step.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for router in (*routes.ROUTERS, webhooks.router, health.router, docs_page.router):
        app.router.routes.extend(router.routes)  # as they are: including would make each anew
    for kind in (TwintillError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer_error)
    app.add_middleware(Frame, body_deadline_s=body_deadline_s)
    return app


class Api(FastAPI):
    """With a document that shows examples, problems and the events that are sent."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        if "webhooks" not in document:
            self.openapi_schema = document = openapi.complete(document)
        return document


async def _answer_error(request: Request, error: Exception) -> Any:
    return problems.answer(request, error)


class Frame:
    """Reads the whole body before the app runs: nothing behind it waits for a slow client."""

    def __init__(self, app: ASGIApp, body_deadline_s: float) -> None:
        self._app = app
        self._body_deadline_s = body_deadline_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = request_id = new_id("req")
        answered = _Answered(scope, send, request_id)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._serve(scope, receive, answered)
        finally:
            answered.log()
            structlog.contextvars.unbind_contextvars("request_id")

    async def _serve(self, scope: Scope, receive: Receive, answered: "_Answered") -> None:
        try:
            body = await _read_body(scope, receive, self._body_deadline_s)
            await self._app(scope, _already_read(body, receive), answered.send)
        except ClientDisconnect:
            return
        except Exception as error:
            if answered.status is not None:
                raise  # too late for another answer: cut the connection
            response = problems.answer(Request(scope), error)
            if isinstance(error, (TooLargeError, HTTPException)):
                response.headers["connection"] = "close"  # the rest of the body is not wanted
            await response(scope, receive, answered.send)


class _Answered:
    """Adds the headers of every answer, counts it, and logs one line about it."""

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self._scope, self._send, self._request_id = scope, send, request_id
        self._began = time.perf_counter()
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["request-id"] = self._request_id
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)

    def log(self) -> None:
        doors: Doors = self._scope["app"].state.doors
        method = self._scope["method"]
        doors.figures.requests.labels(method, str(self.status)).inc()
        _log.info(
            "request",
            method=method,
            path=_CAPABILITY.sub(r"\1…", self._scope["path"]),
            status=self.status,
            took_ms=round((time.perf_counter() - self._began) * 1000, 1),
        )


# Whoever knows a checkout's id may open its page: it does not belong into logs.
_CAPABILITY = re.compile(r"(chk_\w{4})\w+")


async def _read_body(scope: Scope, receive: Receive, deadline_s: float) -> bytes:
    limit = _limit(scope["path"])
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(deadline_s):
            return await _read_at_most(limit, receive)
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive in {deadline_s:g} s.") from None


def _limit(path: str) -> int:
    if path.startswith(_WEBHOOKS):
        return WEBHOOK_BODY_MAX
    return LARGEST_BYTES if _A_FILE.match(path) else API_BODY_MAX


_A_FILE = re.compile(r"/v1/hand_payments/[^/]+/evidence/[^/]+\Z")


async def _read_at_most(limit: int, receive: Receive) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body is larger than this door accepts ({limit} bytes).")


def _already_read(body: bytes, receive: Receive) -> Receive:
    """The body in one piece; what comes after it (the client leaving) comes from the server."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
