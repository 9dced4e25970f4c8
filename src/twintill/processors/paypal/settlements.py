"""PayPal's transactions as lines of our balance there, and its refunds as a list.

Source: developer.paypal.com, Transaction event codes (T-codes). PayPal pays a balance out, not
single payments: a payout is a line of its own, and no line says with which it went.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    DeclineKind,
    NoAnswer,
    NotSent,
    NotSentReason,
)
from twintill.money import Money
from twintill.processors import ListedRefund, RefundPage, SeenRefund
from twintill.processors.fields import Json, Unreadable, read_json, text_of, time_of, words_of
from twintill.processors.paypal import transactions
from twintill.processors.paypal.answers import capture_of, money_of, read_refund
from twintill.processors.paypal.line import Line
from twintill.processors.paypal.refusals import could_not, is_missing
from twintill.processors.paypal.transactions import Clock, NotYet, Page, Question, TooMany
from twintill.processors.reports import SettlementKind, SettlementLine, SettlementPage

_K = SettlementKind
REFUND = "T1107"
# Each refund of a page is asked for by itself: few enough for one look.
_REFUNDS = 20
_LINES = 500
# Single codes before their group.
_CODES = {
    "T1101": _K.PAYOUT_RETURNED,  # a withdrawal to the bank was reversed
    "T1105": _K.HOLD,
    "T1106": _K.CHARGE_FAILED,  # reversed by PayPal
    REFUND: _K.REFUND,
    "T1108": _K.FEE,
    "T1109": _K.FEE,
    # Held while a dispute is investigated, and let go whoever wins: what is taken is told by T1106.
    "T1110": _K.HOLD,
    "T1111": _K.HOLD,
    "T1201": _K.DISPUTE,
    "T1202": _K.DISPUTE_WON,
    "T1205": _K.DISPUTE_WON,  # a chargeback was reimbursed
    "T1207": _K.DISPUTE,
    "T1208": _K.DISPUTE_WON,
}
_GROUPS = {
    "T00": _K.CHARGE,
    "T01": _K.FEE,
    "T04": _K.PAYOUT,
    "T15": _K.HOLD,
    "T21": _K.HOLD,
}
_TURNED = {_K.PAYOUT: _K.PAYOUT_RETURNED, _K.REFUND: _K.REFUND_FAILED}


async def list_lines(
    line: Line, since: datetime, after: str | None, clock: Clock | None
) -> SettlementPage | NoAnswer | NotSent:
    try:
        asked = _question(since, after, clock)
        told = await _ask(line, asked, _LINES, "&balance_affecting_records_only=Y")
        if isinstance(told, NoAnswer | NotSent):
            return told
        asked, page = told
        lines = tuple(read_line(row) for row in page.rows if _counts(row))
        return SettlementPage(lines, _following(asked, page, clock))
    except Unreadable as error:
        return NoAnswer(f"a report that cannot be believed: {error}")


async def list_refunds(
    line: Line, since: datetime, after: str | None, clock: Clock | None
) -> RefundPage | NoAnswer | NotSent:
    try:
        asked = _question(since, after, clock)
        more = f"&transaction_type={REFUND}&balance_affecting_records_only=N"
        told = await _ask(line, asked, _REFUNDS, more)
        if isinstance(told, NoAnswer | NotSent):
            return told
        asked, page = told
        listed: list[ListedRefund] = []
        for row in page.rows:
            if row.get("transaction_event_code") != REFUND:
                continue
            refund = await _refund(line, row)
            if isinstance(refund, NoAnswer | NotSent):
                return refund
            listed.append(refund)
        return RefundPage(tuple(listed), _following(asked, page, clock))
    except Unreadable as error:
        return NoAnswer(f"a report that cannot be believed: {error}")


def read_line(row: Json) -> SettlementLine:
    """One movement of the balance. Raises Unreadable."""
    transaction_id, code = text_of(row, "transaction_id"), text_of(row, "transaction_event_code")
    amount = money_of(row, "transaction_amount")
    occurred_at = time_of(row, "transaction_initiation_date")
    if occurred_at is None:
        raise Unreadable("a transaction without its time")
    kind = kind_of(code, amount.minor)
    fee = money_of(row, "fee_amount") if row.get("fee_amount") is not None else None
    if fee is not None and fee.currency != amount.currency:
        raise Unreadable("a fee in another currency")
    is_payment = kind is _K.CHARGE
    about = words_of(row, "paypal_reference_id") or None
    if words_of(row, "paypal_reference_id_type") not in ("", "TXN"):
        about = None  # an order, an agreement
    return SettlementLine(
        # One id may name two movements, of which each has its own code.
        line_id=f"{transaction_id}:{code}",
        kind=kind,
        raw_type=code,
        amount=amount,
        occurred_at=occurred_at,
        # PayPal writes what it keeps below zero.
        fee=None if fee is None else Money(-fee.minor, fee.currency),
        processor_payment_id=transaction_id if is_payment else about,
        reference=(words_of(row, "custom_field") or None) if is_payment else None,
        object_id=transaction_id if kind is _K.REFUND else None,
        payout_id=transaction_id if kind in (_K.PAYOUT, _K.PAYOUT_RETURNED) else None,
    )


def kind_of(code: str, minor: int) -> SettlementKind:
    kind = _CODES.get(code) or _GROUPS.get(code[:3], _K.OTHER)
    if kind is _K.CHARGE and minor <= 0:
        return _K.OTHER  # a payment that we made
    return _TURNED[kind] if kind in _TURNED and minor > 0 else kind


def _counts(row: Json) -> bool:
    """Denied or pending moved nothing (yet); reversed is a movement with one of its own behind."""
    return words_of(row, "transaction_status") not in ("D", "P")


async def _refund(line: Line, row: Json) -> ListedRefund | NoAnswer | NotSent:
    """As PayPal shows it by itself: the report may repeat the charge's reference, not the
    refund's. What was not made through the API may be known to the report alone."""
    refund_id = text_of(row, "transaction_id")
    answer = await line.send("GET", f"/v2/payments/refunds/{quote(refund_id, safe='')}")
    if isinstance(answer, NotSent) and answer.reason is NotSentReason.CONFIG:
        return _as_reported(row, refund_id)  # made by another app: not ours to see
    if not isinstance(answer, httpx.Response):
        return answer
    if is_missing(answer):
        return _as_reported(row, refund_id)
    if answer.status_code != 200:
        return could_not(answer, f"ask for the refund {refund_id}")
    refund = read_json(answer.content)
    if refund.get("id") != refund_id:
        raise Unreadable("another refund than was asked for")
    try:
        return ListedRefund(capture_of(refund), read_refund(refund))
    except Unreadable:
        return _as_reported(row, refund_id)


