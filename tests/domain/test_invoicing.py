"""What may be asked for when an invoice is made, and when one may be closed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    NO_ANSWER,
    NOT_CHARGED,
    NOW,
    POLICY,
    SITUATIONS,
    VOID,
    WRITTEN_OFF,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain import invoicing as rules
from twintill.domain.closing_facts import InvoiceClosed
from twintill.domain.decide import decide
from twintill.domain.payment import Reason, State
from twintill.errors import BadRequest


@pytest.mark.parametrize(
    ("amount_minor", "currency"),
    [(4900, "EUR"), (-1, "EUR"), (500, "JPY"), (1500, "ISK"), (-100, "UGX"), (1230, "KWD")],
)
def test_amounts_that_stripe_can_bill(amount_minor: int, currency: str) -> None:
    rules.require_amount(amount_minor, currency, "amount")


@pytest.mark.parametrize(
    ("amount_minor", "currency", "why"),
    [(1550, "ISK", "whole units"), (-1, "UGX", "whole units"), (1234, "KWD", "last digit")],
)
def test_amounts_that_stripe_cannot_bill_are_refused_not_rounded(
    amount_minor: int, currency: str, why: str
) -> None:
    with pytest.raises(BadRequest, match=why) as refused:
        rules.require_amount(amount_minor, currency, "items[0][amount]")
    assert (refused.value.code, refused.value.param) == ("amount_invalid", "items[0][amount]")


def test_a_customer_has_one_currency() -> None:
    assert rules.currency_of("EUR", None) == "EUR"
    assert rules.currency_of(None, "EUR") == "EUR"
    assert rules.currency_of("EUR", "EUR") == "EUR"
    with pytest.raises(BadRequest) as differs:
        rules.currency_of("USD", "EUR")
    assert differs.value.code == "currency_differs"
    with pytest.raises(BadRequest) as missing:
        rules.currency_of(None, None)
    assert missing.value.code == "currency_missing"


def test_250_items_and_not_one_more() -> None:
    rules.require_room(0, 250, "items")
    rules.require_room(249, 1, "invoice")
    for there, more in ((0, 251), (250, 1)):
        with pytest.raises(BadRequest, match="at most 250") as refused:
            rules.require_room(there, more, "items")
        assert refused.value.code == "too_many_items"


def test_due_after_now() -> None:
    rules.require_due_after(None, NOW)
    rules.require_due_after(NOW + timedelta(seconds=1), NOW)
    with pytest.raises(BadRequest) as refused:
        rules.require_due_after(NOW, NOW)
    assert refused.value.code == "due_date_past"


@pytest.mark.parametrize("prefix", ["ABC", "A1B2C3D4E5F6"])
def test_prefixes(prefix: str) -> None:
    rules.require_prefix(prefix)


@pytest.mark.parametrize("prefix", ["", "AB", "abc", "A-BC", "A1B2C3D4E5F67", "ABC\n"])
def test_prefixes_that_stripe_refuses(prefix: str) -> None:
    with pytest.raises(BadRequest) as refused:
        rules.require_prefix(prefix)
    assert refused.value.code == "prefix_invalid"


@pytest.mark.parametrize(
    ("situation", "code"),
    [
        ("waiting-ready", None),
        ("waiting-retry", None),
        ("waiting-parked", None),
        ("exhausted", None),
        ("reported", None),
        ("charging-started", "charge_out"),
        ("charging-in-doubt", "charge_out"),
        ("pending-accepted", "charge_out"),
        ("pending-needs-customer", "charge_out"),
        ("collected", "being_reported"),
        ("collected-second-out", "charge_out"),
    ],
)
def test_nothing_in_flight_is_dropped_by_closing(situation: str, code: str | None) -> None:
    refused = rules.cannot_be_closed(SITUATIONS[situation], NOW)
    assert (refused and refused[0]) == code


def test_a_request_that_may_still_arrive_is_waited_for() -> None:
    said = f.PersonSaid("att_1", replace(NOT_CHARGED, wait_s=7200), "looked", "no answer")
    payment = after(after(new_payment(), start(), answer(NO_ANSWER)), said, at=NOW)
    refused = rules.cannot_be_closed(payment, NOW)
    assert refused is not None
    assert refused[0] == "charge_out"
    assert decide(payment, InvoiceClosed(VOID), POLICY, NOW).payment == payment
    assert rules.cannot_be_closed(payment, NOW + timedelta(hours=3)) is None


def test_what_waits_for_a_retry_or_a_person_ends_at_once_when_it_is_closed() -> None:
    for situation in ("waiting-retry", "waiting-parked"):
        told = decide(SITUATIONS[situation], InvoiceClosed(VOID), POLICY, NOW)
        assert (told.payment.state, told.payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)
        assert (told.payment.ended, told.payment.parked_why) == (True, None)


def test_written_off_twice_is_told_once() -> None:
    written_off = InvoiceClosed(WRITTEN_OFF)
    once = decide(new_payment(), written_off, POLICY, NOW)
    again = decide(once.payment, written_off, POLICY, NOW)
    assert (again.payment, again.note) == (once.payment, "it has ended so")


@pytest.mark.parametrize(
    ("total", "before", "after", "words"),
    [
        (4900, 0, 0, None),
        (-500, 0, -500, "a credit for his next"),
        (10, 0, 10, "less than Stripe bills"),
        (4900, -1000, 0, "10.00 EUR"),
        (4900, -6000, -1100, "49.00 EUR"),
    ],
)
def test_what_becomes_of_the_balance_is_said(
    total: int, before: int, after: int, words: str | None
) -> None:
    note = rules.note_on(total, before, after, "EUR")
    assert note is None if words is None else words in str(note)
