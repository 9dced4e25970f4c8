"""PayPal's adapter on a line of its own: access tokens, long reports, settings. The contract has
the rest."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from twintill.domain.outcomes import Approved, NoAnswer, NotFound, NotSent, NotSentReason
from twintill.errors import SettingsError
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    DisputePage,
    ListedRefund,
    PreparedCharge,
    RefundPage,
    Search,
    StoredMethod,
)
from twintill.processors.paypal import Account, PayPalProcessor, Trust
from twintill.processors.paypal.plug import PLUG, TRUST, Environment, PayPalSettings
from twintill.processors.reports import SettlementLine, SettlementPage
from twintill.sandbox.serve import running

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCOUNT = Account("C7CYMKZDG8D6E", "client", "secret", ("0EH40505U7160970P",))
WALLET = StoredMethod("4990476113", "8kk84519", "wallet")
Answer = Callable[[Request], Any]


class PayPal:
    """Grants tokens, keeps what it is asked, and answers as each test says."""

    def __init__(self) -> None:
        self.url = ""
        self.tokens = 0
        self.good: set[str] = set()
        self.grant: dict[str, Any] = {"expires_in": 32_400}
        self.grant_status = 200
        self.answer: Answer = lambda _: (500, {})
        self.asked: list[Request] = []

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/oauth2/token")
        async def grant() -> Response:
            self.tokens += 1
            await asyncio.sleep(0.01)
            self.good.add(f"Bearer token-{self.tokens}")
            granted = {"access_token": f"token-{self.tokens}"} | self.grant
            return Response(json.dumps(granted), self.grant_status)

        @app.api_route("/{path:path}", methods=["GET", "POST", "DELETE"])
        async def other(path: str, request: Request) -> Response:
            self.asked.append(request)
            if request.headers["authorization"] not in self.good:
                return Response('{"error": "invalid_token"}', 401)
            status, told = self.answer(request)
            return Response(told if isinstance(told, str) else json.dumps(told), status)

        return app


@pytest.fixture
async def paypal() -> AsyncIterator[PayPal]:
    paypal = PayPal()
    async with running(paypal.app()) as paypal.url:
        yield paypal


@pytest.fixture
async def adapter(paypal: PayPal) -> AsyncIterator[PayPalProcessor]:
    trust = TRUST[Environment.SANDBOX]
    adapter = PayPalProcessor(paypal.url, ACCOUNT, trust, clock=lambda: NOW)
    yield adapter
    await adapter.aclose()


def prepared(adapter: PayPalProcessor) -> PreparedCharge:
    request = ChargeRequest("tw-1", "in_1", Money(4900, "EUR"), WALLET, "Invoice 7", {})
    charge = adapter.prepare_charge(request, "key-1")
    assert isinstance(charge, PreparedCharge)
    return charge


async def test_what_is_sent_is_what_paypal_documents(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    await adapter.charge(prepared(adapter))
    (asked,) = paypal.asked
    assert asked.url.path == "/v2/checkout/orders"
    assert asked.headers["paypal-request-id"] == "key-1"
    assert asked.headers["prefer"] == "return=representation"
    assert asked.headers["authorization"] == "Bearer token-1"
    assert json.loads(prepared(adapter).body) == {
        "intent": "CAPTURE",
        "purchase_units": [
            {
                "amount": {"currency_code": "EUR", "value": "49.00"},
                "custom_id": "tw-1",
                "invoice_id": "in_1",
                "description": "Invoice 7",
            }
        ],
        "payment_source": {
            "paypal": {
                "vault_id": "8kk84519",
                "stored_credential": {
                    "payment_initiator": "MERCHANT",
                    "usage": "SUBSEQUENT",
                    "usage_pattern": "SUBSCRIPTION_PREPAID",
                },
            }
        },
    }


async def test_one_token_serves_all_who_wait_for_it(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    await asyncio.gather(*(adapter.get_charge("X") for _ in range(5)))
    assert paypal.tokens == 1


async def test_a_token_is_renewed_before_it_ends(paypal: PayPal, adapter: PayPalProcessor) -> None:
    paypal.grant = {"expires_in": 0}
    assert isinstance(await adapter.get_charge("X"), NotSent), "no time to live: none at all"
    paypal.grant = {"expires_in": 32_400}
    for _ in range(3):
        await adapter.get_charge("X")
    assert paypal.tokens == 2


async def test_a_token_that_ended_early_trips_nothing(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    await adapter.get_charge("X")
    paypal.good.clear()
    refused = await adapter.charge(prepared(adapter))
    assert isinstance(refused, NotSent)
    assert refused.reason is NotSentReason.NETWORK
    charges = [one for one in paypal.asked if one.method == "POST"]
    assert len(charges) == 1, "sent once, even when it was refused"
    assert isinstance(await adapter.charge(prepared(adapter)), NoAnswer)
    assert paypal.tokens == 2


async def test_a_token_that_was_never_taken_is_a_wrong_key(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    paypal.grant |= {"access_token": "of another PayPal"}
    refused = await adapter.charge(prepared(adapter))
    assert isinstance(refused, NotSent)
    assert refused.reason is NotSentReason.CREDENTIALS


@pytest.mark.parametrize(
    ("status", "grant", "reason"),
    [
        (401, {"error": "invalid_client"}, NotSentReason.CREDENTIALS),
        (403, {}, NotSentReason.CREDENTIALS),
        (429, {}, NotSentReason.RATE),
        (500, {}, NotSentReason.NETWORK),
        (302, {}, NotSentReason.NETWORK),
        (200, {"expires_in": "soon"}, NotSentReason.NETWORK),
        (200, {"expires_in": 5, "access_token": "\u0661"}, NotSentReason.NETWORK),
        (200, {"expires_in": 5, "access_token": None}, NotSentReason.NETWORK),
    ],
)
async def test_without_a_token_nothing_is_sent(
    paypal: PayPal,
    adapter: PayPalProcessor,
    status: int,
    grant: dict[str, Any],
    reason: NotSentReason,
) -> None:
    paypal.grant_status, paypal.grant = status, grant
    refused = await adapter.charge(prepared(adapter))
    assert isinstance(refused, NotSent)
    assert refused.reason is reason
    assert paypal.asked == []


def test_no_secret_is_shown() -> None:
    assert "secret" not in repr(ACCOUNT)


def row(number: int, reference: str, **fields: Any) -> dict[str, Any]:
    info = {
        "transaction_id": f"CAPTURE{number:010}",
        "transaction_event_code": "T0003",
        "transaction_initiation_date": "2026-02-27T12:00:00+0000",
        "transaction_amount": {"currency_code": "EUR", "value": "49.00"},
        "transaction_status": "S",
        "custom_field": reference,
    }
    return {"transaction_info": info | fields}


def capture(capture_id: str, reference: str) -> dict[str, Any]:
    return {
        "id": capture_id,
        "status": "COMPLETED",
        "amount": {"currency_code": "EUR", "value": "49.00"},
        "custom_id": reference,
    }


def reports(pages: Callable[[datetime, datetime, int], Any]) -> Answer:
    """A transaction search: the rows of a page, how many pages; every capture is ours."""

    def answer(request: Request) -> Any:
        if "/captures/" in request.url.path:
            return 200, capture(request.url.path.rpartition("/")[2], "tw-1")
        asked = request.query_params
        start, end = (datetime.fromisoformat(asked[f"{one}_date"]) for one in ("start", "end"))
        assert end - start <= timedelta(days=31)
        told = pages(start, end, int(asked["page"]))
        if not isinstance(told, tuple):
            return 400, told
        rows, total = told
        refreshed = (NOW - timedelta(hours=1)).isoformat()
        return 200, {
            "transaction_details": rows,
            "total_pages": total,
            "last_refreshed_datetime": refreshed,
        }

    return answer


LONG_AGO = NOW - timedelta(days=100)


async def test_every_page_of_every_month_is_read(paypal: PayPal, adapter: PayPalProcessor) -> None:
    paypal.answer = reports(lambda *_: ([row(1, "tw-2")], 3))
    assert await adapter.find_charge(Search("tw-1", LONG_AGO)) == NotFound()
    starts = [one.query_params["start_date"] for one in paypal.asked]
    assert len(starts) == 4 * 3
    assert all(one.query_params["balance_affecting_records_only"] == "N" for one in paypal.asked)
    assert paypal.asked[-1].query_params["end_date"] <= "2026-03-01T12:00:00Z", "not the future"


async def test_it_is_found_on_the_last_page_and_confirmed(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    def pages(start: datetime, end: datetime, page: int) -> Any:
        ours = page == 3 and end >= NOW - timedelta(days=1)
        return [row(page, "tw-1" if ours else "tw-2")], 3

    paypal.answer = reports(pages)
    outcome = await adapter.find_charge(Search("tw-1", LONG_AGO))
    assert outcome == Approved("CAPTURE0000000003", Money(4900, "EUR"))


async def test_a_refund_that_repeats_our_reference_is_no_charge(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    refund = row(2, "tw-1", transaction_event_code="T1107")
    paypal.answer = reports(lambda *_: ([row(1, "tw-1"), refund], 1))
    outcome = await adapter.find_charge(Search("tw-1", NOW - timedelta(days=2)))
    assert isinstance(outcome, Approved)
    paypal.answer = reports(lambda *_: ([refund], 1))
    outcome = await adapter.find_charge(Search("tw-1", NOW - timedelta(days=2)))
    assert isinstance(outcome, NoAnswer)


async def test_a_payment_for_the_invoice_that_is_not_this_one_is_not_not_found(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    paypal.answer = reports(lambda *_: ([row(7, "tw-0", invoice_id="in_1")], 1))
    search = Search("tw-1", NOW - timedelta(days=2), body=prepared(adapter).body)
    outcome = await adapter.find_charge(search)
    assert isinstance(outcome, NoAnswer)
    assert "CAPTURE0000000007" in outcome.detail


async def test_another_payment_for_the_invoice_hides_none_of_ours(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    def pages(start: datetime, end: datetime, page: int) -> Any:
        early = row(7, "tw-0", invoice_id="in_1")
        return [row(8, "tw-1", invoice_id="in_1") if end >= NOW else early], 1

    paypal.answer = reports(pages)
    search = Search("tw-1", LONG_AGO, body=prepared(adapter).body)
    outcome = await adapter.find_charge(search)
    assert outcome == Approved("CAPTURE0000000008", Money(4900, "EUR"))


async def test_too_many_rows_are_asked_for_in_halves(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    too_many = {"name": "RESULTSET_TOO_LARGE", "message": "Result set size is greater than ..."}

    def pages(start: datetime, end: datetime, page: int) -> Any:
        if end - start > timedelta(days=4):
            return too_many
        found = start <= NOW - timedelta(days=6) < end
        return [row(1, "tw-1")] if found else [], 1

    paypal.answer = reports(pages)
    outcome = await adapter.find_charge(Search("tw-1", NOW - timedelta(days=20)))
    assert isinstance(outcome, Approved)
    paypal.answer = reports(lambda *_: too_many)
    outcome = await adapter.find_charge(Search("tw-1", NOW - timedelta(days=20)))
    assert isinstance(outcome, NoAnswer)


async def test_reports_that_are_late_or_end_early_prove_nothing(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    not_yet = {
        "name": "INVALID_REQUEST",
        "message": "Data for the given start date is not available.",
    }
    paypal.answer = reports(lambda *_: not_yet)
    assert await adapter.find_charge(Search("tw-1", NOW - timedelta(hours=1))) == NotFound()
    assert isinstance(await adapter.find_charge(Search("tw-1", NOW - timedelta(days=1))), NoAnswer)
    late: dict[str, Any] = {"transaction_details": [], "total_pages": 0}
    late["last_refreshed_datetime"] = (NOW - timedelta(days=2)).isoformat()
    paypal.answer = lambda _: (200, late)
    assert isinstance(await adapter.find_charge(Search("tw-1", NOW - timedelta(days=3))), NoAnswer)
    ancient = await adapter.find_charge(Search("tw-1", NOW - timedelta(days=1200)))
    assert isinstance(ancient, NoAnswer)


async def test_a_page_that_cannot_be_read_is_not_not_found(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    def pages(start: datetime, end: datetime, page: int) -> Any:
        return ([], 2) if page == 1 else {"name": "INTERNAL"}

    paypal.answer = reports(pages)
    assert isinstance(await adapter.find_charge(Search("tw-1", NOW - timedelta(days=2))), NoAnswer)


async def test_the_book_is_read_page_by_page_to_its_end(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    paypal.answer = reports(lambda start, _, page: ([row(start.day * 10 + page, "tw-1")], 2))
    lines: list[SettlementLine] = []
    after = None
    for _ in range(20):
        page = await adapter.list_settlements(LONG_AGO, after)
        assert isinstance(page, SettlementPage)
        lines += page.lines
        after = page.following
        if after is None:
            break
    assert len(lines) == 4 * 2
    assert isinstance(await adapter.list_settlements(LONG_AGO, "moonlit"), NoAnswer)


@pytest.mark.parametrize(
    "refused",
    [
        (404, {"name": "RESOURCE_NOT_FOUND", "details": []}),
        (403, {"name": "NOT_AUTHORIZED", "details": [{"issue": "PERMISSION_DENIED"}]}),
        (200, {"id": "CAPTURE0000000002", "status": "MOONLIT"}),
    ],
)
async def test_a_refund_that_only_the_report_knows_is_listed(
    paypal: PayPal, adapter: PayPalProcessor, refused: Any
) -> None:
    refund = row(
        2,
        "tw-1",
        transaction_event_code="T1107",
        transaction_amount={"currency_code": "EUR", "value": "-9.00"},
        paypal_reference_id="CAPTURE1",
    )
    search = reports(lambda *_: ([row(1, "tw-1"), refund], 1))

    def answer(request: Request) -> Any:
        if "/refunds/" in request.url.path:
            return refused
        return search(request)

    paypal.answer = answer
    page = await adapter.list_recent_refunds(NOW - timedelta(days=2))
    assert isinstance(page, RefundPage)
    (listed,) = page.refunds
    assert isinstance(listed, ListedRefund)
    assert listed.processor_payment_id == "CAPTURE1"
    assert (listed.seen.reference, listed.seen.amount) == (None, Money(900, "EUR"))


async def test_a_dispute_that_cannot_be_read_hides_no_other(
    paypal: PayPal, adapter: PayPalProcessor
) -> None:
    good = {
        "dispute_id": "PP-D-2",
        "status": "OPEN",
        "dispute_amount": {"currency_code": "EUR", "value": "49.00"},
        "disputed_transactions": [{"seller_transaction_id": "CAPTURE1"}],
    }
    whole = {"PP-D-1": good | {"dispute_id": "PP-D-1", "disputed_transactions": []}, "PP-D-2": good}

    def answer(request: Request) -> Any:
        last = request.url.path.rpartition("/")[2]
        if last in whole:
            return 200, whole[last]
        return 200, {"items": [{"dispute_id": one} for one in whole], "links": []}

    paypal.answer = answer
    page = await adapter.list_disputes(NOW - timedelta(days=9))
    assert isinstance(page, DisputePage)
    assert [one.dispute_id for one in page.disputes] == ["PP-D-2"]
    whole["PP-D-1"] = {}
    assert isinstance(await adapter.list_disputes(NOW - timedelta(days=9)), NoAnswer)


def settings(**fields: Any) -> PayPalSettings:
    values = {
        "environment": "sandbox",
        "client_id": "client",
        "client_secret": "secret",
        "merchant_id": "C7CYMKZDG8D6E",
        "webhook_ids": "0EH40505U7160970P, 2A9741408B151863U",
    }
    return PayPalSettings(**(values | fields))


def test_live_and_sandbox_are_never_mixed() -> None:
    assert settings().problems(livemode=False) == []
    assert settings(environment="live").problems(livemode=True) == []
    assert settings().problems(livemode=True)
    assert settings(environment="live").problems(livemode=False)
    stand_in = settings(environment="live", url="http://127.0.0.1:1")
    assert stand_in.problems(livemode=True)


def test_the_sandboxs_certificates_are_not_believed_in_live() -> None:
    assert not any("sandbox" in one for one in (*TRUST[Environment.LIVE].origins,))
    assert not any("sandbox" in one for one in (*TRUST[Environment.LIVE].names,))


async def test_the_plug_opens_what_the_settings_say(tmp_path: Any) -> None:
    opened = PLUG.open(settings(environment="live"))
    assert (opened.name, opened.account_id) == ("paypal", "C7CYMKZDG8D6E")
    await opened.aclose()
    with pytest.raises(SettingsError, match="ROOTS_FILE"):
        PLUG.open(settings(roots_file=tmp_path / "none.pem"))
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(SettingsError, match="root certificates"):
        PLUG.open(settings(roots_file=tmp_path / "empty.pem"))


@pytest.mark.parametrize("field", ["merchant_id", "client_id", "client_secret"])
def test_what_cannot_be_sent_stops_the_start(field: str) -> None:
    values = {"merchant_id": "m", "client_id": "c", "client_secret": "s"} | {field: "a\nb"}
    with pytest.raises(SettingsError, match="plain characters"):
        Account(**values, webhook_ids=("w",)).check()
    with pytest.raises(SettingsError, match="http"):
        PayPalProcessor("ftp://paypal", ACCOUNT, Trust((), ()), client=httpx.AsyncClient())