def _as_reported(row: Json, refund_id: str) -> ListedRefund:
    reported = money_of(row, "transaction_amount")
    amount = Money(abs(reported.minor), reported.currency)
    status = words_of(row, "transaction_status")
    outcome: Approved | Accepted | Declined = Approved(refund_id, amount)
    if status == "P":
        outcome = Accepted(refund_id)
    elif status == "D":
        text = "The refund was denied."
        outcome = Declined(DeclineKind.HARD, "refund_denied", text, None, refund_id)
    seen = SeenRefund(refund_id, None, amount, outcome)
    return ListedRefund(text_of(row, "paypal_reference_id"), seen)


def _question(since: datetime, after: str | None, clock: Clock | None) -> Question:
    if after is None:
        return transactions.first_question(since, clock)
    return transactions.parse_question(after)


async def _ask(
    line: Line, asked: Question, size: int, more: str
) -> tuple[Question, Page] | NoAnswer | NotSent:
    """The page, and what it answers: a shorter time where there is too much to list."""
    page = await transactions.ask(line, asked, size=size, more=more)
    while isinstance(page, TooMany):
        asked = transactions.first_half(asked)
        page = await transactions.ask(line, asked, size=size, more=more)
    if isinstance(page, NotYet):
        return asked, Page((), 0, asked.start)  # nothing is known of this time: the end, for now
    return page if isinstance(page, NoAnswer | NotSent) else (asked, page)


def _following(asked: Question, page: Page, clock: Clock | None) -> str | None:
    following = transactions.next_question(asked, page, clock)
    return None if following is None else str(following)
