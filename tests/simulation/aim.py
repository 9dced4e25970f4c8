"""Which seeds bring a certain weather: whoever looks for something looks where it happens.

mischief>=0.6 favourite=reset lost_day=1
"""

import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from tests.simulation.faults import Weather, of_doubts, weather

_CONDITION = re.compile(r"(\w+)(>=|<=|=)(\S+)")


@dataclass(frozen=True)
class Condition:
    """`name`: a field of the weather; `value`: a number, or the name of a hit."""

    name: str
    relation: str
    value: str

    def holds(self, weather: Weather) -> bool:
        is_so = getattr(weather, self.name)
        if isinstance(is_so, Enum):
            return is_so.name.lower() == self.value
        wanted = float(self.value)
        if self.relation == ">=":
            return bool(is_so >= wanted)
        return bool(is_so <= wanted if self.relation == "<=" else is_so == wanted)


def read(text: str) -> tuple[Condition, ...]:
    """Raises ValueError for what is no condition, and for a weather that there is not."""
    conditions = []
    for word in text.split():
        match = _CONDITION.fullmatch(word)
        if match is None or match[1] not in Weather.__dataclass_fields__:
            raise ValueError(f"not a condition of the weather: {word!r}")
        conditions.append(Condition(*match.groups()))
    return tuple(conditions)


def seeds(first: int, size: str, conditions: Sequence[Condition]) -> Iterator[int]:
    """From `first` on, without end: those whose world has this weather."""
    for seed in itertools.count(first):
        its = weather_of(of_the_world(seed, size), seed, size)
        if all(condition.holds(its) for condition in conditions):
            yield seed


def weather_of(rng: random.Random, seed: int, size: str) -> Weather:
    """`rng`: of the world, at its first draws."""
    names = ("later", "hasty", "leaving", "by hand")
    later, hasty, leaving, by_hand = (random.Random(f"{seed}/{size}/{name}") for name in names)
    drawn = weather(rng, later, hasty, leaving, by_hand)
    return of_doubts(drawn) if size == "doubts" else drawn


def of_the_world(seed: int, size: str) -> random.Random:
    """Its first draws are the weather."""
    return random.Random(f"{seed}/{size}/world")
