"""What GoCardless answers, over real HTTP, and what the adapter makes of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.processors.gocardless_server import (
    Server,
    conflict,
    error,
    happened,
    page,
    payment,
    refund,
    serving,
)
from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.errors import ProcessorRefused, ProcessorUnreachable
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    MethodStatus,
    PreparedCharge,
    PreparedRefund,
    Processor,
    RefundRequest,
    Refunds,
    Search,
    SetupRequest,
    SetupStatus,
    StoredMethod,
)
from twintill.processors.gocardless import GoCardless
from twintill.processors.reports import EventLists, SettlementKind, Settlements

METHOD = StoredMethod("CU1", "MD1", "bank_debit")
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
TAKEN = Money(4900, "EUR")


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Server, GoCardless]]:
    async with serving() as both:
        yield both


def order(processor: GoCardless, **fields: Any) -> PreparedCharge:
    wanted = {"invoice_id": "in_1", "amount": TAKEN, "method": METHOD, **fields}
    request = ChargeRequest(
        reference="tw-1", description="Invoice in_1", metadata={"invoice": "in_1"}, **wanted
    )
    prepared = processor.prepare_charge(request, "key-1")
    assert isinstance(prepared, PreparedCharge)
    return prepared


async def charged(stage: tuple[Server, GoCardless], status: int, body: Any) -> ChargeOutcome:
    server, processor = stage
    server.tell("POST", "/payments", status, body)
    return await processor.charge(order(processor))


async def test_it_offers_everything(stage: tuple[Server, GoCardless]) -> None:
    for protocol in (Processor, Refunds, EventLists, Settlements):
        assert isinstance(stage[1], protocol)


async def test_a_charge_is_accepted_and_told_on_its_day(stage: tuple[Server, GoCardless]) -> None:
    outcome = await charged(stage, 201, {"payments": payment()})
    assert outcome == Accepted("PM1", datetime(2026, 3, 5, tzinfo=UTC))
    [(_, body, headers)] = stage[0].sent("POST", "/payments")
    assert headers["idempotency-key"] == "key-1"
    assert headers["gocardless-version"] == "2015-07-06"
    assert headers["authorization"] == "Bearer sandbox_token"
    assert body["payments"] == {
        "amount": 4900,
        "currency": "EUR",
        "description": "Invoice in_1",
        "metadata": {"reference": "tw-1", "amount": "4900 EUR", "invoice": "in_1"},
        "retry_if_possible": False,
        "links": {"mandate": "MD1"},
    }


@pytest.mark.parametrize(
    "lie",
    [
        {"amount": 4901},
        {"amount": "4900"},
        {"amount": 4900.0},
        {"currency": "GBP"},
        {"metadata": {"reference": "tw-2"}},
        {"metadata": {}},
        {"metadata": None},
        {"links": {"mandate": "MD2"}},
        {"links": {}},
        {"status": "of the future"},
        {"id": None},
        {"charge_date": "soon"},
    ],
)
async def test_what_is_not_what_was_sent_is_no_answer(
    stage: tuple[Server, GoCardless], lie: dict[str, Any]
) -> None:
    assert isinstance(await charged(stage, 201, {"payments": payment(**lie)}), NoAnswer)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"payments": []}', b"\xff"])
async def test_an_unreadable_success_is_no_answer(
    stage: tuple[Server, GoCardless], body: bytes
) -> None:
    assert isinstance(await charged(stage, 201, body), NoAnswer)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("submitted", Accepted("PM1", datetime(2026, 3, 5, tzinfo=UTC))),
        ("confirmed", Approved("PM1", TAKEN, Finality.PROVISIONAL)),
        ("paid_out", Approved("PM1", TAKEN, Finality.FINAL)),
    ],
)
async def test_a_key_that_was_used_answers_what_became_of_its_payment(
    stage: tuple[Server, GoCardless], status: str, outcome: ChargeOutcome
) -> None:
    stage[0].tell("GET", "/payments/PM1", 200, {"payments": payment(status)})
    assert await charged(stage, 409, conflict("PM1")) == outcome


async def test_a_key_that_was_used_and_failed_says_why(stage: tuple[Server, GoCardless]) -> None:
    stage[0].tell("GET", "/payments/PM1", 200, {"payments": payment("failed")})
    stage[0].tell("GET", "/events", 200, page("events", happened("failed", "mandate_cancelled")))
    outcome = await charged(stage, 409, conflict("PM1"))
    assert isinstance(outcome, Declined)
    assert (outcome.kind, outcome.code) == (DeclineKind.REVOKED, "mandate_cancelled")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"payments": payment(amount=4800)}),
        (200, {"payments": payment(metadata={"reference": "tw-9"})}),
        (200, {"payments": payment(id="PM2")}),
        (404, error(404, "invalid_api_usage", "resource_not_found")),
        (429, error(429, "invalid_api_usage", "rate_limit_exceeded")),
        (401, error(401, "invalid_api_usage", "access_token_not_found")),
        (500, b""),
    ],
)
async def test_after_a_conflict_nothing_says_that_it_was_not_made(
    stage: tuple[Server, GoCardless], status: int, body: Any
) -> None:
    stage[0].tell("GET", "/payments/PM1", status, body)
    assert isinstance(await charged(stage, 409, conflict("PM1")), NoAnswer)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("mandate_is_inactive", DeclineKind.REVOKED),
        ("customer_data_removed", DeclineKind.REVOKED),
        ("mandate_replaced", DeclineKind.UPDATE_METHOD),
        ("bank_account_disabled", DeclineKind.UPDATE_METHOD),
    ],
)
async def test_a_mandate_that_is_gone_is_a_decline(
    stage: tuple[Server, GoCardless], reason: str, kind: DeclineKind
) -> None:
    outcome = await charged(stage, 422, error(422, "invalid_state", reason))
    assert isinstance(outcome, Declined)
    assert (outcome.kind, outcome.code) == (kind, reason)


@pytest.mark.parametrize(
    ("status", "kind", "reason", "proves", "word"),
    [
        (401, "invalid_api_usage", "access_token_not_found", "credentials", "ACCESS_TOKEN"),
        (401, "invalid_api_usage", "access_token_revoked", "credentials", "make a new one"),
        (401, "invalid_api_usage", "of the future", "credentials", "ACCESS_TOKEN"),
        (403, "invalid_api_usage", "insufficient_permissions", "credentials", "read-write"),
        (403, "invalid_api_usage", "forbidden", "config", "support"),
        (403, "invalid_api_usage", "feature_disabled", "config", "support"),
        (404, "invalid_api_usage", "link_not_found", "config", "another account"),
        (400, "invalid_api_usage", "bad_request", "config", "not understood"),
        (422, "validation_failed", "", "config", "is not supported"),
    ],
)
async def test_what_is_not_set_up_was_not_sent(
    stage: tuple[Server, GoCardless], status: int, kind: str, reason: str, proves: str, word: str
) -> None:
    told = error(status, kind, reason, field="currency", message="is not supported")
    outcome = await charged(stage, status, told)
    assert isinstance(outcome, NotSent)
    assert outcome.reason == proves
    assert word in outcome.detail


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, b"<html>of a proxy</html>"),
        (401, b""),
        (404, b"nginx"),
        (422, b"{}"),
        (500, error(500, "gocardless", "internal_server_error")),
        (503, b""),
        (302, b""),
        (200, {"payments": payment()}),
        (422, error(422, "invalid_state", "of the future")),
        (409, error(409, "invalid_state", "idempotent_creation_conflict")),
        (403, error(403, "invalid_api_usage", "of the future")),
    ],
)
async def test_what_is_in_no_table_proves_nothing(
    stage: tuple[Server, GoCardless], status: int, body: Any
) -> None:
    assert isinstance(await charged(stage, status, body), NoAnswer)


async def test_too_many_requests_are_asked_again_when_it_says(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    told = error(429, "invalid_api_usage", "rate_limit_exceeded")
    server.tell("POST", "/payments", 429, told, {"RateLimit-Reset": "17"})
    outcome = await processor.charge(order(processor))
    assert isinstance(outcome, NotSent)
    assert (outcome.reason, outcome.wait_s) == (NotSentReason.RATE, 17)


async def test_a_lost_payment_is_found_by_our_reference(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    other = payment(id="PM9", metadata={"reference": "tw-9"})
    foreign = payment(id="PM8", metadata={})
    server.tell("GET", "/payments", 200, page("payments", other, foreign, after="PM8"))
    server.tell("GET", "/payments", 200, page("payments", payment("confirmed")))
    search = Search("tw-1", SINCE, SINCE + timedelta(days=2), order(processor).body)
    assert await processor.find_charge(search) == Approved("PM1", TAKEN, Finality.PROVISIONAL)
    (first, _, _), (second, _, _) = server.sent("GET", "/payments")
    assert first == {
        "limit": "500",
        "created_at[gte]": "2026-03-01T00:00:00.000Z",
        "created_at[lte]": "2026-03-03T00:00:00.000Z",
        "mandate": "MD1",
    }
    assert second == {**first, "after": "PM8"}


async def test_not_found_is_said_only_of_all_mandates(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    server.tell("GET", "/payments", 200, page("payments"))
    assert await processor.find_charge(Search("tw-1", SINCE, None, order(processor).body)) == (
        NotFound()
    )
    asked = [query.get("mandate") for query, _, _ in server.sent("GET", "/payments")]
    assert asked == ["MD1", None]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (200, b"{}"),
        (200, {"payments": []}),
        (200, page("payments", payment(), payment(id="PM2"))),
        (422, error(422, "validation_failed", "")),
    ],
)
async def test_a_look_up_that_cannot_be_believed_finds_nothing_and_proves_nothing(
    stage: tuple[Server, GoCardless], status: int, body: Any
) -> None:
    server, processor = stage
    server.tell("GET", "/payments", status, body)
    outcome = await processor.find_charge(Search("tw-1", SINCE))
    assert isinstance(outcome, NoAnswer | NotSent)


async def test_a_second_page_that_is_missing_is_no_not_found(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    server.tell("GET", "/payments", 200, page("payments", after="PM8"))
    server.tell("GET", "/payments", 500, b"")
    assert isinstance(await processor.find_charge(Search("tw-1", SINCE)), NoAnswer)


async def test_of_two_under_one_reference_the_living_one_counts(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    both = page("payments", payment("failed", id="PM2"), payment("submitted"))
    server.tell("GET", "/payments", 200, both)
    outcome = await processor.find_charge(Search("tw-1", SINCE))
    assert isinstance(outcome, Accepted)


async def test_a_payment_that_is_not_there_is_not_found(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    assert await processor.get_charge("PM1") == NotFound()
    server.tell("GET", "/payments/PM1", 404, b"of a proxy")
    assert isinstance(await processor.get_charge("PM1"), NoAnswer)


async def test_a_failed_payment_whose_events_cannot_be_read_is_asked_for_again(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    server.tell("GET", "/payments/PM1", 200, {"payments": payment("failed")})
    server.tell("GET", "/events", 503, b"")
    assert isinstance(await processor.get_charge("PM1"), NoAnswer)


async def test_an_event_that_is_not_listed_yet_leaves_a_soft_decline(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    server.tell("GET", "/payments/PM1", 200, {"payments": payment("failed")})
    server.tell("GET", "/events", 200, page("events"))
    outcome = await processor.get_charge("PM1")
    assert isinstance(outcome, Declined)
    assert (outcome.kind, outcome.code) == (DeclineKind.SOFT, "failed")


async def test_a_pending_payment_is_cancelled(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    cancelled = {"payments": payment("cancelled")}
    server.tell("POST", "/payments/PM1/actions/cancel", 200, cancelled)
    outcome = await processor.cancel_charge("PM1")
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.processor_payment_id) == ("canceled", "PM1")


async def test_too_late_to_cancel_answers_its_state(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    late = error(422, "invalid_state", "cancellation_failed")
    server.tell("POST", "/payments/PM1/actions/cancel", 422, late)
    server.tell("GET", "/payments/PM1", 200, {"payments": payment("submitted")})
    assert isinstance(await processor.cancel_charge("PM1"), Accepted)


def give(processor: GoCardless, before: int = 0) -> PreparedRefund:
    request = RefundRequest("tw-r1", "PM1", Money(900, "EUR"), before)
    prepared = processor.prepare_refund(request, "key-r1")
    assert isinstance(prepared, PreparedRefund)
    return prepared


async def test_a_refund_says_the_sum_of_all(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    server.tell("POST", "/refunds", 201, {"refunds": refund()})
    assert await processor.refund(give(processor, 500)) == Accepted("RF1")
    [(_, body, headers)] = server.sent("POST", "/refunds")
    assert headers["idempotency-key"] == "key-r1"
    assert body["refunds"] == {
        "amount": 900,
        "total_amount_confirmation": 1400,
        "metadata": {"reference": "tw-r1", "amount": "900 EUR", "payment": "PM1"},
        "links": {"payment": "PM1"},
    }


async def test_a_refund_that_was_made_before_is_read(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    server.tell("POST", "/refunds", 409, conflict("RF1"))
    server.tell("GET", "/refunds/RF1", 200, {"refunds": refund("paid")})
    assert await processor.refund(give(processor)) == Approved("RF1", Money(900, "EUR"))


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (422, error(422, "invalid_state", "refund_payment_invalid_state"), Declined),
        (422, error(422, "invalid_state", "number_of_refunds_exceeded"), Declined),
        (422, error(422, "validation_failed", "", field="amount"), Declined),
        (422, error(422, "validation_failed", "total_amount_confirmation_invalid"), NotSent),
        (422, error(422, "invalid_state", "available_refund_amount_insufficient"), NotSent),
        (403, error(403, "invalid_api_usage", "feature_disabled"), NotSent),
        (422, error(422, "invalid_state", "of the future"), NoAnswer),
        (201, {"refunds": refund(amount=901)}, NoAnswer),
        (201, {"refunds": refund(links={"payment": "PM2"})}, NoAnswer),
        (201, {"refunds": refund(metadata={})}, NoAnswer),
        (500, b"", NoAnswer),
    ],
)
async def test_a_refund_that_was_not_made(
    stage: tuple[Server, GoCardless], status: int, body: Any, outcome: type
) -> None:
    server, processor = stage
    server.tell("POST", "/refunds", status, body)
    assert isinstance(await processor.refund(give(processor)), outcome)


async def test_refunds_are_listed_with_their_ends(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    rows = (refund("submitted"), refund("paid", id="RF2"), refund("bounced", id="RF3", metadata={}))
    server.tell("GET", "/refunds", 200, page("refunds", *rows))
    seen = await processor.list_refunds("PM1")
    assert isinstance(seen, tuple)
    assert [type(one.outcome) for one in seen] == [Accepted, Approved, Declined]
    assert [one.reference for one in seen] == ["tw-r1", "tw-r1", None]
    of_a_mandate = refund("paid", id="RF4", links={"mandate": "MD1"})
    server.tell("GET", "/refunds", 200, page("refunds", *rows, of_a_mandate, after="RF4"))
    await processor.list_refunds("PM1")
    listed = await processor.list_recent_refunds(SINCE)
    assert not isinstance(listed, NoAnswer | NotSent)
    assert len(listed.refunds) == 3
    assert listed.following == "RF4"


async def disputed(stage: tuple[Server, GoCardless], status: str, *events: dict[str, Any]) -> Any:
    server, processor = stage
    server.tell("GET", "/payments/PM1", 200, {"payments": payment(status)})
    server.tell("GET", "/events", 200, page("events", *reversed(events)))
    return processor


async def test_a_dispute_is_read_out_of_the_events(stage: tuple[Server, GoCardless]) -> None:
    back = happened("charged_back", "authorisation_disputed", 3)
    processor = await disputed(stage, "charged_back", happened("paid_out", n=2), back)
    seen = await processor.get_dispute("PM1")
    assert (seen.stage, seen.withheld, seen.amount) == (DisputeStage.OPENED, True, TAKEN)
    assert seen.reason == "authorisation_disputed"


async def test_a_dispute_that_settled_is_lost_and_one_cancelled_is_won(
    stage: tuple[Server, GoCardless],
) -> None:
    first = (happened("charged_back", n=3), happened("chargeback_cancelled", n=4))
    second = (happened("charged_back", n=5), happened("chargeback_settled", n=6))
    processor = await disputed(stage, "charged_back", *first, *second)
    won, lost = await processor.get_dispute("PM1"), await processor.get_dispute("PM1-2")
    assert (won.stage, won.withheld) == (DisputeStage.WON, False)
    assert (lost.stage, lost.withheld, lost.dispute_id) == (DisputeStage.LOST, True, "PM1-2")
    assert await processor.get_dispute("PM1-3") == NotFound()


@pytest.mark.parametrize(
    ("newest", "before", "stage_"),
    [
        ("2026-04-02T12:00:00Z", (), DisputeStage.OPENED),
        ("2026-04-02T12:00:01Z", (), DisputeStage.LOST),
        ("2026-04-09T12:00:00Z", (happened("paid_out", n=1),), DisputeStage.OPENED),
    ],
)
async def test_of_what_was_never_paid_out_only_time_tells_that_it_is_lost(
    stage: tuple[Server, GoCardless],
    newest: str,
    before: tuple[dict[str, Any], ...],
    stage_: DisputeStage,
) -> None:
    processor = await disputed(stage, "charged_back", *before, happened("charged_back", n=3))
    stage[0].tell("GET", "/events", 200, page("events", happened("x", created_at=newest)))
    assert (await processor.get_dispute("PM1")).stage is stage_


async def test_disputes_are_listed_by_their_events(stage: tuple[Server, GoCardless]) -> None:
    processor = await disputed(stage, "charged_back", happened("charged_back", n=3))
    listed = await processor.list_disputes(SINCE)
    assert [seen.dispute_id for seen in listed.disputes] == ["PM1"]
    query, _, _ = stage[0].sent("GET", "/events")[0]
    assert (query["resource_type"], query["action"]) == ("payments", "charged_back")


async def test_a_list_of_events_is_read_like_a_webhook(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    newest_first = (happened("paid_out", n=2), happened("confirmed", n=1))
    server.tell("GET", "/events", 200, page("events", *newest_first, after="EV1"))
    listed = await processor.list_events(SINCE)
    assert not isinstance(listed, NoAnswer | NotSent)
    [body] = listed.bodies
    told = processor.parse_webhook(body)
    assert [event.dedupe_key for event in told] == ["EV1", "EV2"]
    assert listed.following == "EV1"
    server.tell("GET", "/events", 200, page("events"))
    assert await processor.list_events(SINCE) is not None


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


async def test_a_payout_is_a_page_with_everything_in_it(stage: tuple[Server, GoCardless]) -> None:
    server, processor = stage
    payout = {
        "id": "PO1",
        "amount": 4850,
        "deducted_fees": 50,
        "currency": "EUR",
        "status": "paid",
        "created_at": "2026-03-10T12:00:00.000Z",
    }
    items = (
        {"type": "payment_paid_out", "amount": "4900.0", "links": {"payment": "PM1"}},
        {"type": "gocardless_fee", "amount": "-49.6", "links": {"payment": "PM1"}},
    )
    server.tell("GET", "/payouts", 200, page("payouts", payout, after="PO1"))
    server.tell("GET", "/payout_items", 200, page("payout_items", *items))
    listed = await processor.list_settlements(SINCE)
    assert not isinstance(listed, NoAnswer | NotSent)
    kinds = [(line.kind, line.amount.minor) for line in listed.lines]
    assert kinds == [
        (SettlementKind.CHARGE, 4900),
        (SettlementKind.FEE, -50),
        (SettlementKind.PAYOUT, -4850),
    ]
    assert listed.following == "PO1"
    assert server.sent("GET", "/payouts")[0][0]["creditor"] == "CR1"


async def test_items_that_are_not_shown_any_more_leave_a_line(
    stage: tuple[Server, GoCardless],
) -> None:
    server, processor = stage
    payout = {
        "id": "PO1",
        "amount": 4850,
        "deducted_fees": 50,
        "currency": "EUR",
        "status": "paid",
        "created_at": "2025-03-10T12:00:00.000Z",
    }
    server.tell("GET", "/payouts", 200, page("payouts", payout))
    gone = error(410, "invalid_api_usage", "payout_items_data_archived")
    server.tell("GET", "/payout_items", 410, gone)
    listed = await processor.list_settlements(SINCE)
    assert not isinstance(listed, NoAnswer | NotSent)
    assert sum(line.amount.minor for line in listed.lines) == 0
    assert listed.lines[1].raw_type == "items_gone"
