"""/v1/invoices and /v1/payments: lists, filters, cursors, and a payment's whole history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.dialects.postgresql import insert

from tests.web.conftest import SCOPE
from twintill.domain.facts import (
    Answered,
    ChargeStarted,
    InvoiceReported,
    Via,
)
from twintill.domain.facts import Method as Paying
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.outcomes import Approved, Declined, DeclineKind
from twintill.domain.payment import Payment, Reason, State
from twintill.flows.learn import learn
from twintill.flows.means import Means
from twintill.ids import Scope, payment_id
from twintill.money import Money
from twintill.store import payments as stored
from twintill.store.scoped import key
from twintill.store.tables import customers, invoices

START = datetime(2026, 11, 1, tzinfo=UTC)
OTHER = Scope("acct_other", False)


async def add_invoice(means: Means, n: int, scope: Scope = SCOPE, **changes: Any) -> None:
    row = {
        **key(scope),
        "invoice_id": f"in_{n:02}",
        "customer_id": f"cus_{n % 2}",
        "status": "open",
        "collection_method": "send_invoice",
        "currency": "EUR",
        "amount_due_minor": 1900,
        "amount_paid_minor": 0,
        "amount_remaining_minor": 1900,
        "created_at": START + timedelta(hours=n // 2),  # two of each hour
        "seen_at": START,
    }
    async with means.database.begin() as db:
        customer = {**key(scope), "customer_id": f"cus_{n % 2}", "created_at": START}
        await db.execute(insert(customers).values(customer).on_conflict_do_nothing())
        await db.execute(insert(invoices).values(row | changes))


async def add_payment(means: Means, n: int, scope: Scope = SCOPE, **changes: Any) -> str:
    await add_invoice(means, n, scope)
    fields: dict[str, Any] = {
        "id": payment_id(scope, f"in_{n:02}"),
        "invoice_id": f"in_{n:02}",
        "customer_id": f"cus_{n % 2}",
        "currency": "EUR",
        "state": State.WAITING,
        "reason": Reason.READY,
        "next_look_at": START,
    }
    payment = Payment(**(fields | changes))
    async with means.database.begin() as db:
        await stored.add(db, scope, payment, "sandbox", START + timedelta(hours=n // 2))
    return payment.id


async def ids(api: httpx.AsyncClient, url: str) -> list[str]:
    answer = await api.get(url)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["data"]]


@pytest.fixture
async def seven(means: Means) -> None:
    for n in range(7):
        await add_invoice(means, n)
    await add_invoice(means, 7, OTHER)


async def test_a_list_has_stripes_shape(api: httpx.AsyncClient, seven: None) -> None:
    page = (await api.get("/v1/invoices?limit=2")).json()
    assert {k: page[k] for k in ("object", "url", "has_more")} == {
        "object": "list",
        "url": "/v1/invoices",
        "has_more": True,
    }
    assert page["data"][0] == {
        "id": "in_06",
        "object": "invoice",
        "livemode": False,
        "customer": "cus_0",
        "subscription": None,
        "number": None,
        "status": "open",
        "collection_method": "send_invoice",
        "billing_reason": None,
        "currency": "eur",
        "amount_due": 1900,
        "amount_paid": 0,
        "amount_remaining": 1900,
        "total": None,
        "due_date": None,
        "finalized_at": None,
        "created": int((START + timedelta(hours=3)).timestamp()),
        "seen": int(START.timestamp()),
        "stale": False,
        "payment": None,
    }


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10])
async def test_pages_forward_and_back_hold_everything_once(
    api: httpx.AsyncClient, seven: None, size: int
) -> None:
    forward: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/invoices?limit={size}{cursor}")).json()
        forward += [item["id"] for item in page["data"]]
        cursor = f"&starting_after={forward[-1]}"
        if not page["has_more"]:
            break
    assert forward == [f"in_{n:02}" for n in reversed(range(7))]
    back = await ids(api, f"/v1/invoices?limit=3&ending_before={forward[4]}")
    assert back == forward[1:4]


async def test_an_invoice_of_another_account_is_not_there(
    api: httpx.AsyncClient, seven: None
) -> None:
    assert (await api.get("/v1/invoices/in_07")).status_code == 404
    assert (await api.get("/v1/invoices?starting_after=in_07")).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("customer=cus_1", ["in_05", "in_03", "in_01"]),
        ("customer=cus_9", []),
        ("status=paid", []),
        ("subscription=sub_1", []),
        ("parked=true", []),
        ("created[gte]={3}", ["in_06"]),
        ("created[gt]={2}", ["in_06"]),
        ("created[lt]={1}", ["in_01", "in_00"]),
        ("created[lte]={0}", ["in_01", "in_00"]),
    ],
)
async def test_invoices_are_narrowed(
    api: httpx.AsyncClient, seven: None, query: str, expected: list[str]
) -> None:
    hours = [int((START + timedelta(hours=h)).timestamp()) for h in range(4)]
    assert await ids(api, f"/v1/invoices?{query.format(*hours)}") == expected


async def test_a_second_is_a_span(api: httpx.AsyncClient, means: Means) -> None:
    await add_invoice(means, 0, created_at=START + timedelta(milliseconds=700))
    shown = int(START.timestamp())
    assert await ids(api, f"/v1/invoices?created[lte]={shown}") == ["in_00"]
    assert await ids(api, f"/v1/invoices?created[gt]={shown}") == []


async def test_payments_are_narrowed(api: httpx.AsyncClient, means: Means) -> None:
    first = await add_payment(means, 0)
    parked = await add_payment(means, 3)
    async with means.database.begin() as db:
        await db.exec_driver_sql(
            "UPDATE payments SET parked_at = now(), parked_why = 'two approvals' "
            "WHERE invoice_id = 'in_03'"
        )
    await add_payment(means, 2, OTHER)
    assert await ids(api, "/v1/payments") == [parked, first]
    assert await ids(api, "/v1/payments?parked=true") == [parked]
    assert await ids(api, "/v1/payments?parked=false&state=waiting") == [first]
    assert await ids(api, "/v1/payments?invoice=in_03") == [parked]
    assert await ids(api, "/v1/payments?customer=cus_0") == [first]
    assert await ids(api, "/v1/invoices?parked=true") == ["in_03"]
    shown = (await api.get("/v1/invoices/in_03")).json()["payment"]
    assert shown == {
        "id": parked,
        "state": "waiting",
        "reason": "ready",
        "needs_person": "two approvals",
    }


async def test_a_payment_shows_everything_that_happened_to_it(
    api: httpx.AsyncClient, means: Means
) -> None:
    pay = await add_payment(means, 0)
    look = InvoiceLook(
        "in_00", InvoiceStatus.OPEN, "EUR", 1900, 0, 1900, "send_invoice", False, None
    )
    method = Paying("pm_1", "sandbox", "acct_sandbox")
    approved = Approved("ch_1", Money(1900, "EUR"))
    await learn(means, SCOPE, pay, ChargeStarted(look, method, 1, "tw-1", "key-1", "att_1"))
    await learn(means, SCOPE, pay, Answered("att_1", approved, Via.FIRST))
    await learn(means, SCOPE, pay, InvoiceReported(1900), actor="api:me")
    shown = (await api.get(f"/v1/payments/{pay}")).json()
    assert (shown["state"], shown["collected"], shown["reported"]) == ("reported", 1900, 1900)
    assert shown["next_look_at"] is None
    assert [(a["id"], a["outcome"], a["amount"]) for a in shown["attempts"]] == [
        ("att_1", "approved", 1900)
    ]
    assert [(r["source"], r["collected"], r["reported"]) for r in shown["receipts"]] == [
        ("attempt", 1900, 1900)
    ]
    assert [(h["fact"], h["state_after"], h["actor"]) for h in shown["history"]] == [
        ("ChargeStarted", "charging", "twintill"),
        ("Answered", "collected", "twintill"),
        ("InvoiceReported", "reported", "api:me"),
    ]
    assert [(t["kind"], [p["amount"] for p in t["postings"]]) for t in shown["ledger"]] == [
        ("collected", [1900, -1900]),
        ("reported", [1900, -1900]),
    ]
    listed = (await api.get("/v1/payments")).json()["data"][0]
    assert listed == {k: shown[k] for k in listed}


async def test_an_invoice_says_how_it_stands_and_tells_its_story(
    api: httpx.AsyncClient, means: Means
) -> None:
    pay = await add_payment(means, 0)
    look = InvoiceLook(
        "in_00", InvoiceStatus.OPEN, "EUR", 1900, 0, 1900, "send_invoice", False, None
    )
    method = Paying("pm_1", "sandbox", "acct_sandbox")
    await learn(means, SCOPE, pay, ChargeStarted(look, method, 1, "tw-1", "key-1", "att_1"))
    soft = Declined(DeclineKind.SOFT, "insufficient_funds", "no cover")
    await learn(means, SCOPE, pay, Answered("att_1", soft, Via.FIRST))
    listed = (await api.get("/v1/invoices")).json()["data"][0]
    shown = (await api.get("/v1/invoices/in_00")).json()
    assert listed == {k: shown[k] for k in listed}
    assert "Declined once (insufficient_funds)." in shown["state_in_words"]
    assert [(a["outcome"], a["code"]) for a in shown["attempts"]] == [
        ("declined", "insufficient_funds")
    ]
    assert (shown["overdue"], shown["subscription_status"]) == (False, None)

    story = (await api.get("/v1/invoices/in_00/timeline")).json()
    assert (story["has_more"], story["truncated"]) == (False, False)
    said = [(line["source"], line["kind"]) for line in story["data"]]
    assert ("twintill", "charge.sent") in said
    assert ("processor", "charge.declined") in said
    lines = [line["id"] for line in story["data"]]
    paged: list[str] = []
    while True:
        behind = f"&starting_after={paged[-1]}" if paged else ""
        page = (await api.get(f"/v1/invoices/in_00/timeline?limit=2{behind}")).json()
        paged += [line["id"] for line in page["data"]]
        if not page["has_more"]:
            break
    assert paged == lines
    refused = await api.get("/v1/invoices/in_00/timeline?starting_after=nothing")
    assert refused.json()["param"] == "starting_after"
    assert (await api.get("/v1/invoices/in_99/timeline")).status_code == 404
