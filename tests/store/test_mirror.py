"""The mirror: a status only moves up, whatever order events and answers arrive in."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.ids import Scope
from twintill.store import mirror
from twintill.store.tables import invoices

SCOPE = Scope("acct_test", False)
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
