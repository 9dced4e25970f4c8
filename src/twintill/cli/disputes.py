"""`twintill disputes`: what customers claimed back through their banks."""

from typing import Annotated

import typer

from twintill.domain.money_back import DisputeStage
from twintill.money import Money

app = typer.Typer(no_args_is_help=True, help="Disputes: how far they are, and what they hold.")


@app.command("list")
def list_all(
    stage: Annotated[DisputeStage | None, typer.Option(help="Only those.")] = None,
    payment: Annotated[str | None, typer.Option(help="Only of this one, pay_...")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Newest first. A dispute is answered at the processor; Twintill follows it.

    Example: `twintill disputes list --stage opened`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store.dispute_pages import list_disputes
    from twintill.store.listing import Created, Page

    rows, _ = ask(
        lambda db, scope: list_disputes(db, scope, Page(limit), payment, stage, Created())
    )
    shown = [
        (
            row.dispute_id,
            row.payment_id,
            Money(row.amount_minor, row.currency),
            row.stage,
            "yes" if row.withheld else "no",
            Money(row.fee_minor, row.currency),
            row.processor_dispute_id,
        )
        for row in rows
    ]
    show(("dispute id", "payment id", "amount", "stage", "taken", "fee", "its id there"), shown)
