"""What a request brings along: the sandbox it is for, its key, its body, and the time."""

from __future__ import annotations

import hmac
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from twintill.sandbox.processor.engine import Sandbox
from twintill.sandbox.processor.fault_middleware import Receive, Scope, Send, never_answer
from twintill.sandbox.processor.idempotency import Answer
from twintill.sandbox.processor.refusals import Refusal


def sandbox_of(request: Request) -> Sandbox:
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


async def _here(request: Request) -> Sandbox:
    # Dependencies that are not async are run in threads, each at the price of a whole request.
    return sandbox_of(request)


async def require_key(
    request: Request, authorization: Annotated[str | None, Header()] = None
) -> None:
    expected = f"Bearer {sandbox_of(request).settings.api_key}"
    if not hmac.compare_digest((authorization or "").encode(), expected.encode()):
        raise Refusal(401, "unauthorized", "Send the API key as a bearer token.")


def base_url(request: Request) -> str:
    """How a browser reaches this sandbox."""
    settings = sandbox_of(request).settings
    return (settings.public_url or str(request.base_url)).rstrip("/")


async def fingerprint(request: Request) -> bytes:
    """What must be the same when an idempotency key comes a second time."""
    return f"{request.method} {request.url.path}\n".encode() + await request.body()


Here = Annotated[Sandbox, Depends(_here)]
Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,35}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class Body(BaseModel):
    """A JSON body; a field that is not known is a mistake of the caller's."""

    model_config = ConfigDict(extra="forbid")


class SetupBody(Body):
    customer_reference: Annotated[str, Field(min_length=1, max_length=128)]
    return_url: Url
    cancel_url: Url
    currency: Currency
    description: Annotated[str, Field(max_length=255)] = ""


class ChargeBody(Body):
    reference: Reference
    amount: StrictInt
    currency: Currency
    token: Annotated[str, Field(min_length=1, max_length=128)]
    customer: Annotated[str, Field(min_length=1, max_length=128)]
    description: Annotated[str, Field(max_length=255)] = ""
    metadata: Annotated[dict[str, str], Field(max_length=10)] = Field(default_factory=dict)


class RefundBody(Body):
    amount: StrictInt | None = None
    reference: Reference | None = None


class NeverAnswers(Response):
    """The line is dead: the client hears nothing until it gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await never_answer(scope, receive)


def respond(answer: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answer.replayed else None
    return JSONResponse(answer.body, answer.status, headers)


def page_of(rows: list[Any], after: str | None, limit: int) -> dict[str, Any]:
    """One page, beginning behind the row with the id `after`."""
    start = 0
    if after is not None:
        ids = [row.id for row in rows]
        if after not in ids:
            raise Refusal(400, "invalid_request", f"after: no such row here: {after}")
        start = ids.index(after) + 1
    chosen = rows[start : start + limit]
    has_more = start + limit < len(rows)
    return {
        "object": "list",
        "data": [row.to_json() for row in chosen],
        "has_more": has_more,
        "next": chosen[-1].id if has_more else None,
    }
