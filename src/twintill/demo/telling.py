"""Telling the story on the terminal: readable without colour, and in a file."""

import contextlib
import time
from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group
from rich.highlighter import RegexHighlighter
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

_WIDTH_OF_A_FILE = 110
_WIDEST = 120
_THEME = Theme(
    {
        "demo.amount": "bold",
        "demo.id": "cyan",
        "demo.good": "green",
        "demo.bad": "bold red",
        "demo.soft": "dim",
        "demo.who": "bold magenta",
    }
)


class _Highlighter(RegexHighlighter):
    base_style = "demo."
    highlights = (
        r"(?P<amount>-?\d[\d,]*(?:\.\d+)? [A-Z]{3}\b)",
        r"(?P<id>\b(?:cus|sub|in|sgn|pay|chk|chg|evt|pm|tw|pcus|ses)[_-][\w-]{6,})",
    )


class Telling:
    """Where the story is printed, and since when."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _console()
        self._began_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def opening(self, title: str, words: str) -> None:
        self.console.print()
        self.console.print(Text(title, style="bold"))
        self.console.print(words, style="demo.soft", highlight=False)
        self.console.print()

    def step(self, number: int, title: str, why: str, now: datetime) -> None:
        """A heading with the business time, and one line of why it matters."""
        when = (
            f"{now:%A, %d %B %Y, %H:%M} on the shared clock; {self.elapsed_s:.0f} s into the demo"
        )
        self.heading(f"{number}  {title}", when, why)

    def heading(self, title: str, *soft: str) -> None:
        self.console.print()
        self.console.print(Rule(title, align="left", characters="─"))
        for words in soft:
            self._indented(Text(words, style="demo.soft"), 3)

    def line(self, who: str, words: str) -> None:
        """One thing that happened, and to whom."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(min_width=10, style="demo.who", no_wrap=True)
        grid.add_column()
        grid.add_row(who, _Highlighter()(Text(words)))
        self._indented(grid, 3)

    def good(self, words: str) -> None:
        self._indented(Text(f"✓ {words}", style="demo.good"), 3)

    def bad(self, words: str) -> None:
        self.console.print(Text(f"✗ {words}", style="demo.bad"))

    def plain(self, words: str = "") -> None:
        self.console.print(Text(words))

    def table(self, table: Table) -> None:
        self._indented(table, 1)

    @contextlib.contextmanager
    def waiting(self, words: str) -> Iterator[None]:
        """A spinner on a terminal; in a file, silence."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(Text(words, style="demo.soft")):
            yield

    def _indented(self, what: Text | Table | Group, by: int) -> None:
        self.console.print(Padding(what, (0, 0, 0, by)))


def _console() -> Console:
    console = Console(theme=_THEME, highlight=False)
    width = min(console.width, _WIDEST) if console.is_terminal else _WIDTH_OF_A_FILE
    return Console(theme=_THEME, highlight=False, width=width)
