"""The sandbox processor as one ASGI app, and how to serve it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from twintill.sandbox.clock import Clock
from twintill.sandbox.processor import admin, api, face_app, pages
from twintill.sandbox.processor.engine import Sandbox
from twintill.sandbox.processor.face import Face
from twintill.sandbox.processor.fault_middleware import App, FaultMiddleware
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.request_log import RequestLog
from twintill.sandbox.processor.settings import ProcessorSandboxSettings
from twintill.sandbox.serve import serve_app


def create_app(clock: Clock, settings: ProcessorSandboxSettings) -> App:
    """State lives in the app: another call makes another processor."""
    return _assemble(Sandbox(clock, settings), api.router)


def create_face_app(
    clock: Clock, settings: ProcessorSandboxSettings, face: Face, *more: APIRouter
) -> App:
    """A stand-in of a real processor: its face before the same engine, pages and stage.

    `more`: what only this one has behind the stage.
    """
    return _assemble(Sandbox(clock, settings, face), *more, face_app.router_of(face))


def _assemble(sandbox: Sandbox, *its_own: APIRouter) -> App:
    app = FastAPI(title=sandbox.world.dialect.name, lifespan=_lifespan)
    app.state.sandbox = sandbox
    for router in (admin.router, pages.router, *its_own):
        app.router.routes.extend(router.routes)  # as they are: including would make each anew
    app.add_exception_handler(Refusal, _refuse)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_unknown)
    app.state.request_log = RequestLog(FaultMiddleware(app, sandbox.faults))
    wrapped: App = app.state.request_log
    return wrapped


async def serve(host: str, port: int, clock: Clock, settings: ProcessorSandboxSettings) -> None:
    """Serves until the process is asked to stop."""
    await serve_app(create_app(clock, settings), host, port)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    sandbox: Sandbox = app.state.sandbox
    loop = asyncio.create_task(sandbox.run())
    yield
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await sandbox.deliveries.aclose()


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    wait = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return JSONResponse(error.to_json(), error.status, wait)


async def _refuse_invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:])
    refusal = Refusal(400, "invalid_request", f"{param or 'body'}: {first['msg']}", param=param)
    return JSONResponse(refusal.to_json(), refusal.status)


async def _refuse_unknown(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    where = f"{request.method} {request.url.path}"
    refusal = Refusal(error.status_code, "unknown_route", f"{error.detail}: {where}")
    return JSONResponse(refusal.to_json(), refusal.status)
