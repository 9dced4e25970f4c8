"""`twintill duties`: what the workers do by themselves, when, and what came of it."""

import json
from typing import Annotated

import typer

app = typer.Typer(invoke_without_command=True)


@app.callback()
def listed(context: typer.Context) -> None:
    """What recurs by itself: the last success, what it found, and when it runs next.

    Example: `twintill duties`
    """
    if context.invoked_subcommand is not None:
        return
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import duties

    rows = [
        (d.name, d.ran_at, json.dumps(d.result or {}), d.next_look_at, d.failures, d.last_error)
        for d in ask(duties.standings)
    ]
    show(("duty", "last success", "result", "next", "failures", "last error"), rows)


@app.command()
def run(name: Annotated[str, typer.Argument(help="As `twintill duties` lists it.")]) -> None:
    """Ask for a run now; a worker does it.

    Example: `twintill duties run catch_up`
    """
    from twintill.cli.asking import ask
    from twintill.store import duties

    ask(lambda db, scope: duties.ring(db, scope, name))
    print(f"{name} will run as soon as a worker is free.")
