"""Who may ask, how, how often; and lines that break."""

import asyncio

import httpx
import pytest

from tests.sandbox.gocardless.merchant import Merchant, error_of, reason_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_wrong_token_is_not_found(merchant: Merchant) -> None:
    answer = await merchant.http.get("/payments", headers={"Authorization": "Bearer wrong"})
    assert reason_of(answer) == (401, "invalid_api_usage", "access_token_not_found")
    await merchant.behind("account", token_is_revoked=True)
    answer = await merchant.http.get("/payments")
    assert reason_of(answer) == (401, "invalid_api_usage", "access_token_not_active")


async def test_the_version_is_required(merchant: Merchant) -> None:
    answer = await merchant.http.get("/payments", headers={"GoCardless-Version": "2014-01-01"})
    assert reason_of(answer) == (400, "invalid_api_usage", "version_not_found")
    del merchant.http.headers["GoCardless-Version"]
    answer = await merchant.http.get("/payments")
    merchant.http.headers["GoCardless-Version"] = "2015-07-06"
    assert reason_of(answer) == (400, "invalid_api_usage", "missing_version_header")


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"{", "application/json", (400, "bad_request")),
        (b"[]", "application/json", (400, "invalid_document_structure")),
        (b'{"payment": {}}', "application/json", (400, "invalid_document_structure")),
        (b'{"payments": {}}', "text/plain", (415, "invalid_content_type")),
    ],
)
async def test_a_body_must_be_the_resource(
    merchant: Merchant, body: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": content_type}
    answer = await merchant.http.post("/payments", content=body, headers=headers)
    status, kind, reason = reason_of(answer)
    assert (status, reason, kind) == (*expected, "invalid_api_usage")


@pytest.mark.parametrize(
    "path", ["/payments/PM0", "/mandates/MD0", "/refunds/RF0", "/events/EV0", "/payouts/PO0", "/x"]
)
async def test_what_is_not_there_is_not_found(merchant: Merchant, path: str) -> None:
    answer = await merchant.http.get(path)
    assert reason_of(answer) == (404, "invalid_api_usage", "resource_not_found")


async def test_every_answer_says_how_many_requests_are_left(merchant: Merchant) -> None:
    headers = (await merchant.http.get("/payments")).headers
    assert headers["ratelimit-limit"] == "1000"
    assert int(headers["ratelimit-remaining"]) < 1000
    await merchant.behind("account", requests_a_minute=1)
    answers = [await merchant.http.get("/payments") for _ in range(3)]
    assert reason_of(answers[-1]) == (429, "invalid_api_usage", "rate_limit_exceeded")
    assert answers[-1].headers["ratelimit-remaining"] == "0"
    await merchant.pass_days(1)
    assert (await merchant.http.get("/payments")).status_code == 200


async def test_an_account_without_direct_debit_or_the_currency(merchant: Merchant) -> None:
    await merchant.behind("account", currencies=["EUR"])
    answer = await merchant.ask("billing_requests", mandate_request={"currency": "GBP"})
    assert reason_of(answer) == (422, "validation_failed", "mandate_request.currency")
    await merchant.behind("account", direct_debit_is_enabled=False)
    answer = await merchant.ask("billing_requests", mandate_request={"currency": "EUR"})
    assert reason_of(answer) == (403, "invalid_api_usage", "forbidden")


async def test_a_lost_answer_is_found_by_the_same_key(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate("debit_answer_lost"))
    with pytest.raises(httpx.ReadTimeout):
        await _impatiently(merchant, "key-1", order)
    (made,) = (await merchant.get("/payments"))["payments"]
    again = await merchant.ask("payments", "key-1", **order)
    links = error_of(again)["errors"][0]["links"]
    assert links == {"conflicting_resource_id": made["id"]}


async def test_a_lost_request_never_acted(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate("debit_request_lost"))
    with pytest.raises(httpx.ReadTimeout):
        await _impatiently(merchant, "key-1", order)
    assert (await merchant.get("/payments"))["payments"] == []
    await merchant.make("payments", "key-1", **order)


async def test_an_error_may_hide_a_payment(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate("debit_error"))
    answer = await merchant.ask("payments", "key-1", **order)
    assert reason_of(answer) == (500, "gocardless", "internal_server_error")
    assert len((await merchant.get("/payments"))["payments"]) == 1


async def test_two_at_once_under_one_key_make_one_payment(merchant: Merchant) -> None:
    order = merchant.order(await merchant.mandate("debit_slow"))
    answers = await asyncio.gather(*(merchant.ask("payments", "key-1", **order) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len((await merchant.get("/payments"))["payments"]) == 1


async def test_ordered_faults_hit_the_api(merchant: Merchant) -> None:
    match = {"path_regex": "^/payments"}
    await merchant.behind("faults", kind="status", code=503, match=match)
    assert (await merchant.http.get("/payments")).status_code == 503
    assert (await merchant.http.get("/payments")).status_code == 200


async def test_a_webhook_that_is_refused_comes_again(merchant: Merchant) -> None:
    mandate = await merchant.mandate()
    await merchant.behind("tick")
    merchant.door.requests.clear()
    merchant.door.answers += [498]
    await merchant.act(f"mandates/{mandate}", "cancel")
    while len(merchant.door.requests) < 2:
        await merchant.behind("tick")
    first, second = merchant.door.requests
    assert first == second


async def _impatiently(merchant: Merchant, key: str, order: dict[str, object]) -> None:
    headers = {"Idempotency-Key": key}
    await merchant.http.post("/payments", json={"payments": order}, headers=headers, timeout=0.2)
