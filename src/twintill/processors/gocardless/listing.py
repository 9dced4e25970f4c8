"""What GoCardless tells when it is asked: disputes, events that were not delivered, payouts."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime

from twintill.domain.outcomes import NoAnswer, NotFound, NotSent
from twintill.processors import DisputePage, SeenDispute
from twintill.processors.fields import Json, Unreadable, text_of, time_of
from twintill.processors.gocardless import answers, disputes, payouts
from twintill.processors.gocardless.connection import LOOK_S, Connection, Gone, stamp
from twintill.processors.reports import EventPage, SettlementLine, SettlementPage

# Each needs two more requests.
DISPUTES_A_PAGE = 10
# As many as a webhook carries.
EVENTS_A_PAGE = 250


async def get_dispute(
    at: Connection, dispute_id: str
) -> SeenDispute | NotFound | NoAnswer | NotSent:
    payment_id, n = disputes.payment_and_n(dispute_id)
    try:
        return await _dispute(at, payment_id, n) or NotFound()
    except Unreadable as error:
        return NoAnswer(f"a dispute that cannot be believed: {error}")


async def list_disputes(
    at: Connection, opened_since: datetime, after: str | None
) -> DisputePage | NoAnswer | NotSent:
    """A page of chargebacks; the payment and its events say of each how it stands."""
    asked = {
        "resource_type": "payments",
        "action": "charged_back",
        "created_at[gte]": stamp(opened_since),
        "limit": str(DISPUTES_A_PAGE),
    }
    listed: list[SeenDispute] = []
    try:
        async with asyncio.timeout(LOOK_S):
            page = await at.page("events", asked, after)
            if not isinstance(page, answers.Page):
                return page
            for payment_id in disputes.payments_of(page.rows):
                seen = await _dispute(at, payment_id, None)
                if isinstance(seen, NotSent | NoAnswer):
                    return seen
                listed += [] if seen is None else [seen]
            return DisputePage(tuple(listed), page.following)
    except TimeoutError:
        return NoAnswer(f"a page of disputes could not be read within {LOOK_S:g} s")
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")


async def list_events(
    at: Connection, since: datetime, after: str | None
) -> EventPage | NoAnswer | NotSent:
    """A page as one body like a webhook's, the oldest of it first."""
    asked = {"created_at[gte]": stamp(since), "limit": str(EVENTS_A_PAGE)}
    try:
        page = await at.page("events", asked, after)
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")
    if not isinstance(page, answers.Page):
        return page
    body = json.dumps({"events": page.rows[::-1]}).encode()
    return EventPage((body,) if page.rows else (), page.following)


async def list_settlements(
    at: Connection, creditor_id: str, since: datetime, after: str | None
) -> SettlementPage | NoAnswer | NotSent:
    """One payout a page, with all of its items: only together do they add up."""
    asked = {"created_at[gte]": stamp(since), "creditor": creditor_id, "limit": "1"}
    try:
        page = await at.page("payouts", asked, after)
        if not isinstance(page, answers.Page):
            return page
        lines: list[SettlementLine] = []
        for payout in page.rows:
            items = await _items(at, text_of(payout, "id"))
            if isinstance(items, NotSent | NoAnswer):
                return items
            lines += payouts.read_lines(payout, items)
        return SettlementPage(tuple(lines), page.following)
    except Unreadable as error:
        return NoAnswer(f"a payout that cannot be believed: {error}")


async def _items(at: Connection, payout_id: str) -> list[Json] | NotSent | NoAnswer | None:
    """None: it is older than six months, and they are not shown any more (HTTP 410)."""
    items = await at.all("payout_items", {"payout": payout_id})
    return None if isinstance(items, Gone) else items


async def _dispute(
    at: Connection, payment_id: str, n: int | None
) -> SeenDispute | NoAnswer | NotSent | None:
    """The n-th of a payment, or its last. Raises Unreadable."""
    payment = await at.get("payments", payment_id)
    if payment is None or isinstance(payment, NotSent | NoAnswer):
        return payment
    events = await at.all("events", {"payment": payment_id})
    if not isinstance(events, list):
        return events
    its_n = disputes.count(events) if n is None else n
    if not disputes.may_stay(payment, events, its_n):
        return disputes.read_dispute(payment, events, its_n, None)
    newest = await at.page("events", {"limit": "1"})
    if not isinstance(newest, answers.Page):
        return newest
    now = time_of(newest.rows[0], "created_at") if newest.rows else None
    return disputes.read_dispute(payment, events, its_n, now)
