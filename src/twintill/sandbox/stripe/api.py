"""The door to /v1: authentication, routing, idempotency, faults, and answers in Stripe's form."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twintill.sandbox.clock import Clock
from twintill.sandbox.stripe import (
    account,
    catalog,
    coupons,
    credit_notes,
    customers,
    invoice_items,
    invoice_lists,
    invoices,
    notifications,
    payment_methods,
    preview,
    subscriptions,
    test_clocks,
)
from twintill.sandbox.stripe.asgi import Receive, Scope, Send, cut, hang, read_body, send_json
from twintill.sandbox.stripe.calls import Call, Route
from twintill.sandbox.stripe.expand import expanded
from twintill.sandbox.stripe.faults import Fault, Faults
from twintill.sandbox.stripe.forms import decode_form, read_params
from twintill.sandbox.stripe.idempotency import Keys
from twintill.sandbox.stripe.notifications import check_version
from twintill.sandbox.stripe.refusal import Refusal
from twintill.sandbox.stripe.world import Moment, World

log = logging.getLogger(__name__)
MODULES = (
    account, catalog, coupons, credit_notes, customers, invoice_items,
    invoice_lists, invoices, notifications, payment_methods, preview, subscriptions, test_clocks,
)  # fmt: skip
ROUTES: list[Route] = [route for module in MODULES for route in module.ROUTES]
_ID = r"([^/]+)"


@dataclass(slots=True)
class LoggedCall:
    """One HTTP request to /v1, for tests that count calls."""

    request_id: str
    at: int
    method: str
    path: str
    params: dict[str, Any]
    idempotency_key: str | None
    api_version: str | None
    status: int | None = None
    replayed: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Any
    original_request: str | None = None


class Api:
    """Answers Stripe's calls; a handler runs without interruption, so each call is whole."""

    def __init__(
        self,
        world: World,
        clock: Clock,
        keys: Keys,
        faults: Faults,
        calls: deque[LoggedCall],
        wake_engine: Callable[[], None],
    ) -> None:
        self._world, self._clock, self._keys, self._faults = world, clock, keys, faults
        self._calls, self._wake_engine = calls, wake_engine
        self._routes = _Routes(ROUTES)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        at = int((await self._clock.now()).timestamp())
        method, path = scope["method"], scope["path"]
        text = body.decode("utf-8", "replace") if method == "POST" else ""
        text = text or scope["query_string"].decode()
        call = LoggedCall(
            request_id=self._world.ids.new("req"),
            at=at,
            method=method,
            path=path,
            params=_decode(text),
            idempotency_key=headers.get("idempotency-key") if method == "POST" else None,
            api_version=headers.get("stripe-version"),
        )
        self._calls.append(call)
        fault = self._faults.for_call(method, path)
        answer = await self._run(call, headers, fault, receive)
        if answer is None:
            await cut(send)
            return
        call.status, call.replayed = answer.status, answer.original_request is not None
        await send_json(send, answer.status, answer.body, _headers(call, answer))

    async def _run(
        self, call: LoggedCall, headers: dict[str, str], fault: Fault | None, receive: Receive
    ) -> _Answer | None:
        """The answer; None when the connection is to be cut instead of answered."""
        if fault is None:
            return self._perform(call, headers)
        call.fault = fault.kind
        if fault.kind == "delay":
            return await self._delayed(call, headers, fault)
        if fault.kind == "status":
            return self._with_status(call, headers, fault)
        if fault.kind.endswith("_after"):
            self._perform(call, headers)
        if fault.kind.startswith("timeout"):
            await hang(receive, self._world.settings.hang_limit_real_s)
        return None

    async def _delayed(self, call: LoggedCall, headers: dict[str, str], fault: Fault) -> _Answer:
        """While it waits, its idempotency key is in use."""
        key = call.idempotency_key
        if key is None:
            await asyncio.sleep(fault.delay_real_s)
            return self._perform(call, headers)
        try:
            kept = self._keys.begin(key, _fingerprint(call), call.at, call.request_id)
        except Refusal as refusal:
            return _Answer(refusal.status, refusal.body())
        await asyncio.sleep(fault.delay_real_s)
        if kept is None:
            self._keys.release(key)
        return self._perform(call, headers)

    def _with_status(self, call: LoggedCall, headers: dict[str, str], fault: Fault) -> _Answer:
        if fault.act:
            self._perform(call, headers)
        body = fault.body if fault.body is not None else _error_of(fault.code)
        if call.idempotency_key and fault.keeps_answer:
            self._keys.release(call.idempotency_key)
            self._keys.begin(call.idempotency_key, _fingerprint(call), call.at, call.request_id)
            self._keys.keep(call.idempotency_key, fault.code, body)
        return _Answer(fault.code, body)

    def _perform(self, call: LoggedCall, headers: dict[str, str]) -> _Answer:
        """The call's whole work, with its idempotency key."""
        key, begun = call.idempotency_key, False
        try:
            _authenticate(headers.get("authorization", ""))
            if call.api_version:
                check_version(call.api_version)
            if key:
                kept = self._keys.begin(key, _fingerprint(call), call.at, call.request_id)
                if kept is not None:
                    return _Answer(kept.status or 0, kept.body, kept.request_id)
                begun = True
            body = self._handle(call)
            answer, executed = _Answer(200, body), True
        except Refusal as refusal:
            answer, executed = _Answer(refusal.status, refusal.body()), refusal.executed
        except Exception:
            log.exception("the sandbox Stripe broke on %s %s", call.method, call.path)
            answer, executed = _Answer(500, _error_of(500)), True
        if key and begun:
            if executed:
                self._keys.keep(key, answer.status, json.loads(json.dumps(answer.body)))
            else:
                self._keys.release(key)
        if call.method != "GET":
            self._wake_engine()
        return answer

    def _handle(self, call: LoggedCall) -> Any:
        route, path_ids = self._routes.find(call.method, call.path)
        params = read_params(route.spec, call.params)
        moment = Moment(call.at, call.request_id, call.idempotency_key)
        result = route.handler(self._world, Call(call.path, params, moment, path_ids))
        return expanded(self._world, result, params.get("expand") or [])


