"""What each failure of a call to Stripe means, and that nothing else ever comes out."""

from typing import Any

import httpx
import pytest
import respx

from tests.stripe_billing.conftest import INSTALLATION, Sandbox
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.errors import (
    StripeError,
    StripeForbidden,
    StripeRefused,
    StripeThrottled,
    StripeUnreadable,
)
from twintill.stripe_billing.gateway import Gateway, open_gateway

URL = "https://stripe.test"
INVOICE: dict[str, Any] = {
    "id": "in_1",
    "object": "invoice",
    "livemode": False,
    "status": "open",
    "currency": "eur",
    "amount_due": 100,
    "amount_paid": 0,
    "amount_remaining": 100,
    "collection_method": "send_invoice",
    "payments": {"object": "list", "data": [], "has_more": False},
}


async def read(answer: httpx.Response | Exception, **gateway: Any) -> InvoiceLook:
    """One read of an invoice that is answered so."""
    given = {"retries": 0, **gateway}
    opened = open_gateway("sk_test_1", URL, INSTALLATION, False, **given)
    with respx.mock() as mock:
        mock.get(f"{URL}/v1/invoices/in_1").mock(side_effect=[answer])
        try:
            return await opened.read_invoice("in_1")
        finally:
            await opened.aclose()


def refusal(status: int, code: str | None = None, type_: str = "invalid_request_error") -> Any:
    error = {"type": type_, "code": code, "message": "No.\nNever."}
    return httpx.Response(status, json={"error": error}, headers={"Request-Id": "req_1"})


def shown(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json=INVOICE | changes)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal(400), StripeRefused, None),
        (refusal(400, "parameter_missing"), StripeRefused, "parameter_missing"),
        (refusal(400, None, "idempotency_error"), StripeRefused, "idempotency_error"),
        (refusal(404, "resource_missing"), StripeRefused, "resource_missing"),
        (refusal(402, "card_declined", "card_error"), StripeRefused, "card_declined"),
        (refusal(401), StripeForbidden, None),
        (refusal(403, "more_permissions_required"), StripeForbidden, "more_permissions_required"),
        (refusal(429, "lock_timeout"), StripeThrottled, "lock_timeout"),
        (refusal(429, "rate_limit"), StripeThrottled, "rate_limit"),
        (refusal(400, "rate_limit"), StripeThrottled, "rate_limit"),
        (refusal(409, "idempotency_key_in_use", "idempotency_error"), StripeThrottled,
         "idempotency_key_in_use"),
        (refusal(500, None, "api_error"), StripeUnreadable, None),
        (refusal(503), StripeUnreadable, None),
        (refusal(501), StripeUnreadable, None),
        (refusal(418), StripeUnreadable, None),
    ],
)  # fmt: skip
async def test_an_answer_of_stripes_is_told_apart_by_status(
    answer: httpx.Response, kind: type[StripeError], code: str | None
) -> None:
    with pytest.raises(StripeError) as raised:
        await read(answer)
    assert (type(raised.value), raised.value.code) == (kind, code)
    assert (str(raised.value), raised.value.request_id) == ("No. Never.", "req_1")


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.WriteError("cut"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("garbage"),
        httpx.PoolTimeout("busy"),
        RuntimeError("event loop is closed"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_no_answer_is_unreadable(failure: Exception) -> None:
    with pytest.raises(StripeUnreadable):
        await read(failure)


@pytest.mark.parametrize("status", [200, 302, 400, 403, 404, 429, 502])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"\xff",
        b"[]",
        b'"in_1"',
        b"null",
        b'{"error": "no"}',
        b'{"error": null}',
        b"{}",
        b"[" * 100_000,
        b'{"a":' * 900 + b"1" + b"}" * 900,
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_stripe_cannot_have_said_is_unreadable(status: int, body: bytes) -> None:
    with pytest.raises(StripeUnreadable):
        await read(httpx.Response(status, content=body))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "folded"},
        {"status": None},
        {"amount_remaining": None},
        {"amount_remaining": "100"},
        {"amount_remaining": 1.5},
        {"currency": None},
        {"collection_method": None},
        {"payments": None},
        {"payments": {"data": [{"status": "open"}], "has_more": False}},
        {"due_date": "soon"},
        {"metadata": {"a": 1}},
    ],
    ids=repr,
)
async def test_an_invoice_in_a_shape_that_we_do_not_know_is_unreadable(
    change: dict[str, Any],
) -> None:
    with pytest.raises(StripeUnreadable):
        await read(shown(**change))


