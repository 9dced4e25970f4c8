"""`twintill inbox`: events that are parked for a person, and another try for one of them."""

import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Webhook events: what is parked, and another try.")


@app.command()
def parked(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
) -> None:
    """Events that nobody could take in, newest first, each with the reason."""
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import inbox_rows

    rows = [
        (row.inbox_id, row.source, row.type, row.object_id, row.parked_at, row.parked_why)
        for row in ask(lambda db, scope: inbox_rows.list_parked(db, scope, limit))
    ]
    show(("inbox id", "source", "type", "object", "since", "why"), rows)


@app.command()
def body(inbox_id: Annotated[int, typer.Argument(help="As `parked` lists it.")]) -> None:
    """Print the raw body of the delivery, as it came."""
    from twintill.cli.asking import ask
    from twintill.store import inbox_rows

    received = ask(lambda db, scope: inbox_rows.read(db, scope, inbox_id))
    sys.stdout.buffer.write(received.body + b"\n")


@app.command()
def replay(inbox_id: Annotated[int, typer.Argument(help="As `parked` lists it.")]) -> None:
    """Put a parked event back to work, e.g. after an update that can read it.

    Example: `twintill inbox replay 4711`
    """
    from twintill.cli.asking import ask
    from twintill.store import inbox_rows

    ask(lambda db, scope: inbox_rows.replay(db, scope, inbox_id))
    print(f"Event {inbox_id} will be looked at again.")
