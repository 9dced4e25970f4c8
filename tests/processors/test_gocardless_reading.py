"""GoCardless's adapter, its pure parts: what it sends, what a payout adds up to, its settings."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processors.gocardless_server import payment
from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.errors import SettingsError
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    PreparedCharge,
    PreparedRefund,
    RefundRequest,
    StoredMethod,
)
from twintill.processors.fields import Unreadable
from twintill.processors.gocardless import GoCardless, answers, requests
from twintill.processors.gocardless.currencies import (
    MAX_AMOUNT,
    SCHEMES,
    from_gocardless,
    read_written,
    to_gocardless,
    written,
)
from twintill.processors.gocardless.payouts import read_lines
from twintill.processors.gocardless.plug import PLUG, GoCardlessSettings
from twintill.processors.reports import SettlementKind

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
METHOD = StoredMethod("CU1", "MD1", "bank_debit")


def order(amount: Money, **fields: Any) -> ChargeRequest:
    wanted: dict[str, Any] = {
        "reference": "tw-1",
        "invoice_id": "in_1",
        "amount": amount,
        "method": METHOD,
        "description": "Invoice in_1",
        "metadata": {"invoice": "in_1", "payment": "pay_1"},
        **fields,
    }
    return ChargeRequest(**wanted)


@given(st.integers(1, MAX_AMOUNT), st.sampled_from(sorted(SCHEMES)))
def test_an_amount_is_exact_there_and_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert from_gocardless(to_gocardless(money), currency) == money
    assert read_written(written(minor, currency)) == money
    prepared = requests.prepare(order(money), "key")
    assert isinstance(prepared, PreparedCharge)
    assert json.loads(prepared.body)["payments"]["amount"] == minor


@pytest.mark.parametrize(
    "amount", [Money(100, "CHF"), Money(100, "JPY"), Money(0, "EUR"), Money(MAX_AMOUNT + 1, "EUR")]
)
def test_what_it_does_not_collect_is_not_sent(amount: Money) -> None:
    refused = requests.prepare(order(amount), "key")
    assert isinstance(refused, NotSent)
    assert refused.reason is NotSentReason.CONFIG
    refused_refund = requests.prepare_refund(RefundRequest("tw-r1", "PM1", amount), "key")
    assert isinstance(refused_refund, NotSent)


@pytest.mark.parametrize("reference", ["", "x" * 36, "tw 1", "tw-é", "tw-1\n"])
def test_a_reference_that_would_not_come_back_is_not_sent(reference: str) -> None:
    assert isinstance(requests.prepare(order(Money(1, "EUR"), reference=reference), "k"), NotSent)


def test_equal_requests_are_equal_bytes() -> None:
    one, two = (requests.prepare(order(Money(4900, "EUR")), "key") for _ in range(2))
    assert one == two
    assert isinstance(one, PreparedCharge)
    assert b"MD1" not in repr(one).encode()
    sums = [
        requests.prepare_refund(RefundRequest("tw-r1", "PM1", Money(900, "EUR"), before), "key")
        for before in (0, 0, 100)
    ]
    assert isinstance(sums[0], PreparedRefund)
    assert sums[0] == sums[1] != sums[2]


def test_a_charge_of_a_later_day_names_it_and_metadata_has_three_keys() -> None:
    later = order(Money(1, "EUR"), not_before=datetime(2026, 4, 1, tzinfo=UTC))
    prepared = requests.prepare(later, "key")
    assert isinstance(prepared, PreparedCharge)
    fields = json.loads(prepared.body)["payments"]
    assert fields["charge_date"] == "2026-04-01"
    assert len(fields["metadata"]) <= 3


@given(st.dictionaries(st.sampled_from(sorted(payment())), JSON, max_size=4))
def test_any_payment_is_read_or_unreadable(fields: dict[str, Any]) -> None:
    try:
        answers.read_payment({**payment("confirmed"), **fields})
        answers.choose([{**payment(), **fields}], "tw-1")
    except Unreadable:
        pass


def payout(amount: int, fees: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": "PO1",
        "amount": amount,
        "deducted_fees": fees,
        "currency": "GBP",
        "status": "paid",
        "created_at": "2026-03-10T12:00:00.000Z",
        **fields,
    }


def item(kind: str, amount: str, **links: str) -> dict[str, Any]:
    return {"type": kind, "amount": amount, "taxes": [], "links": links}


def test_a_payout_adds_up_to_nothing_with_whole_fees() -> None:
    items = [
        item("payment_paid_out", "10000.0", payment="PM1"),
        item("gocardless_fee", "-100.4", payment="PM1"),
        item("payment_paid_out", "5000.0", payment="PM2"),
        item("app_fee", "-50.1", payment="PM2"),
        item("payment_failed", "-3000.0", payment="PM3"),
        item("payment_charged_back", "-2000.0", payment="PM4"),
        item("payment_refunded", "-900.0", payment="PM5", refund="RF5"),
        item("refund_funds_returned", "900.0", payment="PM6", refund="RF6"),
        item("revenue_share", "7.0", payment="PM1"),
    ]
    lines = read_lines(payout(9856, 151), items)
    assert [(line.kind, line.amount.minor) for line in lines] == [
        (SettlementKind.CHARGE, 10_000),
        (SettlementKind.CHARGE, 5000),
        (SettlementKind.CHARGE_FAILED, -3000),
        (SettlementKind.DISPUTE, -2000),
        (SettlementKind.REFUND, -900),
        (SettlementKind.REFUND_FAILED, 900),
        (SettlementKind.OTHER, 7),
        (SettlementKind.FEE, -151),
        (SettlementKind.PAYOUT, -9856),
    ]
    assert sum(line.amount.minor for line in lines) == 0
    assert len({line.line_id for line in lines}) == len(lines)
    assert {line.payout_id for line in lines} == {"PO1"}
    assert (lines[4].processor_payment_id, lines[4].object_id) == ("PM5", "RF5")
    assert lines == read_lines(payout(9856, 151), items)


def test_what_gocardless_rounded_is_shown_and_spread_over_nothing() -> None:
    lines = read_lines(payout(949, 50), [item("payment_paid_out", "1000.0", payment="PM1")])
    rest = [line for line in lines if line.raw_type == "rounding"]
    assert [(line.kind, line.amount.minor) for line in rest] == [(SettlementKind.OTHER, -1)]
    assert sum(line.amount.minor for line in lines) == 0


def test_fees_that_came_back_are_ours_and_a_bounced_payout_comes_back() -> None:
    failed = item("payment_failed", "-1000.0", payment="PM1")
    won = item("payment_charged_back", "2000.0", payment="PM2")
    lines = read_lines(payout(1025, -25, status="bounced"), [failed, won])
    kinds = {line.kind: line.amount.minor for line in lines}
    assert kinds[SettlementKind.FEE] == 25
    assert kinds[SettlementKind.DISPUTE_WON] == 2000
    assert kinds[SettlementKind.PAYOUT_RETURNED] == 1025


def test_the_same_item_twice_is_two_lines() -> None:
    twice = [item("payment_paid_out", "10.0", payment="PM1")] * 2
    first, second, *_ = read_lines(payout(20, 0), twice)
    assert first.line_id != second.line_id


@pytest.mark.parametrize(
    ("the_payout", "items"),
    [
        ({**payout(10, 0), "amount": "10"}, []),
        (payout(10, 0, currency="CHF"), []),
        (payout(10, 0, created_at=None), []),
        (payout(10, 0), [item("payment_paid_out", "10.5", payment="PM1")]),
        (payout(10, 0), [item("payment_paid_out", "ten", payment="PM1")]),
        (payout(10, 0), [item("gocardless_fee", "a bit", payment="PM1")]),
        (payout(10, 0), [{"type": "payment_paid_out", "amount": 10, "links": {}}]),
    ],
)
def test_what_cannot_be_exact_is_not_read(
    the_payout: dict[str, Any], items: list[dict[str, Any]]
) -> None:
    with pytest.raises(Unreadable):
        read_lines(the_payout, items)


@pytest.mark.parametrize(
    ("token", "secrets", "creditor", "url"),
    [
        ("", ("secret",), "CR1", "https://a.test"),
        ("clé", ("secret",), "CR1", "https://a.test"),
        ("token", (), "CR1", "https://a.test"),
        ("token", ("secret", ""), "CR1", "https://a.test"),
        ("token", ("secret",), "", "https://a.test"),
        ("token", ("secret",), "CR1", "ftp://a.test"),
    ],
)
def test_it_refuses_to_exist_half_configured(
    token: str, secrets: tuple[str, ...], creditor: str, url: str
) -> None:
    with pytest.raises(SettingsError):
        GoCardless(token, secrets, creditor, url)


def settings(monkeypatch: pytest.MonkeyPatch, **others: str) -> GoCardlessSettings:
    said = {
        "ENVIRONMENT": "sandbox",
        "ACCESS_TOKEN": "sandbox_123",
        "WEBHOOK_SECRETS": "one,two",
        "CREDITOR_ID": "CR1",
        **others,
    }
    for name, value in said.items():
        monkeypatch.setenv(f"TWINTILL_GOCARDLESS_{name}", value)
    return GoCardlessSettings()


async def test_its_settings_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = settings(monkeypatch)
    assert said.problems(livemode=False) == []
    processor = PLUG.open(said)
    assert (processor.name, processor.account_id) == ("gocardless", "CR1")
    await processor.aclose()


@pytest.mark.parametrize(
    ("livemode", "others", "word"),
    [
        (True, {}, "must be live"),
        (True, {"ENVIRONMENT": "live", "URL": "http://127.0.0.1:1"}, "without"),
        (True, {"ENVIRONMENT": "live"}, "other environment"),
        (False, {"ENVIRONMENT": "live", "ACCESS_TOKEN": "live_1"}, "must be sandbox"),
        (False, {"ACCESS_TOKEN": "live_1"}, "other environment"),
    ],
)
def test_real_money_and_play_money_are_not_mixed(
    monkeypatch: pytest.MonkeyPatch, livemode: bool, others: dict[str, str], word: str
) -> None:
    told = settings(monkeypatch, **others).problems(livemode=livemode)
    assert [line for line in told if word in line]
