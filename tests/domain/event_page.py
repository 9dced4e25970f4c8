"""Draws the list of events into docs/events.md: `python -m tests.domain.event_page`."""

import json
from pathlib import Path

from twintill.domain.event_type import EventType
from twintill.domain.event_types import CATALOGUE

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
_MARK = "<!-- the catalogue, drawn from src/twintill/domain/event_types.py -->\n"


def drawn() -> str:
    """The page, its part behind the mark made anew."""
    written, mark, _ = PAGE.read_text().partition(_MARK)
    return written + mark + "\n" + "\n".join(_section(event) for event in CATALOGUE.values())


def _section(event: EventType) -> str:
    example = json.dumps(event.example, indent=2)
    return f"### `{event.name}`\n\n{event.when}\n\n```json\n{example}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(drawn())
