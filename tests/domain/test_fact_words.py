"""Each fact has words of its own, since a person reads it in the story of an invoice."""

from typing import get_args

from twintill.domain.fact_words import FACT_WORDS
from twintill.domain.facts import Fact


def test_each_fact_has_words_and_no_words_are_left_over() -> None:
    assert set(FACT_WORDS) == {fact.__name__ for fact in get_args(Fact)}


def test_no_two_facts_read_the_same() -> None:
    assert len(set(FACT_WORDS.values())) == len(FACT_WORDS)
