"""Draws docs/payment-states.md from the table of decisions: python -m tests.domain.diagram."""

import re
from pathlib import Path

from tests.domain.shown import BUG, NOTED
from tests.domain.situations import SITUATIONS
from tests.domain.test_decide_table import TABLE

PAGE = Path(__file__).parents[2] / "docs" / "payment-states.md"

_INTRO = """\
# The states of a payment

<!-- Generated from tests/domain/decisions.txt by `python -m tests.domain.diagram`. -->

Every arrow is a row of the table of decisions: the facts on it move a payment from the one state to
the other. Facts that leave the state alone (another reason, another time, parked for a person) are
in the table only.

```mermaid
stateDiagram-v2
    [*] --> waiting
"""


def draw() -> str:
    """The whole page."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for fact, cells in TABLE.items():
        for situation, result in cells.items():
            before, after = SITUATIONS[situation].state.value, _state(result)
            if after is not None and after != before:
                facts = arrows.setdefault((before, after), [])
                name = _short(fact)
                facts.extend([name] if name not in facts else [])
    lines = [f"    {a} --> {b}: {', '.join(facts)}" for (a, b), facts in sorted(arrows.items())]
    return _INTRO + "\n".join(lines) + "\n```\n"


def _state(result: str) -> str | None:
    """The state that a cell names; None where it stays."""
    if result in (NOTED, BUG) or result.startswith("stays"):
        return None
    return result.split(maxsplit=1)[0].split("/", maxsplit=1)[0].rstrip(";")


def _short(fact: str) -> str:
    """The fact's type alone, without its variant: the table has those."""
    word = re.match(r"\w+", fact)
    assert word is not None, fact
    return word[0]


if __name__ == "__main__":
    PAGE.write_text(draw(), encoding="utf-8")
