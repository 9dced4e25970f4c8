"""The frame: every answer has a request id, every failure is a problem, no body is too much."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.web.conftest import open_test_doors
from twintill import errors
from twintill.flows.means import Means
from twintill.sandbox import postgres
from twintill.web.frame import API_BODY_MAX, WEBHOOK_BODY_MAX, create_app


async def slices(size: int, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_every_answer_has_a_request_id_and_safe_headers(client: httpx.AsyncClient) -> None:
    first, second = await client.get("/healthz"), await client.get("/nowhere")
    assert first.headers["request-id"].startswith("req_")
    assert first.headers["request-id"] != second.headers["request-id"]
    assert second.json()["request_id"] == second.headers["request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in first.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "unknown_route"),
        ("GET", "/v1/payments/", 404, "unknown_route"),
        ("DELETE", "/v1/payments", 405, "method_not_allowed"),
        ("GET", "/v1/payments/pay_unknown", 404, "resource_missing"),
        ("GET", "/v1/invoices/in_unknown", 404, "resource_missing"),
        ("GET", "/v1/payments?limit=0", 422, "invalid_request"),
        ("GET", "/v1/payments?state=paid", 422, "invalid_request"),
        ("GET", "/v1/payments?created[gte]=yesterday", 422, "invalid_request"),
        ("GET", "/v1/payments?starting_after=pay_no", 400, "bad_request"),
        ("GET", "/v1/payments?starting_after=a&ending_before=b", 400, "bad_request"),
    ],
)
async def test_every_refusal_is_a_problem(
    api: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await api.request(method, path)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:twintill:problem:{code}"
    assert problem["title"]
    assert problem["detail"]


async def test_a_problem_names_the_parameter_and_never_its_value(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/payments?created[gte]=hunter2")
    assert answer.json()["param"] == "created[gte]"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"json": []}, "body: a JSON object is wanted, with `Content-Type: application/json`"),
        (
            {"content": b"{}"},
            "body: a JSON object is wanted, with `Content-Type: application/json`",
        ),
        ({"json": {"name": "x", "nmae": "y"}}, "nmae: there is no such field here"),
    ],
    ids=["a list", "no content type", "a slip of the pen"],
)
async def test_a_body_of_a_wrong_kind_is_told_what_is_wanted(
    api: httpx.AsyncClient, sent: dict[str, Any], said: str
) -> None:
    answer = await api.post("/v1/products", **sent)
    assert (answer.status_code, answer.json()["detail"]) == (422, said)


async def test_a_rule_of_several_fields_is_said_without_a_prefix(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/invoice_items", json={"customer": "cus_1"})
    assert answer.json()["detail"] == "body: give either an amount or a price"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.ConflictError("no", code="too_late"), 409, "too_late"),
        (errors.StripeRefused("No such price", code="resource_missing"), 400, "stripe_refused"),
        (errors.StripeUnreadable("silence"), 503, "stripe_unreachable"),
        (errors.StripeThrottled("slow down"), 503, "stripe_throttled"),
        (errors.StripeForbidden("bad key"), 502, "stripe_forbidden"),
        (errors.ProcessorUnreachable("silence"), 503, "processor_unreachable"),
        (errors.ProcessorRefused("no"), 502, "processor_refused"),
        (errors.BrokenInvariant("the books differ: hunter2"), 500, "internal_error"),
        (RuntimeError("hunter2"), 500, "internal_error"),
        (ConnectionRefusedError("hunter2"), 503, "database_unavailable"),
    ],
)
async def test_every_error_has_its_answer_and_tells_nothing_of_the_inside(
    app: FastAPI, client: httpx.AsyncClient, error: Exception, status: int, code: str
) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise error

    answer = await client.get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "hunter2" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/signups", API_BODY_MAX), ("/webhooks/stripe", WEBHOOK_BODY_MAX)]
)
async def test_too_large_a_body_is_refused_declared_or_not(
    api: httpx.AsyncClient, path: str, limit: int
) -> None:
    declared = await api.post(path, content=b"x" * (limit + 1))
    streamed = await api.post(path, content=slices(limit // 4 + 1, 4))
    fitting = await api.post(path, content=b"x" * limit)
    assert [a.status_code for a in (declared, streamed)] == [413, 413]
    assert declared.json()["code"] == "too_large"
    assert fitting.status_code != 413


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    means: Means,
) -> None:
    app = create_app(open_test_doors(means), body_deadline_s=0.05)
    async with app.router.lifespan_context(app):
        sent = await raw_request(app, [{"type": "http.request", "body": b"{", "more_body": True}])
    assert sent[0]["status"] == 408


async def test_a_client_that_leaves_is_not_answered(app: FastAPI) -> None:
    assert await raw_request(app, [{"type": "http.disconnect"}]) == []


async def test_when_the_database_goes_away_it_says_so_and_recovers(
    private_cluster: postgres.Cluster,
) -> None:
    from tests.postgres import migrate
    from tests.web.conftest import new_key, open_test_means

    migrate(private_cluster.url(role=postgres.OWNER))
    async with open_test_means(private_cluster.url()) as means:
        app = create_app(open_test_doors(means))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
        ):
            client.headers.update(await new_key(means, "read"))
            postgres.crash(private_cluster)
            down = [await client.get(p) for p in ("/v1/payments", "/readyz", "/healthz")]
            postgres.start(private_cluster.data_dir.parent, durable=False)
            up = [await client.get(p) for p in ("/v1/payments", "/readyz")]
    assert [a.status_code for a in down] == [503, 503, 200]
    assert down[0].json()["code"] == "database_unavailable"
    assert [a.status_code for a in up] == [200, 200]


async def raw_request(app: FastAPI, messages: list[dict[str, object]]) -> list[dict[str, object]]:
    """What the app sends to a client that says only these messages."""
    import asyncio

    sent: list[dict[str, object]] = []
    left = iter(messages)

    async def receive() -> dict[str, object]:
        for message in left:
            return message
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/signups",
        "raw_path": b"/v1/signups",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent
