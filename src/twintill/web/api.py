"""The frame of the REST API: `api_router` gives every route what all of them must have.

Errors are problems, every POST honours `Idempotency-Key` (see `idempotency`), and the OpenAPI page
knows both. Authors of routes write neither.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from twintill.errors import BadRequest
from twintill.web import idempotency
from twintill.web.auth import BEARER, Caller, authenticate, may

Reader = Annotated[Caller, Depends(may("read"))]
Collector = Annotated[Caller, Depends(may("collect"))]
Refunder = Annotated[Caller, Depends(may("refund"))]
Admin = Annotated[Caller, Depends(may("admin"))]


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
        known = _query_parameters(self.dependant)

        async def handle_once(request: Request) -> Response:
            await _refuse_unknown(request, known)
            if request.method != "POST":
                return await handle(request)
            return await idempotency.handle_once(request, handle)

        return handle_once


def _query_parameters(dependant: Dependant) -> set[str]:
    """Also those that its dependencies take."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*map(_query_parameters, dependant.dependencies))


async def _refuse_unknown(request: Request, known: set[str]) -> None:
    """A filter with a slip of the pen in its name would list everything."""
    unknown = next((name for name in request.query_params if name not in known), None)
    if unknown is not None:
        await authenticate(request)
        raise BadRequest(
            f"There is no query parameter {unknown!r:.100} here.",
            code="parameter_unknown",
            param=unknown[:100] or None,
        )


def api_router(tag: str) -> APIRouter:
    """`router = api_router("signups")`, then `@router.post("/v1/signups", status_code=201)`."""
    return APIRouter(
        route_class=ApiRoute,
        tags=[tag],
        dependencies=[Depends(BEARER)],
        responses={"default": {"description": "A problem; `openapi` says which may come."}},
    )
