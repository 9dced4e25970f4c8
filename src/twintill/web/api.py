"""The frame of the REST API: `api_router` gives every route what all of them must have.

Errors are problems, every POST honours `Idempotency-Key` (see `idempotency`), and the OpenAPI page
knows both. Authors of routes write neither.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from twintill.web import idempotency
from twintill.web.auth import BEARER, Caller, may
from twintill.web.problems import MEDIA_TYPE

Reader = Annotated[Caller, Depends(may("read"))]
Collector = Annotated[Caller, Depends(may("collect"))]
Admin = Annotated[Caller, Depends(may("admin"))]


class ProblemShape(BaseModel):
    """RFC 9457, with Stripe's `code` and `param`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    param: str | None
    request_id: str


_PROBLEM = {
    "description": "A problem: `code` for programs, `detail` for people.",
    "model": ProblemShape,
    "content": {
        MEDIA_TYPE: {
            "example": {
                "type": "urn:twintill:problem:resource_missing",
                "title": "Not Found",
                "status": 404,
                "detail": "No such payment: pay_123",
                "code": "resource_missing",
                "param": "payment",
                "request_id": "req_4Yk9n2",
            }
        }
    },
}


_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same request again gets the first answer, and has no second effect.",
}


class ApiRoute(APIRoute):
    """A route whose POSTs answer a repetition with the first answer."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            extra = dict(options.get("openapi_extra") or {})
            given = [p for p in extra.get("parameters", ()) if p != _IDEMPOTENCY_KEY]
            options["openapi_extra"] = extra | {"parameters": [*given, _IDEMPOTENCY_KEY]}
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_once(request: Request) -> Response:
            if request.method != "POST":
                return await handle(request)
            return await idempotency.handle_once(request, handle)

        return handle_once


def api_router(tag: str) -> APIRouter:
    """`router = api_router("signups")`, then `@router.post("/v1/signups", status_code=201)`."""
    return APIRouter(
        route_class=ApiRoute,
        tags=[tag],
        dependencies=[Depends(BEARER)],
        responses={"default": _PROBLEM},
    )
