"""`twintill invoices`: what Stripe's invoices are, and what can be done with them."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Invoices: how they stand, and what was done to them.")


@app.command()
def actions(invoice_id: Annotated[str, typer.Argument(help="in_...")]) -> None:
    """Who did what to an invoice through Twintill, the oldest first.

    Example: `twintill invoices actions in_1PgafmB7WZ01zgkW6dKueIc5`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show as table
    from twintill.store import invoice_actions

    rows = [
        (row.at, row.action, row.actor, row.why)
        for row in ask(lambda db, scope: invoice_actions.of_invoice(db, scope, invoice_id))
    ]
    table(("at", "action", "by", "why"), rows)
