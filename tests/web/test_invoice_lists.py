"""GET /v1/invoices: found by anything that somebody may have in hand."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from tests.web.conftest import SCOPE
from tests.web.test_reading import START, add_invoice, add_payment, ids
from twintill.domain.facts import Answered, ChargeStarted, InvoiceReported, Via
from twintill.domain.facts import Method as Paying
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import Approved
from twintill.flows.learn import learn
from twintill.flows.means import Means
from twintill.money import Money
from twintill.store.inbox import Delivery, Event, receive
from twintill.store.tables import ledger_transactions, receipts

LONG_AGO = START - timedelta(days=400)
FAR = START + timedelta(days=4000)


@pytest.fixture
async def five(means: Means) -> None:
    await add_invoice(means, 0, amount_due_minor=100, due_at=LONG_AGO, number="A-1")
    await add_invoice(means, 1, amount_due_minor=900, due_at=LONG_AGO + timedelta(days=9))
    await add_invoice(means, 2, amount_due_minor=500, due_at=FAR, subscription_id="sub_1")
    await add_invoice(means, 3, amount_due_minor=500, due_at=LONG_AGO, status="paid")
    await add_invoice(means, 4, amount_due_minor=500, currency="SEK", status="void")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("overdue=true", ["in_01", "in_00"]),
        ("overdue=true&limit=1&starting_after=in_01", ["in_00"]),
        ("overdue=true&ending_before=in_00", ["in_01"]),
        ("overdue=false", ["in_04", "in_03", "in_02"]),
        ("overdue=true&customer=cus_1", ["in_01"]),
        ("due_date[lte]={late}", ["in_03", "in_00"]),
        ("due_date[gte]={far}", ["in_02"]),
        ("amount_due[gte]=500&currency=eur", ["in_01", "in_03", "in_02"]),
        ("amount_due[gte]=500&currency=EUR&limit=1&starting_after=in_03", ["in_02"]),
        ("amount_due[gte]=100&amount_due[lte]=100&currency=eur", ["in_00"]),
        ("currency=sek", ["in_04"]),
        ("status=void", ["in_04"]),
        ("number=A-1", ["in_00"]),
        ("number=A", []),
        ("subscription=sub_1", ["in_02"]),
        ("id_of=sub_1", ["in_02"]),
        ("id_of=cus_1", ["in_03", "in_01"]),
        ("id_of=A-1", ["in_00"]),
        ("id_of=in_03", ["in_03"]),
        ("id_of=nothing", []),
    ],
)
async def test_invoices_are_found(
    api: httpx.AsyncClient, five: None, query: str, expected: list[str]
) -> None:
    late, far = int(LONG_AGO.timestamp()), int(FAR.timestamp())
    assert await ids(api, f"/v1/invoices?{query.format(late=late, far=far)}") == expected


async def test_amounts_of_different_currencies_are_not_compared(api: httpx.AsyncClient) -> None:
    refused = await api.get("/v1/invoices?amount_due[gte]=500")
    assert (refused.status_code, refused.json()["param"]) == (400, "currency")


async def test_a_cursor_without_a_place_in_the_order_is_refused(
    api: httpx.AsyncClient, five: None
) -> None:
    refused = await api.get("/v1/invoices?overdue=true&starting_after=in_04")  # it has no due date
    assert (refused.status_code, refused.json()["param"]) == (400, "starting_after")


async def test_any_id_of_either_side_leads_to_the_invoice(
    api: httpx.AsyncClient, means: Means, five: None
) -> None:
    pay = await add_payment(means, 6)
    look = InvoiceLook(
        "in_06", InvoiceStatus.OPEN, "EUR", 1900, 0, 1900, "send_invoice", False, None
    )
    approved = Approved("ch_1", Money(1900, "EUR"))
    method = Paying("pm_1", "sandbox", "acct_sandbox")
    await learn(means, SCOPE, pay, ChargeStarted(look, method, 1, "tw-1", "key-1", "att_1"))
    await learn(means, SCOPE, pay, Answered("att_1", approved, Via.FIRST))
    await learn(means, SCOPE, pay, InvoiceReported(1900))
    known = [pay, "att_1", "tw-1", "ch_1", "evt_1"]
    async with means.database.begin() as db:
        known += (await db.execute(select(receipts.c.receipt_id))).scalars()
        known += (await db.execute(select(ledger_transactions.c.ledger_transaction_id))).scalars()
        its = Event("evt_1", "invoice.paid", "in_06")
        await receive(db, [Delivery(SCOPE, "stripe", {}, b"{}", "verified", [its])])
    for object_id in known:
        assert await ids(api, f"/v1/invoices?id_of={object_id}") == ["in_06"], object_id
