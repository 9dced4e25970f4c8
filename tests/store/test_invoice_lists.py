"""Lists of invoices read an index in their own order, however large the table is."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain.invoice import InvoiceStatus
from twintill.ids import Scope
from twintill.store.invoice_pages import InvoiceFilter, list_invoices
from twintill.store.listing import Created, Page

SCOPE = Scope("acct_test", False)
NOW_S = int(datetime.now(UTC).timestamp())
DAY_S = 86_400
# 12,000 over three years; one in 200 open, half of those overdue; one in 1000 void.
_FILL = (
    """INSERT INTO customers (stripe_account_id, livemode, customer_id, created_at)
    SELECT 'acct_test', false, 'cus_' || i, now() FROM generate_series(0, 999) AS i""",
    """INSERT INTO invoices (stripe_account_id, livemode, invoice_id, customer_id, subscription_id,
        number, status, collection_method, currency, amount_due_minor, amount_paid_minor,
        amount_remaining_minor, due_at, created_at, seen_at)
    SELECT 'acct_test', false, 'in_' || i, 'cus_' || i % 1000, 'sub_' || i % 1000, 'N-' || i,
        CASE WHEN i % 1000 = 1 THEN 'void' WHEN i % 200 = 0 THEN 'open' ELSE 'paid' END,
        'send_invoice', 'EUR', 1000 + i % 9000, 0, 0,
        CASE WHEN i % 400 = 0 THEN now() + interval '20 days' ELSE at + interval '30 days' END,
        at, at
    FROM (SELECT i, now() - interval '3 years' + i * interval '131 minutes' AS at
          FROM generate_series(1, 12000) AS i) AS each""",
    "ANALYZE invoices",
)
LISTS = [
    (InvoiceFilter(), "ix_invoices_created"),
    (InvoiceFilter(created=Created(lt_s=NOW_S - 900 * DAY_S)), "ix_invoices_created"),
    (InvoiceFilter(customer_id="cus_7"), "ix_invoices_customer"),
    (InvoiceFilter(subscription_id="sub_7"), "ix_invoices_subscription"),
    (InvoiceFilter(status=InvoiceStatus.VOID), "ix_invoices_status"),
    (InvoiceFilter(status=InvoiceStatus.OPEN), "ix_invoices_status"),
    (InvoiceFilter(number="N-77"), "ix_invoices_number"),
    (InvoiceFilter(overdue=True), "ix_invoices_overdue"),
    (InvoiceFilter(due=Created(lte_s=NOW_S - 900 * DAY_S)), "ix_invoices_due"),
    (InvoiceFilter(currency="EUR", least_minor=9990), "ix_invoices_amount_due"),
    (InvoiceFilter(currency="EUR", least_minor=0, most_minor=1002), "ix_invoices_amount_due"),
]


@pytest.fixture
async def many(engine: AsyncEngine, owner: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with owner.begin() as db:
        for statement in _FILL:
            await db.execute(text(statement))
    async with engine.connect() as db:
        yield db


async def test_each_filter_has_an_index_in_the_order_of_its_list(many: AsyncConnection) -> None:
    wrong = []
    for only, index in LISTS:
        with seen(many) as statements:
            rows, _ = await list_invoices(many, SCOPE, Page(), only)
        assert rows, only
        plan = await explain(many, statements[-1])
        used = [node.get("Index Name") for node in nodes(plan) if "Index Name" in node]
        scans = [n for n in nodes(plan) if n["Node Type"] in ("Seq Scan", "Sort")]
        if used != [index] or scans:
            wrong.append((only, used, [n["Node Type"] for n in nodes(plan)]))
    assert not wrong


async def test_any_id_is_found_without_reading_a_table(many: AsyncConnection) -> None:
    with seen(many) as statements:
        rows, _ = await list_invoices(many, SCOPE, Page(), InvoiceFilter(id_of="in_77"))
    assert [row.invoice_id for row in rows] == ["in_77"]
    await many.exec_driver_sql("SET enable_seqscan = off")  # the other tables are empty here
    for statement in statements:
        read = [n for n in nodes(await explain(many, statement)) if n["Node Type"] == "Seq Scan"]
        assert not read, statement


@contextmanager
def seen(db: AsyncConnection) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their values."""
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        statements.append((statement, values))

    event.listen(db.sync_engine, "before_cursor_execute", note)
    yield statements
    event.remove(db.sync_engine, "before_cursor_execute", note)


async def explain(db: AsyncConnection, statement: tuple[str, Any]) -> dict[str, Any]:
    found = await db.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement[0]}", statement[1])
    said = found.scalar_one()
    plan: dict[str, Any] = (json.loads(said) if isinstance(said, str) else said)[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
