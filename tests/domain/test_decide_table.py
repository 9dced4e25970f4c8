"""Every fact in every situation does what the table says; and the table leaves nothing out."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import pytest

from tests.domain.shown import result
from tests.domain.situations import SITUATIONS
from tests.domain.told import FACTS
from twintill.domain.facts import (
    Answered,
    Fact,
    Via,
)
from twintill.domain.outcomes import ChargeOutcome
from twintill.domain.payment import State

_TABLE = Path(__file__).with_name("decisions.txt")
_ELSE = ("everywhere", "everywhere else")


def read_table(text: str) -> dict[str, dict[str, str]]:
    """Fact -> situation -> result."""
    groups: dict[str, list[str]] = {}
    table: dict[str, dict[str, str]] = {}
    facts: list[str] = []
    outcome = ""
    for line in filter(None, map(str.rstrip, text.splitlines())):
        body = line.strip()
        if line.startswith("= "):
            name, *members = body.removeprefix("= ").split()
            groups.setdefault(name, []).extend(members)
        elif line.startswith("        < "):
            for fact in facts:
                for situation in _named(body.removeprefix("< "), groups, table[fact]):
                    assert situation not in table[fact], f"{fact}: {situation} stands twice"
                    table[fact][situation] = outcome
        elif line.startswith("    "):
            outcome = body
        elif not line.startswith("#"):
            facts = _facts(body)
            table |= {fact: {} for fact in facts}
    return table


def _facts(head: str) -> list[str]:
    """ "Approved via first, stale" stands for two facts."""
    if " via " not in head:
        return [head]
    kind, vias = head.split(" via ")
    return [f"{kind} via {via}" for via in vias.split(", ")]


def _named(words: str, groups: dict[str, list[str]], known: dict[str, str]) -> list[str]:
    if words in _ELSE:
        return [name for name in SITUATIONS if name not in known]
    found: list[str] = []
    for word in words.split():
        if word in groups:
            found += _named(" ".join(groups[word]), groups, known)
            continue
        pattern = word if "*" not in word else word.replace("*", "-*")
        matches = [s for s in SITUATIONS if s == word.rstrip("*") or fnmatchcase(s, pattern)]
        assert matches, f"no situation is called {word}"
        found += matches
    return found


TABLE = read_table(_TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("fact", FACTS)
def test_each_fact_means_in_each_situation_what_the_table_says(fact: str) -> None:
    assert {name: result(name, fact) for name in SITUATIONS} == TABLE[fact]


def test_the_table_has_a_row_for_each_fact_and_a_cell_for_each_situation() -> None:
    assert set(TABLE) == set(FACTS)
    assert all(set(cells) == set(SITUATIONS) for cells in TABLE.values())


def test_each_state_has_a_situation() -> None:
    assert {payment.state for payment in SITUATIONS.values()} == set(State)


def test_each_kind_of_fact_has_a_row() -> None:
    some = SITUATIONS["charging-started"]
    assert {type(make(some)) for make in FACTS.values()} == set(get_args(Fact))


def test_each_outcome_by_each_way_has_a_row() -> None:
    some = SITUATIONS["charging-started"]
    told = [fact for make in FACTS.values() if isinstance(fact := make(some), Answered)]
    every = {(outcome, via) for outcome in get_args(ChargeOutcome) for via in Via}
    assert {(type(fact.outcome), fact.via) for fact in told} == every
