"""The mirror: a status only moves up, whatever order events and answers arrive in."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.ids import Scope
from twintill.store import mirror, subscription_history
from twintill.store.subscription_history import Told
from twintill.store.tables import invoices

SCOPE = Scope("acct_test", False)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LOOK = InvoiceLook(
    invoice_id="in_1",
    status=InvoiceStatus.OPEN,
    currency="EUR",
    amount_due_minor=4900,
    amount_paid_minor=0,
    amount_remaining_minor=4900,
    collection_method="send_invoice",
    livemode=False,
    due_at=None,
)


def event(status: str) -> dict[str, Any]:
    return {
        "invoice_id": "in_1",
        "customer_id": "cus_1",
        "subscription_id": None,
        "number": None,
        "status": status,
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "currency": "EUR",
        "amount_due_minor": 4900,
        "amount_paid_minor": 0,
        "amount_remaining_minor": 4900,
        "due_at": None,
    }


@pytest.mark.parametrize("closed", ["void", "paid", "uncollectible"])
async def test_an_answer_that_an_event_overtook_does_not_open_the_invoice_again(
    engine: AsyncEngine, closed: str
) -> None:
    async with engine.begin() as db:
        await mirror.add_customer(db, SCOPE, "cus_1")
        await mirror.saw_invoice(db, SCOPE, event("open"))
        await mirror.saw_invoice(db, SCOPE, event(closed))
        await mirror.saw_look(db, SCOPE, LOOK)
        row = (await db.execute(select(invoices))).one()
    assert (row.status, row.stale) == (closed, True)


async def test_a_further_status_brings_its_amounts_and_an_older_answer_takes_none_back(
    engine: AsyncEngine,
) -> None:
    """Nobody asks Stripe about an invoice that is paid by wire: its events are all that we have."""
    paid = {"amount_paid_minor": 4900, "amount_remaining_minor": 0, "total_minor": 5000}
    async with engine.begin() as db:
        await mirror.add_customer(db, SCOPE, "cus_1")
        await mirror.saw_invoice(db, SCOPE, event("open"))
        await mirror.saw_invoice(db, SCOPE, event("paid") | paid)
        await mirror.saw_invoice(db, SCOPE, event("open") | {"total_minor": 1})
        await mirror.saw_look(db, SCOPE, LOOK)
        row = (await db.execute(select(invoices))).one()
    assert (row.amount_paid_minor, row.amount_remaining_minor, row.total_minor) == (4900, 0, 5000)


async def test_a_draft_shows_its_last_amount(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        await mirror.add_customer(db, SCOPE, "cus_1")
        for minor in (0, 4900):
            seen = event("draft") | {"amount_due_minor": minor, "total_minor": minor}
            await mirror.saw_invoice(db, SCOPE, seen)
        row = (await db.execute(select(invoices))).one()
    assert (row.amount_due_minor, row.total_minor) == (4900, 4900)


async def test_each_status_of_a_subscription_is_kept_once(
    engine: AsyncEngine, owner: AsyncEngine
) -> None:
    statuses = ["active", "active", "past_due", "canceled", "active"]  # the last one came late
    async with engine.begin() as db:
        await mirror.add_customer(db, SCOPE, "cus_1")
        for n, status in enumerate(statuses):
            await mirror.saw_subscription(
                db,
                SCOPE,
                subscription_id="sub_1",
                customer_id="cus_1",
                status=status,
                collection_method="send_invoice",
                by=Told(f"evt_{n}"),
            )
        rows = await subscription_history.between(db, SCOPE, "sub_1", LONG_AGO, None, 10)
    assert [(r.status_before, r.status_after, r.actor) for r in rows] == [
        (None, "active", "evt_0"),
        ("active", "past_due", "evt_2"),
        ("past_due", "canceled", "evt_3"),
    ]
    with pytest.raises(DBAPIError):
        async with owner.begin() as db:
            await db.execute(text("DELETE FROM subscription_history"))
