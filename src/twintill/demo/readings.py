"""Reading the three books, each from its own source: Stripe, the processor, PostgreSQL."""

from collections import Counter
from typing import Any

import asyncpg
import httpx

from twintill.demo.books import Books, Movement, Posting, StripeInvoice

_REFERENCE = "twintill_reference"
_POSTINGS = """
SELECT posting.account, posting.currency, posting.amount_minor, payment.invoice_id
FROM postings AS posting
LEFT JOIN payments AS payment USING (stripe_account_id, livemode, payment_id)
ORDER BY posting.ledger_transaction_id, posting.n
"""


async def read_books(
    stripe: httpx.AsyncClient, processor: httpx.AsyncClient, database_url: str
) -> Books:
    """As they are now; nobody's answer is taken for another's."""
    expand = {"expand[]": "data.payments"}
    invoices = [row async for row in _rows(stripe, "/v1/invoices", "starting_after", expand)]
    noted: Counter[str] = Counter()
    async for note in _rows(stripe, "/v1/credit_notes", "starting_after", {}):
        if note["status"] != "void":
            noted[note["invoice"]] += note["out_of_band_amount"] or 0
    moved = [row async for row in _rows(processor, "/v1/transactions", "after", {})]
    balance = (await processor.get("/v1/balance")).raise_for_status().json()["balances"]
    return Books(
        invoices=[_invoice(row, noted[row["id"]]) for row in reversed(invoices)],
        movements=[_movement(row) for row in moved],
        processor_balance={row["currency"]: row["amount"] for row in balance},
        postings=await _read_postings(database_url),
    )


async def _rows(client: httpx.AsyncClient, path: str, cursor: str, query: dict[str, str]) -> Any:
    """Every row of a list, page by page."""
    after: dict[str, str] = {}
    while True:
        answer = await client.get(path, params={"limit": "100", **query, **after})
        page = answer.raise_for_status().json()
        for row in page["data"]:
            yield row
        if not page["has_more"]:
            return
        after = {cursor: page["data"][-1]["id"]}


def _invoice(row: Any, noted_minor: int) -> StripeInvoice:
    by_stripe = sum(
        payment["amount_paid"] or 0
        for payment in row["payments"]["data"]
        if payment["status"] == "paid"
    )
    return StripeInvoice(
        id=row["id"],
        number=row["number"],
        customer_id=row["customer"],
        status=row["status"],
        currency=row["currency"].upper(),
        due_minor=row["amount_due"],
        paid_minor=row["amount_paid"],
        off_stripe_minor=row["amount_paid"] - by_stripe - noted_minor,
        reference=row["metadata"].get(_REFERENCE),
    )


def _movement(row: Any) -> Movement:
    return Movement(row["reference"], row["currency"], row["amount"])


async def _read_postings(database_url: str) -> list[Posting]:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(_POSTINGS)
    finally:
        await connection.close()
    return [
        Posting(row["account"], row["currency"], row["amount_minor"], row["invoice_id"])
        for row in rows
    ]
