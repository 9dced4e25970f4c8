"""A processor's stand-in over HTTP: its API, the customer's pages, `/_sandbox`, and bad lines."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from twintill.sandbox.processor.engine import Sandbox
from twintill.sandbox.processor.face import Call, Charging, Face, Reply
from twintill.sandbox.processor.magic import Line
from twintill.sandbox.processor.requests import Here, NeverAnswers, base_url


def router_of(face: Face) -> APIRouter:
    """Everything that is neither a page nor behind the stage is the API's, mistakes included."""
    router = APIRouter()

    async def answer(request: Request, sandbox: Here) -> Response:
        return await _answer(face, sandbox, await _call(request))

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    router.add_api_route("/{path:path}", answer, methods=methods, include_in_schema=False)
    return router


async def _call(request: Request) -> Call:
    return Call(
        method=request.method,
        path=urlsplit(str(request.url)).path,
        query=request.url.query,
        headers=dict(request.headers),
        body=await request.body(),
        base_url=base_url(request),
    )


async def _answer(face: Face, sandbox: Sandbox, call: Call) -> Response:
    charging = face.charging(call)
    line = Line.CLEAR if charging is None else _line(sandbox, charging)
    if charging is not None and line is Line.LOST_BEFORE and _gets_lost(sandbox, charging):
        return NeverAnswers()
    if charging is not None and line is Line.SLOW and charging.key not in face.busy:
        await _take_time(face, sandbox, charging)
    reply = face.serve(sandbox.world, call, await sandbox.catch_up())
    if not reply.replayed and line is Line.LOST_AFTER:
        return NeverAnswers()
    if not reply.replayed and line is Line.ERROR_AFTER:
        return _as_http(face.out_of_order())
    return _as_http(reply)


async def _take_time(face: Face, sandbox: Sandbox, charging: Charging) -> None:
    """Whoever comes with the same key meanwhile is told so."""
    face.busy.add(charging.key)
    try:
        await asyncio.sleep(sandbox.settings.slow_answer_s)
    finally:
        face.busy.discard(charging.key)


def _as_http(reply: Reply) -> Response:
    headers = dict(reply.headers)
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    if isinstance(reply.body, bytes):
        return Response(reply.body, reply.status, headers)
    return JSONResponse(reply.body, reply.status, headers)


def _line(sandbox: Sandbox, charging: Charging) -> Line:
    method = sandbox.world.methods.get(charging.token)
    return method.magic.line if method else Line.CLEAR


def _gets_lost(sandbox: Sandbox, charging: Charging) -> bool:
    """Once per key: the same request sent again arrives."""
    lost_keys = sandbox.world.method(charging.token).lost_keys
    if charging.key in lost_keys:
        return False
    lost_keys.add(charging.key)
    return True
