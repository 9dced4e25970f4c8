"""Set-ups and mandates at GoCardless, over real HTTP."""

from collections.abc import AsyncIterator

import pytest

from tests.processors.gocardless_server import (
    Server,
    conflict,
    error,
    serving,
)
from twintill.errors import ProcessorRefused, ProcessorUnreachable
from twintill.processors import (
    MethodStatus,
    SetupRequest,
    SetupStatus,
    StoredMethod,
)
from twintill.processors.gocardless import GoCardless

METHOD = StoredMethod("CU1", "MD1", "bank_debit")


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Server, GoCardless]]:
    async with serving() as both:
        yield both


SETUP = SetupRequest("chk_1:0", "cus_1", "https://a.test/return", "https://a.test/", "EUR", "Gold")
BRQ = {"id": "BRQ1", "status": "pending", "links": {}}
FLOW = {
    "id": "BRF1",
    "authorisation_url": "https://pay.gocardless.com/billing/static/flow?id=BRF1",
    "expires_at": "2026-03-08T12:00:00.000Z",
    "links": {"billing_request": "BRQ1"},
}


async def test_a_set_up_asks_for_a_mandate_on_its_page(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    server.tell("POST", "/billing_requests", 201, {"billing_requests": BRQ})
    server.tell("POST", "/billing_request_flows", 201, {"billing_request_flows": FLOW})
    session = await processor.start_setup(SETUP)
    assert (session.session_id, session.url) == ("BRQ1", FLOW["authorisation_url"])
    [(_, asked, headers)] = server.sent("POST", "/billing_requests")
    assert headers["idempotency-key"] == "chk_1:0"
    assert asked["billing_requests"]["mandate_request"]["scheme"] == "sepa_core"
    assert asked["billing_requests"]["links"] == {"creditor": "CR1"}
    [(_, flow, _)] = server.sent("POST", "/billing_request_flows")
    assert flow["billing_request_flows"]["auto_fulfil"] is True
    assert flow["billing_request_flows"]["redirect_uri"] == SETUP.return_url


async def test_the_same_key_comes_to_the_same_set_up(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    server.tell("POST", "/billing_requests", 409, conflict("BRQ1"))
    server.tell("POST", "/billing_request_flows", 201, {"billing_request_flows": FLOW})
    assert (await processor.start_setup(SETUP)).session_id == "BRQ1"


async def test_a_set_up_that_is_not_possible_says_why(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    with pytest.raises(ProcessorRefused, match="collects no CHF"):
        await processor.start_setup(SetupRequest("k", "c", "https://a", "https://b", "CHF", "x"))
    told = error(403, "invalid_api_usage", "feature_disabled")
    server.tell("POST", "/billing_requests", 403, told)
    with pytest.raises(ProcessorRefused, match="support to enable it"):
        await processor.start_setup(SETUP)


async def test_a_fulfilled_set_up_is_complete_whoever_comes_back(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    links = {"customer": "CU1", "mandate_request_mandate": "MD1"}
    fulfilled = {**BRQ, "status": "fulfilled", "links": links}
    server.tell("GET", "/billing_requests/BRQ1", 200, {"billing_requests": fulfilled})
    its = {"customer": "CU1", "customer_bank_account": "BA1"}
    mandate = {"id": "MD1", "status": "pending_submission", "scheme": "sepa_core", "links": its}
    server.tell("GET", "/mandates/MD1", 200, {"mandates": mandate})
    account = {"id": "BA1", "bank_name": "Deutsche Bank", "account_number_ending": "00"}
    server.tell("GET", "/customer_bank_accounts/BA1", 200, {"customer_bank_accounts": account})
    result = await processor.get_setup("BRQ1")
    assert (result.status, result.method) == (SetupStatus.COMPLETE, METHOD)
    assert result.display == {"scheme": "sepa_core", "bank": "Deutsche Bank", "last4": "00"}
    assert (await processor.get_method(METHOD)).status is MethodStatus.ACTIVE


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("pending", SetupStatus.OPEN),
        ("ready_to_fulfil", SetupStatus.OPEN),
        ("fulfilling", SetupStatus.OPEN),
        ("cancelled", SetupStatus.CANCELED),
    ],
)
async def test_a_set_up_that_is_not_complete(
    stage: tuple[Server, GoCardless], told: str, status: SetupStatus
) -> None:
    server, processor = stage
    server.tell("GET", "/billing_requests/BRQ1", 200, {"billing_requests": {**BRQ, "status": told}})
    assert (await processor.get_setup("BRQ1")).status is status


async def test_an_unknown_set_up_is_refused_and_dropped(stage: tuple[Server, GoCardless]) -> None:
    _, processor = stage
    with pytest.raises(ProcessorRefused) as refused:
        await processor.get_setup("BRQ1")
    assert refused.value.code == "not_found"
    await processor.cancel_setup("BRQ1")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("active", MethodStatus.ACTIVE),
        ("submitted", MethodStatus.ACTIVE),
        ("cancelled", MethodStatus.REVOKED),
        ("suspended_by_payer", MethodStatus.REVOKED),
        ("failed", MethodStatus.BLOCKED),
        ("blocked", MethodStatus.BLOCKED),
        ("expired", MethodStatus.EXPIRED),
        ("consumed", MethodStatus.EXPIRED),
    ],
)
async def test_what_a_mandate_is_now(
    stage: tuple[Server, GoCardless], told: str, status: MethodStatus
) -> None:
    server, processor = stage
    mandate = {"id": "MD1", "status": told, "scheme": "bacs", "links": {}}
    server.tell("GET", "/mandates/MD1", 200, {"mandates": mandate})
    assert (await processor.get_method(METHOD)).status is status