async def test_an_object_of_the_other_mode_means_a_wrong_key() -> None:
    with pytest.raises(StripeForbidden, match="live mode"):
        await read(shown(livemode=True))


async def test_a_deleted_invoice_is_a_look_like_any_other() -> None:
    stub = {"id": "in_1", "object": "invoice", "deleted": True}
    look = await read(httpx.Response(200, json=stub))
    assert (look.status, look.closed) == (InvoiceStatus.DELETED, True)


async def test_a_key_is_kept_over_all_retries_of_a_call(sandbox: Sandbox) -> None:
    await sandbox.break_next("POST", "/v1/customers$", "reset_before", times=2)
    gateway = open_gateway("sk_test_1", f"{sandbox.url}/", INSTALLATION, False)
    await gateway.create_customer(None, None, {}, "op", "our_key")
    await gateway.aclose()
    assert [r["idempotency_key"] for r in await sandbox.requests()] == ["our_key"] * 3


async def test_a_lost_answer_is_read_by_the_retry(sandbox: Sandbox, gateway: Gateway) -> None:
    await sandbox.break_next("POST", "/v1/customers$", "reset_after")
    made = await gateway.create_customer(None, None, {}, "op", "our_key")
    assert made == await gateway.create_customer(None, None, {}, "op", "our_key")


async def test_a_call_ends_at_its_read_timeout(sandbox: Sandbox) -> None:
    await sandbox.break_next("GET", "/v1/account$", "timeout_before")
    gateway = open_gateway(
        "sk_test_1", sandbox.url, INSTALLATION, False, read_timeout_s=0.1, retries=0
    )
    with pytest.raises(StripeUnreadable):
        await gateway.account_id()
    await gateway.aclose()


async def test_a_call_ends_at_its_deadline_whatever_the_retries(sandbox: Sandbox) -> None:
    await sandbox.break_next("GET", "/v1/account$", "timeout_before", times=9)
    gateway = open_gateway("sk_test_1", sandbox.url, INSTALLATION, False, deadline_s=0.2)
    with pytest.raises(StripeUnreadable, match=r"within 0\.2 s"):
        await gateway.account_id()
    await gateway.aclose()


async def test_nothing_about_this_machine_is_sent(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.get(f"{URL}/v1/account").respond(
        json={"id": "acct_1", "object": "account"}, headers={"Request-Id": "req_1"}
    )
    gateway = open_gateway("sk_test_1", URL, INSTALLATION, False)
    for _ in range(2):
        assert await gateway.account_id() == "acct_1"
    await gateway.aclose()
    headers = route.calls.last.request.headers
    assert "x-stripe-client-telemetry" not in headers
    assert "telemetry_id" not in headers["x-stripe-client-user-agent"]
    assert "platform" not in headers["x-stripe-client-user-agent"]


async def test_an_account_without_an_id_is_unreadable(respx_mock: respx.MockRouter) -> None:
    respx_mock.get(f"{URL}/v1/account").respond(json={"object": "account"})
    gateway = open_gateway("sk_test_1", URL, INSTALLATION, False)
    with pytest.raises(StripeUnreadable):
        await gateway.account_id()
    await gateway.aclose()


async def test_payments_beyond_the_first_page_are_read_too(respx_mock: respx.MockRouter) -> None:
    respx_mock.get(f"{URL}/v1/invoices/in_1").mock(
        return_value=shown(payments={"object": "list", "data": [], "has_more": True})
    )
    debit = {
        "id": "inpay_1",
        "object": "invoice_payment",
        "status": "open",
        "payment": {"type": "payment_intent", "payment_intent": {"status": "processing"}},
    }
    pages = [
        {"object": "list", "data": [debit], "has_more": True},
        {"object": "list", "data": [], "has_more": False},
    ]
    listed = respx_mock.get(f"{URL}/v1/invoice_payments").mock(
        side_effect=[httpx.Response(200, json=page) for page in pages]
    )
    gateway = open_gateway("sk_test_1", URL, INSTALLATION, False)
    look = await gateway.read_invoice("in_1")
    await gateway.aclose()
    assert look.stripe_payment is StripePayment.PROCESSING
    assert listed.calls.last.request.url.params["starting_after"] == "inpay_1"


def test_an_installation_id_that_could_not_be_read_back_opens_no_gateway() -> None:
    with pytest.raises(ValueError, match="installation id"):
        open_gateway("sk_test_1", None, "Installation", False)
