"""Reading PayPal's orders, captures, refunds, disputes and reports: JSON as it documents it."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import Accepted, Approved, Declined, DeclineKind, Finality
from twintill.money import Money
from twintill.processors.fields import Unreadable
from twintill.processors.paypal import answers, disputes, events, settlements, setups
from twintill.processors.reports import SettlementKind

CAPTURE = {
    "id": "3C679366HH908993F",
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "49.00"},
    "custom_id": "tw-1",
    "invoice_id": "in_1",
    "final_capture": True,
    "supplementary_data": {"related_ids": {"order_id": "5O190127TN364715T"}},
}
ORDER = {
    "id": "5O190127TN364715T",
    "status": "COMPLETED",
    "purchase_units": [
        {"reference_id": "default", "payments": {"captures": [CAPTURE]}},
    ],
}
SENT = {
    "intent": "CAPTURE",
    "purchase_units": [
        {
            "amount": {"currency_code": "EUR", "value": "49.00"},
            "custom_id": "tw-1",
            "invoice_id": "in_1",
        }
    ],
}
REFUND = {
    "id": "1JU08902781691411",
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "10.00"},
    "custom_id": "tw-r1",
    "links": [
        {"rel": "self", "href": "https://api-m.paypal.com/v2/payments/refunds/1JU08902781691411"},
        {"rel": "up", "href": "https://api-m.paypal.com/v2/payments/captures/3C679366HH908993F"},
    ],
}
DISPUTE = {
    "dispute_id": "PP-D-4012",
    "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
    "status": "WAITING_FOR_SELLER_RESPONSE",
    "dispute_amount": {"currency_code": "EUR", "value": "49.00"},
    "disputed_transactions": [
        {"seller_transaction_id": "3C679366HH908993F", "custom": "tw-1", "invoice_number": "in_1"}
    ],
    "money_movements": [
        {
            "affected_party": "SELLER",
            "type": "DEBIT",
            "reason": "DISPUTE_SETTLEMENT",
            "amount": {"currency_code": "EUR", "value": "49.00"},
        },
        {
            "affected_party": "SELLER",
            "type": "DEBIT",
            "reason": "DISPUTE_FEE",
            "amount": {"currency_code": "EUR", "value": "15.00"},
        },
        {
            "affected_party": "BUYER",
            "type": "CREDIT",
            "reason": "DISPUTE_SETTLEMENT",
            "amount": {"currency_code": "EUR", "value": "49.00"},
        },
    ],
}
ROW = {
    "transaction_id": "3C679366HH908993F",
    "transaction_event_code": "T0003",
    "transaction_initiation_date": "2026-03-01T12:00:00+0000",
    "transaction_amount": {"currency_code": "EUR", "value": "49.00"},
    "fee_amount": {"currency_code": "EUR", "value": "-1.52"},
    "transaction_status": "S",
    "invoice_id": "in_1",
    "custom_field": "tw-1",
}


def bytes_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def order(**of_the_capture: Any) -> bytes:
    changed = copy.deepcopy(ORDER)
    changed["purchase_units"][0]["payments"]["captures"][0].update(of_the_capture)  # type: ignore[index]
    return bytes_of(changed)


def test_a_completed_capture_is_money() -> None:
    assert answers.read_order_of(order(), bytes_of(SENT)) == Approved(
        "3C679366HH908993F", Money(4900, "EUR"), Finality.FINAL
    )


def test_less_than_was_asked_for_is_partial() -> None:
    less = {"currency_code": "EUR", "value": "40.00"}
    outcome = answers.read_order_of(order(amount=less), bytes_of(SENT))
    assert outcome == Approved("3C679366HH908993F", Money(4000, "EUR"), partial=True)


def test_a_pending_capture_is_accepted_whatever_the_reason() -> None:
    for reason in ("ECHECK", "PENDING_REVIEW", "UNILATERAL", "moonlit"):
        body = order(status="PENDING", status_details={"reason": reason})
        assert answers.read_order_of(body, bytes_of(SENT)) == Accepted("3C679366HH908993F")


def test_a_declined_capture_says_why() -> None:
    body = order(
        status="DECLINED",
        processor_response={"response_code": "5120", "payment_advice_code": "24"},
    )
    outcome = answers.read_order_of(body, bytes_of(SENT))
    assert isinstance(outcome, Declined)
    assert (outcome.kind, outcome.code, outcome.retry_after_s) == (DeclineKind.SOFT, "5120", 3600)
    assert outcome.processor_payment_id == "3C679366HH908993F"
    fraud = order(status="DECLINED", status_details={"reason": "DECLINED_BY_RISK_FRAUD_FILTERS"})
    outcome = answers.read_order_of(fraud, bytes_of(SENT))
    assert isinstance(outcome, Declined)
    assert outcome.kind is DeclineKind.FRAUD
    assert isinstance(answers.read_order_of(order(status="FAILED"), bytes_of(SENT)), Declined)


def test_an_order_that_waits_for_the_payer_takes_nothing() -> None:
    waiting = {"id": "5O1", "status": "PAYER_ACTION_REQUIRED", "purchase_units": [{}]}
    outcome = answers.read_order_of(bytes_of(waiting), bytes_of(SENT))
    assert isinstance(outcome, Declined)
    assert outcome.kind is DeclineKind.AUTH_REQUIRED


@pytest.mark.parametrize(
    "wrong",
    [
        {"custom_id": "tw-2"},
        {"custom_id": None},
        {"invoice_id": "in_2"},
        {"amount": {"currency_code": "EUR", "value": "49.01"}},
        {"amount": {"currency_code": "USD", "value": "49.00"}},
        {"amount": {"currency_code": "EUR", "value": 49}},
        {"amount": {"currency_code": "EUR", "value": "0.00"}},
        {"amount": {"currency_code": "EUR", "value": "-49.00"}},
        {"amount": {"currency_code": "XXX", "value": "49.00"}},
        {"status": "PENDING", "amount": {"currency_code": "EUR", "value": "40.00"}},
        {"status": "moonlit"},
        {"status": None},
        {"id": None},
        {"id": "3C\u0000"},
    ],
)
def test_an_answer_that_is_not_about_what_was_sent_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        answers.read_order_of(order(**wrong), bytes_of(SENT))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "COMPLETED", "purchase_units": [{}]},
        {"status": "APPROVED", "purchase_units": [{"payments": {"captures": []}}]},
        {"purchase_units": [{"payments": {"captures": [CAPTURE, CAPTURE]}}]},
        {"purchase_units": [ORDER["purchase_units"], {}]},
        {"purchase_units": [{"payments": {"captures": "none"}}]},
        {"purchase_units": []},
    ],
)
def test_an_order_of_another_shape_is_not_believed(body: Any) -> None:
    with pytest.raises(Unreadable):
        answers.read_order_of(bytes_of(body), bytes_of(SENT))


def test_a_capture_that_was_refunded_was_money() -> None:
    for status in ("REFUNDED", "PARTIALLY_REFUNDED"):
        seen = answers.read_capture_with(
            bytes_of(CAPTURE | {"status": status}), "3C679366HH908993F", "tw-1"
        )
        assert isinstance(seen, Approved)


def test_another_capture_than_was_asked_for_is_not_believed() -> None:
    with pytest.raises(Unreadable):
        answers.read_capture_with(bytes_of(CAPTURE), "OTHER")
    with pytest.raises(Unreadable):
        answers.read_capture_with(bytes_of(CAPTURE), "3C679366HH908993F", "tw-2")


def test_of_several_captures_the_one_with_money_counts() -> None:
    money = Approved("A", Money(4900, "EUR"))
    no = Declined(DeclineKind.SOFT, "x", processor_payment_id="B")
    assert answers.choose([no, money]) == money
    assert answers.choose([no, no]) == no
    with pytest.raises(Unreadable):
        answers.choose([money, Accepted("C")])


def test_a_capture_names_its_order_and_the_order_its_refunds() -> None:
    assert answers.order_of(bytes_of(CAPTURE), "3C679366HH908993F") == "5O190127TN364715T"
    other = copy.deepcopy(REFUND)
    other["links"][1]["href"] = "https://api-m.paypal.com/v2/payments/captures/OTHER"  # type: ignore[index]
    unit = {"payments": {"captures": [CAPTURE], "refunds": [REFUND, other]}}
    body = bytes_of({"id": "5O190127TN364715T", "purchase_units": [unit]})
    (seen,) = answers.read_refunds(body, "5O190127TN364715T", "3C679366HH908993F")
    assert (seen.processor_refund_id, seen.reference) == ("1JU08902781691411", "tw-r1")
    assert seen.outcome == Approved("1JU08902781691411", Money(1000, "EUR"))
    with pytest.raises(Unreadable):
        answers.read_refunds(body, "OTHER", "3C679366HH908993F")
    with pytest.raises(Unreadable):
        answers.read_refunds(body, "5O190127TN364715T", "ELSEWHERE")


def test_a_refund_must_be_the_one_that_was_asked_for() -> None:
    sent = {"amount": REFUND["amount"], "custom_id": "tw-r1", "invoice_id": "tw-r1"}
    told = answers.read_refund_of(bytes_of(REFUND), "3C679366HH908993F", bytes_of(sent))
    assert isinstance(told, Approved)
    wrongs: tuple[dict[str, Any], ...] = (
        {"custom_id": "tw-r2"},
        {"amount": {"currency_code": "EUR", "value": "49.00"}},
        {"links": []},
        {"status": "moonlit"},
    )
    for wrong in wrongs:
        with pytest.raises(Unreadable):
            answers.read_refund_of(bytes_of(REFUND | wrong), "3C679366HH908993F", bytes_of(sent))
    with pytest.raises(Unreadable):
        answers.read_refund_of(bytes_of(REFUND), "OTHER", bytes_of(sent))


def test_a_dispute_says_where_the_money_is_and_what_it_cost() -> None:
    seen = disputes.read_dispute(DISPUTE)
    assert (seen.stage, seen.withheld) == (DisputeStage.OPENED, True)
    assert (seen.amount, seen.fee) == (Money(4900, "EUR"), Money(1500, "EUR"))
    assert disputes.reference_of(DISPUTE) == "tw-1"
    untaken = disputes.read_dispute(DISPUTE | {"money_movements": []})
    assert (untaken.withheld, untaken.fee) == (False, None)


@pytest.mark.parametrize(
    ("code", "moved", "stage"),
    [
        ("RESOLVED_SELLER_FAVOUR", [], DisputeStage.WON),
        ("CANCELED_BY_BUYER", [], DisputeStage.WON),
        ("RESOLVED_BUYER_FAVOUR", DISPUTE["money_movements"], DisputeStage.LOST),
        ("ACCEPTED", DISPUTE["money_movements"], DisputeStage.ACCEPTED),
        ("RESOLVED_WITH_PAYOUT", DISPUTE["money_movements"], DisputeStage.LOST),
        ("RESOLVED_WITH_PAYOUT", [], DisputeStage.WON),
    ],
)
def test_how_a_dispute_ends(code: str, moved: Any, stage: DisputeStage) -> None:
    ended = {"status": "RESOLVED", "dispute_outcome": {"outcome_code": code}}
    assert disputes.read_dispute(DISPUTE | ended | {"money_movements": moved}).stage is stage


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "moonlit"},
        {"status": "RESOLVED"},
        {"disputed_transactions": []},
        {"disputed_transactions": [{}, {}]},
        {"dispute_amount": None},
        {
            "money_movements": [
                {"affected_party": "SELLER", "type": "?", "amount": ROW["fee_amount"]}
            ]
        },
    ],
)
def test_a_dispute_of_another_shape_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        disputes.read_dispute(DISPUTE | wrong)


def test_a_line_of_the_report_shows_the_charge_and_its_fee() -> None:
    line = settlements.read_line(ROW)
    assert (line.kind, line.amount, line.fee) == (
        SettlementKind.CHARGE,
        Money(4900, "EUR"),
        Money(152, "EUR"),
    )
    assert (line.processor_payment_id, line.reference) == ("3C679366HH908993F", "tw-1")
    assert line.occurred_at == datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "minor", "kind"),
    [
        ("T0003", 4900, SettlementKind.CHARGE),
        ("T0006", 4900, SettlementKind.CHARGE),
        ("T0001", -4900, SettlementKind.OTHER),
        ("T0106", -1500, SettlementKind.FEE),
        ("T0400", -4900, SettlementKind.PAYOUT),
        ("T0403", -4900, SettlementKind.PAYOUT),
        ("T0400", 4900, SettlementKind.PAYOUT_RETURNED),
        ("T1101", 4900, SettlementKind.PAYOUT_RETURNED),
        ("T1106", -4900, SettlementKind.CHARGE_FAILED),
        ("T1107", -4900, SettlementKind.REFUND),
        ("T1107", 4900, SettlementKind.REFUND_FAILED),
        ("T1110", -4900, SettlementKind.HOLD),
        ("T1111", 4900, SettlementKind.HOLD),
        ("T1201", -4900, SettlementKind.DISPUTE),
        ("T1202", 4900, SettlementKind.DISPUTE_WON),
        ("T2103", -4900, SettlementKind.HOLD),
        ("T0200", -4900, SettlementKind.OTHER),
        ("T9700", 4900, SettlementKind.OTHER),
    ],
)
def test_what_each_event_code_means(code: str, minor: int, kind: SettlementKind) -> None:
    assert settlements.kind_of(code, minor) is kind


@pytest.mark.parametrize(
    "wrong",
    [
        {"transaction_id": None},
        {"transaction_amount": {"currency_code": "EUR", "value": "x"}},
        {"fee_amount": {"currency_code": "USD", "value": "-1.52"}},
        {"transaction_initiation_date": None},
        {"transaction_initiation_date": "yesterday"},
    ],
)
def test_a_line_of_another_shape_is_not_believed(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        settlements.read_line(ROW | wrong)


def test_the_next_page_of_events_is_never_asked_for_elsewhere() -> None:
    path = "/v1/notifications/webhooks-events"
    link = {"rel": "next", "href": f"https://evil.example{path}?page_size=5&next_page_token=x"}
    page = events.read_page(bytes_of({"events": [], "links": [link]}))
    assert page.following == "page_size=5&next_page_token=x"
    link["href"] = "https://api-m.paypal.com/v2/checkout/orders?x=1"
    with pytest.raises(Unreadable):
        events.read_page(bytes_of({"events": [], "links": [link]}))


@pytest.mark.parametrize(
    ("email", "shown"),
    [
        ("jane.doe@example.com", "j***@example.com"),
        ("j@example.com", "j***@example.com"),
        ("nobody", ""),
        ("@example.com", ""),
        ("", ""),
    ],
)
def test_an_address_is_shown_masked(email: str, shown: str) -> None:
    assert setups.masked(email) == shown


def test_a_claim_that_is_settled_with_a_part_is_for_a_person() -> None:
    """Credited as disputed, the customer would be given what PayPal never took from us."""
    part = {
        "affected_party": "SELLER",
        "type": "DEBIT",
        "reason": "DISPUTE_SETTLEMENT",
        "amount": {"currency_code": "EUR", "value": "10.00"},
    }
    lost = {"status": "RESOLVED", "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}}
    with pytest.raises(Unreadable, match="10"):
        disputes.read_dispute(DISPUTE | lost | {"money_movements": [part]})
    held = disputes.read_dispute(DISPUTE | {"status": "OPEN", "money_movements": [part]})
    assert held.withheld
