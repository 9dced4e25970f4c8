"""Reads the sandbox processor's list of events and its book, as a report of settlement. Pure."""

from __future__ import annotations

import json

from twintill.processors.fields import Json, Unreadable, list_of, read_json, text_of, time_of
from twintill.processors.reports import EventPage, SettlementKind, SettlementLine, SettlementPage
from twintill.processors.sandbox.currencies import MAX_AMOUNT, from_sandbox

_KINDS = {
    "charge": SettlementKind.CHARGE,
    "charge_failure": SettlementKind.CHARGE_FAILED,
    "refund": SettlementKind.REFUND,
    "refund_failure": SettlementKind.REFUND_FAILED,
    "dispute": SettlementKind.DISPUTE,
    "dispute_reversal": SettlementKind.DISPUTE_WON,
    "fee": SettlementKind.FEE,
    "payout": SettlementKind.PAYOUT,
}


def read_events(body: bytes) -> EventPage:
    """A body for each event, as a webhook would bring it alone: one bad event is parked alone."""
    events, following = read_page(body)
    return EventPage(tuple(json.dumps({"events": [event]}).encode() for event in events), following)


def read_settlements(body: bytes) -> SettlementPage:
    """Every movement of the book is a line; a fee is one of its own, beside its charge's."""
    lines, following = read_page(body)
    return SettlementPage(tuple(_read_line(line) for line in lines), following)


def read_page(body: bytes) -> tuple[list[Json], str | None]:
    """What is listed, and where the next page begins. Raises Unreadable."""
    page = read_json(body)
    rows = list_of(page, "data")
    if not isinstance(page.get("has_more"), bool) or not all(isinstance(row, dict) for row in rows):
        raise Unreadable("not a page of a list")
    return rows, text_of(page, "next") if page["has_more"] else None


def _read_line(line: Json) -> SettlementLine:
    raw_type, source = text_of(line, "type"), text_of(line, "source")
    amount, occurred_at = line.get("amount"), time_of(line, "created")
    if type(amount) is not int or not 0 < abs(amount) <= MAX_AMOUNT or occurred_at is None:
        raise Unreadable("a movement's amount or time is not as documented")
    try:
        money = from_sandbox(amount, text_of(line, "currency"))
    except (KeyError, ValueError) as error:
        raise Unreadable(f"amount or currency: {error}") from None
    charge_id, kind = line.get("charge"), _KINDS.get(raw_type, SettlementKind.OTHER)
    return SettlementLine(
        line_id=text_of(line, "id"),
        kind=kind,
        raw_type=raw_type,
        amount=money,
        occurred_at=occurred_at,
        processor_payment_id=text_of(line, "charge") if charge_id else None,
        reference=text_of(line, "reference") if line.get("reference") else None,
        object_id=source if source != charge_id else None,
        payout_id=source if kind is SettlementKind.PAYOUT else None,
    )
