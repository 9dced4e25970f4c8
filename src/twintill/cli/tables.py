"""Lists on a terminal as tables; into a pipe as lines of fields separated by tabs."""

import sys
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from twintill.cli.amounts import shown
from twintill.money import Money


def show(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Ids are never cut: they are there to be copied."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(_text(value) for value in row))
        return
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column.endswith("id"))
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    Console().print(table)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Money):
        return shown(value)
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
