"""docs/coverage.md names only what is there: each call, each command, each test."""

import re
from pathlib import Path

import pytest
import typer

from tests.web.document import DOCUMENT
from twintill.cli.main import app
from twintill.web.openapi import operations

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/coverage.md").read_text()
QUOTED = set(re.findall(r"`([^`]+)`", PAGE))
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S+)")
CALLS = {f"{method.upper()} {path}" for method, path, _ in operations(DOCUMENT)}


@pytest.mark.parametrize("call", sorted(q for q in QUOTED if CALL.fullmatch(q)))
def test_each_call_is_one_of_the_api(call: str) -> None:
    assert call in CALLS


@pytest.mark.parametrize("command", sorted(q for q in QUOTED if q.startswith("twintill ")))
def test_each_command_is_one_of_the_programs(command: str) -> None:
    known = typer.main.get_command(app)
    for word in command.split()[1:]:
        known = known.commands[word]  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", sorted(q for q in QUOTED if q.startswith("tests/")))
def test_each_test_is_there(path: str) -> None:
    assert (ROOT / path).is_file()


def test_each_row_is_shown_and_held() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    bare = [row for row in rows if "tests/" not in row and "held by" not in row]
    assert bare == []
