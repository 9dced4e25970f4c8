"""What a caller is told when something goes wrong: application/problem+json, from one table.

Every error of the tree, of the framework and of the database passes `problem_of`. A stack trace,
a value of the input or a word of the database's own never leaves the house.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from twintill import errors
from twintill.store.database import is_away

MEDIA_TYPE = "application/problem+json"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer that is not a success; `detail` is a sentence for a person."""

    status: int
    code: str
    detail: str
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def body(self, request_id: str) -> dict[str, Any]:
        told = {
            "type": f"urn:twintill:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "param": self.param,
            "request_id": request_id,
        }
        return {**told, **self.more}


def answer(request: Request, error: Exception) -> JSONResponse:
    """The one handler of every error."""
    problem = problem_of(error)
    if problem.status == 500:
        _log.error("request_failed", exc_info=error)
    elif problem.status > 500:
        _log.warning("request_refused", code=problem.code, error=str(error))
    return to_response(request, problem)


def to_response(request: Request, problem: Problem) -> JSONResponse:
    body = problem.body(request.scope.get("request_id", ""))
    return JSONResponse(body, problem.status, dict(problem.headers), media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """What this error means to the caller."""
    match error:
        case errors.BadRequest():
            return Problem(_bad_request_status(error), error.code, str(error), error.param)
        case errors.Unauthorized():
            return _unauthorized(error)
        case errors.SignatureRefused():
            return Problem(400, "signature_refused", str(error))
        case errors.SignatureUnchecked():
            headers = {"Retry-After": "10"}
            return Problem(503, "signature_unchecked", str(error), headers=headers)
        case errors.StripeError():
            return _stripe(error)
        case errors.ProcessorUnreachable():
            return Problem(503, "processor_unreachable", str(error), headers={"Retry-After": "5"})
        case errors.ProcessorRefused():
            more = {"processor_code": error.code}
            return Problem(502, "processor_refused", str(error), more=more)
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _framework(error)
    if is_database_down(error):
        detail = "The database cannot be reached right now; nothing was changed. Try again."
        return Problem(503, "database_unavailable", detail, headers={"Retry-After": "1"})
    return Problem(500, "internal_error", "Something broke on our side; it has been logged.")


def is_database_down(error: BaseException) -> bool:
    """No connection, a lost one, or none free: to be tried again, unlike a bug of ours."""
    lost = (asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)
    full = (asyncpg.TooManyConnectionsError,)
    drivers = (asyncpg.InterfaceError, asyncpg.InternalClientError)
    return is_away(error) or isinstance(error, (*drivers, *lost, *full))


def _bad_request_status(error: errors.BadRequest) -> int:
    match error:
        case errors.NotFoundError():
            return 404
        case errors.ConflictError():
            return 409
        case errors.TooLargeError():
            return 413
    return 400


def _unauthorized(error: errors.Unauthorized) -> Problem:
    if isinstance(error, errors.Forbidden):
        return Problem(403, "forbidden", str(error))
    challenge = {"WWW-Authenticate": 'Bearer realm="twintill"'}
    return Problem(401, "unauthorized", str(error), headers=challenge)


def _stripe(error: errors.StripeError) -> Problem:
    more = {"stripe_code": error.code, "stripe_request_id": error.request_id}
    match error:
        case errors.StripeRefused():
            return Problem(400, "stripe_refused", f"Stripe refused: {error}", more=more)
        case errors.StripeThrottled():
            wait = {"Retry-After": "2"}
            detail = f"Stripe asks us to slow down: {error}"
            return Problem(503, "stripe_throttled", detail, headers=wait, more=more)
        case errors.StripeForbidden():
            detail = "Stripe refuses this installation's API key; its operator has to look."
            return Problem(502, "stripe_forbidden", detail, more=more)
    wait = {"Retry-After": "5"}
    return Problem(503, "stripe_unreachable", f"Stripe: {error}", headers=wait, more=more)


def _invalid(error: RequestValidationError) -> Problem:
    """Where and why, never the value: it may be a secret."""
    found = [{"param": _param(e["loc"]), "detail": _said(e)} for e in error.errors()]
    first = found[0] if found else {"param": None, "detail": "invalid"}
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return Problem(400, "invalid_json", "The body is not JSON that can be read.")
    detail = f"{first['param'] or 'body'}: {first['detail']}"
    return Problem(422, "invalid_request", detail, first["param"], more={"errors": found})


_SAID = {
    "extra_forbidden": "there is no such field here",
    "model_attributes_type": "a JSON object is wanted, with `Content-Type: application/json`",
}


def _said(error: Any) -> str:
    """Pydantic's words, where they are for people: ours say it without a prefix."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    return _SAID.get(error["type"], str(error["msg"]))


def _param(location: tuple[Any, ...]) -> str | None:
    """As a Stripe user writes it: items[0][price]."""
    first, *rest = [str(part) for part in location[1:]] or [""]
    return first + "".join(f"[{part}]" for part in rest) if first else None


_FRAMEWORK = {
    404: ("unknown_route", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    413: ("too_large", "The body is larger than this door accepts."),
}


def _framework(error: HTTPException) -> Problem:
    code, detail = _FRAMEWORK.get(error.status_code, ("http_error", str(error.detail)))
    return Problem(error.status_code, code, detail, headers=dict(error.headers or {}))