class _Routes:
    """Finds a route: fixed paths by a table, those with ids by their patterns."""

    def __init__(self, routes: list[Route]) -> None:
        self._fixed = {(r.method, r.pattern): r for r in routes if "{}" not in r.pattern}
        self._patterns = [
            (r.method, re.compile(re.escape(r.pattern).replace(r"\{\}", _ID) + r"\Z"), r)
            for r in routes
            if "{}" in r.pattern
        ]

    def find(self, method: str, path: str) -> tuple[Route, tuple[str, ...]]:
        """The route and the ids in the path; a call that is not implemented is refused by name."""
        fixed = self._fixed.get((method, path))
        if fixed:
            return fixed, ()
        if not any(path == known for _, known in self._fixed) or path.count("/") > 3:
            for route_method, pattern, route in self._patterns:
                match = pattern.match(path) if route_method == method else None
                if match:
                    return route, match.groups()
        raise Refusal(
            f"the sandbox does not implement {method} {path}",
            status=501,
            type="api_error",
            executed=False,
        )


def _decode(text: str) -> dict[str, Any]:
    try:
        return decode_form(text)
    except Refusal:
        return {"": ""}  # refused as an unknown parameter once the route is known


def _authenticate(authorization: str) -> None:
    scheme, _, credentials = authorization.partition(" ")
    key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        message = "You did not provide an API key. Send it as: Authorization: Bearer sk_test_..."
    elif not key.startswith(("sk_", "rk_")):
        message = f"Invalid API Key provided: {key[:4]}***"
    elif "_live_" in key:
        message = "This is a sandbox: it takes no live keys. Use one that begins with sk_test_."
    else:
        return
    raise Refusal(message, status=401, executed=False)


def _fingerprint(call: LoggedCall) -> tuple[str, str, str]:
    return call.method, call.path, json.dumps(call.params, sort_keys=True)


def _headers(call: LoggedCall, answer: _Answer) -> dict[str, str]:
    headers = {"request-id": call.request_id}
    if call.api_version:
        headers["stripe-version"] = call.api_version
    if call.idempotency_key:
        headers["idempotency-key"] = call.idempotency_key
    if answer.original_request:
        headers["idempotent-replayed"] = "true"
        headers["original-request"] = answer.original_request
    return headers


def _error_of(code: int) -> dict[str, Any]:
    """The body that goes with an injected status."""
    error = {"type": "api_error", "message": "An unknown error occurred."}
    if code == 429:
        error = {
            "type": "invalid_request_error",
            "code": "rate_limit",
            "message": "Request rate limit exceeded.",
        }
    elif code == 403:
        error = {
            "type": "invalid_request_error",
            "message": "The provided key does not have the required permissions.",
        }
    elif code < 500:
        error = {"type": "invalid_request_error", "message": "The request was refused."}
    return {"error": error}
