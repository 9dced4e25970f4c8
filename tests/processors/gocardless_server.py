"""A server that answers what a test puts before it, in GoCardless's shapes, and keeps what came."""

import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response

from twintill.processors.gocardless import GoCardless
from twintill.sandbox.serve import running

Told = tuple[int, Any, Mapping[str, str]]


class Server:
    """Each answer of a path is given once; the last one again and again."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str, dict[str, str], Any, dict[str, str]]] = []
        self._told: dict[tuple[str, str], list[Told]] = defaultdict(list)

    def tell(
        self,
        method: str,
        path: str,
        status: int,
        body: Any,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._told[method, path].append((status, body, headers or {}))

    def sent(self, method: str, path: str) -> list[tuple[dict[str, str], Any, dict[str, str]]]:
        """The query, the body and the headers of each request of this kind."""
        return [(q, b, h) for m, p, q, b, h in self.came if (m, p) == (method, path)]

    async def answer(self, request: Request) -> Response:
        raw = await request.body()
        method, path = request.method, request.url.path
        query, headers = dict(request.query_params), dict(request.headers)
        self.came.append((method, path, query, json.loads(raw) if raw else None, headers))
        told = self._told[method, path]
        if not told:
            return Response(json.dumps(error(404, "invalid_api_usage", "resource_not_found")), 404)
        status, body, more = told.pop(0) if len(told) > 1 else told[0]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(content, status, dict(more), "application/json")


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, GoCardless]]:
    app, server = FastAPI(), Server()
    app.add_api_route(
        "/{path:path}", server.answer, methods=["GET", "POST"], include_in_schema=False
    )
    async with running(app) as url:
        processor = GoCardless("sandbox_token", ("secret",), "CR1", url)
        try:
            yield server, processor
        finally:
            await processor.aclose()


def error(status: int, kind: str, *reasons: str, **more: Any) -> dict[str, Any]:
    errors = [{"reason": reason, "message": reason.replace("_", " "), **more} for reason in reasons]
    return {
        "error": {
            "message": "It did not work",
            "documentation_url": "https://developer.gocardless.com/api-reference",
            "type": kind,
            "code": status,
            "request_id": "b0e48853-abcd-41fa-9554-5f71820e915d",
            "errors": errors,
        }
    }


def conflict(its_id: str) -> dict[str, Any]:
    links = {"conflicting_resource_id": its_id}
    return error(409, "invalid_state", "idempotent_creation_conflict", links=links)


def payment(status: str = "pending_submission", **fields: Any) -> dict[str, Any]:
    return {
        "id": "PM1",
        "created_at": "2026-03-01T12:00:00.000Z",
        "charge_date": "2026-03-05",
        "amount": 4900,
        "amount_refunded": 0,
        "currency": "EUR",
        "description": "Invoice in_1",
        "reference": None,
        "status": status,
        "retry_if_possible": False,
        "metadata": {"reference": "tw-1", "amount": "4900 EUR", "invoice": "in_1"},
        "links": {"mandate": "MD1", "creditor": "CR1"},
        **fields,
    }


def refund(status: str = "created", **fields: Any) -> dict[str, Any]:
    return {
        "id": "RF1",
        "created_at": "2026-03-09T12:00:00.000Z",
        "amount": 900,
        "currency": "EUR",
        "status": status,
        "reference": None,
        "metadata": {"reference": "tw-r1", "amount": "900 EUR", "payment": "PM1"},
        "links": {"payment": "PM1", "mandate": "MD1"},
        **fields,
    }


def happened(action: str, cause: str = "x", n: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"EV{n}",
        "created_at": f"2026-03-{n:02}T12:00:00.000Z",
        "resource_type": "payments",
        "action": action,
        "links": {"payment": "PM1"},
        "details": {"origin": "bank", "cause": cause, "description": "words"},
        "metadata": {},
        **fields,
    }


def page(what: str, *rows: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    return {what: list(rows), "meta": {"cursors": {"before": None, "after": after}, "limit": 500}}
