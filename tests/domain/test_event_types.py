"""The catalogue of events: nothing is told that is not in it, and its page is the catalogue's."""

import ast
from pathlib import Path

from tests.domain.event_page import PAGE, drawn
from twintill.domain.decision import Notice
from twintill.domain.event_types import ALL, CATALOGUE

FLOWS = Path(__file__).parents[2] / "src" / "twintill" / "flows"
# Flows also name Stripe's own events, which begin with this word too.
STRIPES = "invoice"
KINDS = {name.partition(".")[0] for name in CATALOGUE} - {STRIPES}


def test_what_becomes_of_payments_is_in_it() -> None:
    assert {notice.value for notice in Notice} <= set(CATALOGUE)


def test_whatever_flows_tell_is_in_it() -> None:
    """A new event: enter it in domain/event_types.py, then `python -m tests.domain.event_page`."""
    told = {
        node.value
        for path in FLOWS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    named = {one for one in told if one.partition(".")[0] in KINDS and one.count(".") == 1}
    assert {one for one in named if one.replace(".", "_").isidentifier()} <= set(CATALOGUE)


def test_the_page_shows_the_catalogue() -> None:
    assert PAGE.read_text() == drawn(), "run: python -m tests.domain.event_page"


def test_each_is_said_once() -> None:
    assert [event.name for event in ALL] == list(CATALOGUE)
