"""`twintill operations`: those that are parked for a person, and another try for one of them."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="What takes several calls (sign-ups, switches, ...): what is parked, and another try.",
)


@app.command()
def parked(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Operations that cannot go on by themselves, newest first, each with the reason."""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store.listing import Page
    from twintill.store.parked_operations import list_parked

    rows, _ = ask(lambda db, scope: list_parked(db, scope, Page(limit)))
    shown = [
        (row.operation_id, row.kind, row.step, row.customer_id, row.parked_at, row.parked_why)
        for row in rows
    ]
    show(("operation id", "kind", "step", "customer", "since", "why"), shown)


@app.command()
def replay(operation_id: Annotated[str, typer.Argument(help="As `parked` lists it.")]) -> None:
    """Put a parked operation back to work, once the reason is mended.

    It goes on at the step where it stopped; what it made already is found, not made again.

    Example: `twintill operations replay op_4c1e...`
    """
    from twintill.cli.asking import ask
    from twintill.store import parked_operations

    ask(lambda db, scope: parked_operations.replay(db, scope, operation_id))
    print(f"{operation_id} will be looked at again.")
