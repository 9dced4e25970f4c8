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
    serving,
)
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
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    PreparedCharge,
    Processor,
    Refunds,
    Search,
    StoredMethod,
)
from twintill.processors.gocardless import GoCardless
from twintill.processors.reports import EventLists, Settlements

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


async def test_what_gocardless_sends_to_the_bank_again_is_still_under_way(
    stage: tuple[Server, GoCardless],
) -> None:
    """As its webhook is read: a charge of ours in its place would be the second."""
    server, processor = stage
    server.tell("GET", "/payments/PM1", 200, {"payments": payment("failed")})
    failed = happened("failed", "insufficient_funds")
    failed["details"]["will_attempt_retry"] = True
    server.tell("GET", "/events", 200, page("events", failed))
    assert await processor.get_charge("PM1") == Accepted("PM1")


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
