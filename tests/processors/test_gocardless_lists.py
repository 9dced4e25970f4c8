"""Refunds, disputes, events and payouts at GoCardless, over real HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
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
    Declined,
    NoAnswer,
    NotFound,
    NotSent,
)
from twintill.money import Money
from twintill.processors import (
    PreparedRefund,
    RefundRequest,
)
from twintill.processors.gocardless import GoCardless
from twintill.processors.reports import SettlementKind

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
TAKEN = Money(4900, "EUR")


@pytest.fixture
async def stage() -> AsyncIterator[tuple[Server, GoCardless]]:
    async with serving() as both:
        yield both


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