async def test_no_answer_is_never_a_mandate_that_is_gone(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    assert (await processor.get_method(METHOD)).status is MethodStatus.GONE
    server.tell("GET", "/mandates/MD1", 404, b"of a proxy")
    with pytest.raises(ProcessorUnreachable):
        await processor.get_method(METHOD)


@pytest.mark.parametrize("now", ["cancelled", "failed", "expired"])
async def test_a_mandate_that_has_ended_counts_as_revoked(
    stage: tuple[Server, GoCardless], now: str
) -> None:
    server, processor = stage
    await processor.revoke_method(METHOD)  # unknown there
    late = error(422, "invalid_state", "cancellation_failed")
    server.tell("POST", "/mandates/MD1/actions/cancel", 422, late)
    mandate = {"id": "MD1", "status": now, "scheme": "bacs", "links": {}}
    server.tell("GET", "/mandates/MD1", 200, {"mandates": mandate})
    await processor.revoke_method(METHOD)


async def test_a_mandate_that_lives_on_is_not_revoked(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    late = error(422, "invalid_state", "cancellation_failed")
    server.tell("POST", "/mandates/MD1/actions/cancel", 422, late)
    mandate = {"id": "MD1", "status": "active", "scheme": "bacs", "links": {}}
    server.tell("GET", "/mandates/MD1", 200, {"mandates": mandate})
    with pytest.raises(ProcessorRefused):
        await processor.revoke_method(METHOD)


@pytest.mark.parametrize("ended", ["cancelled", "fulfilled"])
async def test_a_set_up_that_has_ended_is_cancelled_only_if_it_was(
    stage: tuple[Server, GoCardless], ended: str
) -> None:
    server, processor = stage
    late = error(422, "invalid_state", "billing_request_not_pending")
    server.tell("POST", "/billing_requests/BRQ1/actions/cancel", 422, late)
    asked = {"billing_requests": {**BRQ, "status": ended}}
    server.tell("GET", "/billing_requests/BRQ1", 200, asked)
    if ended == "cancelled":
        await processor.cancel_setup("BRQ1")
        return
    with pytest.raises(ProcessorRefused):
        await processor.cancel_setup("BRQ1")
