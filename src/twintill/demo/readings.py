"""Reading the three books, each from its own source: Stripe, the processor, PostgreSQL."""

from collections import Counter
from datetime import datetime
from typing import Any

import asyncpg
import httpx

from twintill.demo import calls
from twintill.demo.books import Books, Posting, StripeInvoice
from twintill.demo.tills import Till

_REFERENCE = "twintill_reference"
_POSTINGS = """
SELECT posting.account, posting.currency, posting.amount_minor,
       CASE WHEN ledger.kind <> 'settlement' THEN payment.invoice_id END AS invoice_id
FROM postings AS posting
JOIN ledger_transactions AS ledger
    USING (stripe_account_id, livemode, ledger_transaction_id)
LEFT JOIN payments AS payment
    ON (payment.stripe_account_id, payment.livemode, payment.payment_id)
     = (posting.stripe_account_id, posting.livemode, posting.payment_id)
ORDER BY ledger_transaction_id, posting.n
"""


async def read_books(
    stripe: httpx.AsyncClient,
    till: Till,
    processor: httpx.AsyncClient,
    database_url: str,
    now: datetime,
) -> Books:
    """As they are now; nobody's answer is taken for another's."""
    expand = {"expand[]": "data.payments"}
    listed = calls.rows(stripe, "/v1/invoices", "starting_after", **expand)
    invoices = [row async for row in listed]
    noted: Counter[str] = Counter()
    async for note in calls.rows(stripe, "/v1/credit_notes", "starting_after"):
        if note["status"] != "void":
            noted[note["invoice"]] += note["out_of_band_amount"] or 0
    there = await till.read_book(processor, now)
    return Books(
        invoices=[_invoice(row, noted[row["id"]]) for row in reversed(invoices)],
        movements=there.movements,
        processor_balance=there.balances,
        fees=there.fees,
        paid_out=there.paid_out,
        postings=await _read_postings(database_url),
    )


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
