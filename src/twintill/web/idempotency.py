"""`Idempotency-Key` on a POST: the same request again gets the first answer, byte by byte.

The key belongs to the API key that sent it. What is stored is an answer of a request that was
really worked on, also an error of the caller's; never a 5xx, never a refused credential. A process
that dies in the middle leaves a lock that ends by itself; the repetition derives the same ids.
"""

import dataclasses
import hashlib
from collections.abc import Awaitable, Callable

from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from twintill.errors import BadRequest
from twintill.store import api_requests
from twintill.store.api_requests import Claimed, InFlight, OtherRequest, Replay
from twintill.web import problems
from twintill.web.auth import Caller, authenticate
from twintill.web.doors import the_means

HEADER = "idempotency-key"
_LONGEST_KEY = 255
Handler = Callable[[Request], Awaitable[Response]]


async def handle_once(request: Request, handle: Handler) -> Response:
    """Work on it, or answer as before."""
    key = request.headers.get(HEADER)
    if key is None:
        return await handle(request)
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise BadRequest(
            f"Idempotency-Key must have 1 to {_LONGEST_KEY} printable characters.",
            code="idempotency_key_invalid",
        )
    caller = await authenticate(request)
    fingerprint = await _fingerprint(request)
    async with the_means(request).database.begin() as db:
        found = await api_requests.claim(db, caller.scope, caller.api_key_id, key, fingerprint)
    match found:
        case Replay(status, body):
            return _replay(status, body)
        case OtherRequest():
            return problems.to_response(request, _OTHER_REQUEST)
        case InFlight():
            return problems.to_response(request, _IN_FLIGHT)
        case Claimed():
            return await _work(request, handle, caller, found)


def keep_instead(request: Request, answer: bytes) -> None:
    """What a repetition gets: for an answer with a secret, which is shown once and not stored."""
    request.state.kept_answer = answer


async def _work(request: Request, handle: Handler, caller: Caller, claimed: Claimed) -> Response:
    request.state.caller = dataclasses.replace(
        caller, idempotency_key=claimed.key, first_asked_at=claimed.first_asked_at
    )
    database = the_means(request).database
    try:
        response = await handle(request)
    except RequestValidationError:
        # Not worked on at all: the key is free for the corrected request.
        async with database.begin() as db:
            await api_requests.forget(db, claimed)
        raise
    except Exception as error:  # noqa: BLE001 -- an error is an answer too
        response = problems.answer(request, error)
    async with database.begin() as db:
        if response.status_code >= 500 or response.status_code in (401, 403):
            await api_requests.release(db, claimed)
        else:
            body = getattr(request.state, "kept_answer", bytes(response.body))
            await api_requests.finish(db, claimed, response.status_code, body)
    return response


async def _fingerprint(request: Request) -> bytes:
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return digest.digest()


def _replay(status: int, body: bytes) -> Response:
    media_type = problems.MEDIA_TYPE if status >= 400 else "application/json"
    return Response(body, status, {"Idempotent-Replayed": "true"}, media_type)


_OTHER_REQUEST = problems.Problem(
    422,
    "idempotency_key_reused",
    "This Idempotency-Key was used for another request: path or body differ.",
    param="Idempotency-Key",
)
_IN_FLIGHT = problems.Problem(
    409,
    "idempotency_key_in_use",
    "A request with this Idempotency-Key is still being worked on.",
    param="Idempotency-Key",
    headers={"Retry-After": "1"},
)
