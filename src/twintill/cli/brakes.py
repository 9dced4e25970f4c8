"""`twintill brakes`, `pause` and `resume`: which processors may charge, and who says so."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.store.brakes import Brake

Processor = Annotated[str, typer.Argument(help="Its name, as in the settings, e.g. sandbox.")]
Why = Annotated[str, typer.Option("--why", help="Kept, and told to your app.")]


def brakes(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
) -> None:
    """Which processors are paused, since when and why; then the pauses that are over.

    While one is paused, no charge begins through it; look-ups and reports go on.

    Example: `twintill brakes`
    """
    from twintill.cli.asking import ask
    from twintill.cli.tables import show
    from twintill.store import brakes as rows

    shown = [_row(b) for b in ask(lambda db, scope: rows.history(db, scope, limit))]
    columns = ("now", "processor", "since", "by", "why", "resumed", "resumed by", "resumed why")
    show(columns, shown)


def pause(processor: Processor, *, why: Why) -> None:
    """Begin no charge through this processor until `twintill resume`.

    A charge that is on its way at this moment is finished, and reported.

    Example: `twintill pause sandbox --why "their status page says that they are down"`
    """
    from twintill.cli.asking import ask
    from twintill.flows import brakes as flow

    ask(lambda db, scope: flow.pause(db, scope, processor, why, _person()))
    print(f"{processor} is paused.")


def resume(processor: Processor, *, why: Why) -> None:
    """Let charges begin again; those that waited come first, a page at a time.

    What tripped the brake is not counted again: only what happens from now on.

    Example: `twintill resume sandbox --why "new API key is in place"`
    """
    from twintill.cli.asking import ask
    from twintill.flows import brakes as flow

    waited = ask(lambda db, scope: flow.resume(db, scope, processor, why, _person()))
    print(f"{processor} charges again; {waited} payments waited for it.")


def _row(brake: "Brake") -> tuple[object, ...]:
    paused = ("paused" if brake.on else "over", brake.processor)
    by = (brake.tripped_at, brake.tripped_by, brake.why)
    return (*paused, *by, brake.released_at, brake.released_by, brake.released_why)


def _person() -> str:
    return f"person:{getpass.getuser()}"
