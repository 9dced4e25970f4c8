"""How the demo ends on the terminal: the table of the three books, and the invitation."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from twintill.demo.books import IN_HAND, Comparison, Row, compare
from twintill.demo.people import CURRENCY, money
from twintill.demo.readings import read_books
from twintill.demo.stage import Stage
from twintill.money import Money


async def compare_books(stage: Stage, names: Mapping[str, str]) -> bool:
    """The table, from three independent readings; whether they agree to the cent.

    `names`: who is who, by the customer's id at Stripe.
    """
    tell = stage.telling
    now = await stage.database.now()
    comparison = compare(
        await read_books(stage.stripe, stage.till, stage.processor, stage.database.url, now)
    )
    parked = await _parked(stage)
    tell.heading(
        "Three books",
        f"Stripe's API, {stage.till.words.records}, our ledger: each read anew. In {CURRENCY}.",
    )
    tell.table(_table(comparison, names))
    tell.plain()
    for (account, currency), minor in comparison.balances.items():
        tell.line("ledger", f"{account:<34}{Money(minor, currency)!s:>14}")
    for difference in (*comparison.differences, *parked):
        tell.bad(difference)
    if comparison.differences or parked:
        tell.bad("The books differ.")
        return False
    collected = sum(row.processor_minor or 0 for row in comparison.rows)
    by_hand = sum(m for (account, _), m in comparison.balances.items() if account in IN_HAND)
    also = f"; {money(by_hand)} by hand" if by_hand else ""
    title = stage.till.words.title
    paid_out = comparison.books.paid_out.get(CURRENCY, 0)
    fees = comparison.books.fees.get(CURRENCY, 0)
    where = f"at {title}"
    if paid_out:
        where = f"paid out by {title}, but for its fees ({money(fees)})"
        owed = comparison.books.processor_balance.get(CURRENCY, 0)
        where += f" and {money(owed)} that it still owes" if owed else ""
    tell.good(
        f"Stripe, {title} and the ledger agree to the cent: {money(collected)} collected, "
        f"reported, and {where}{also}. Took {tell.elapsed_s:.0f} s."
    )
    return True


def invite(stage: Stage, folder: Path) -> None:
    """What is left running, for whoever wants to try it."""
    at, tell = stage.addresses, stage.telling
    tell.plain()
    tell.line("API", f"{at.web}/docs")
    tell.line("API key", stage.api_key)
    tell.line("", f"curl -H 'Authorization: Bearer {stage.api_key}' {at.web}/v1/payments")
    tell.line("Stripe", f"{at.stripe}  any key sk_test_…  e.g. GET /v1/invoices, /_sandbox/state")
    tell.line("processor", f"{at.processor}  e.g. GET /_sandbox/state")
    tell.line("commands", f". {folder / 'env'} && {_command()} sandbox clock advance 31d")
    tell.line("logs", str(folder / "logs"))
    tell.good("Everything keeps running. Ctrl-C here stops all of it.")


def _command() -> str:
    """How this program is called from here."""
    return os.path.relpath(Path(sys.executable).parent / "twintill")


async def _parked(stage: Stage) -> list[str]:
    """Whatever waits for a person, of which the story has none."""
    rows = await stage.database.fetch(
        "SELECT 'payment' AS what, payment_id AS id, parked_why AS why FROM payments "
        "WHERE parked_at IS NOT NULL UNION ALL "
        "SELECT 'inbox', type, parked_why FROM inbox WHERE parked_at IS NOT NULL UNION ALL "
        "SELECT 'operation', operation_id, parked_why FROM operations WHERE parked_at IS NOT NULL"
    )
    return [f"{row['what']} {row['id']} waits for a person: {row['why']}" for row in rows]


def _table(comparison: Comparison, names: Mapping[str, str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)  # 80 columns are enough
    for heading in ("who", "invoice", "Stripe"):
        table.add_column(heading)
    for heading in ("due", "off Stripe", "processor", "ledger"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for cells in sorted(_cells(row, names) for row in comparison.rows):
        table.add_row(*cells)
    return table


def _cells(row: Row, names: Mapping[str, str]) -> tuple[str, ...]:
    invoice = row.invoice
    return (
        names.get(invoice.customer_id, invoice.customer_id),
        invoice.number or "(draft)",
        invoice.status,
        _minor(invoice.due_minor),
        _minor(invoice.off_stripe_minor),
        _minor(row.processor_minor),
        _minor(row.ledger_minor),
        row.verdict,
    )


def _minor(minor: int | None) -> str:
    """The whole story is in one currency, which the heading names."""
    return money(minor).partition(" ")[0] if minor else "–"
