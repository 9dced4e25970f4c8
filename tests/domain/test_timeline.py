"""The order of an invoice's story: by time, and of one moment the cause before its consequence."""

from datetime import timedelta

from tests.domain.situations import NOW
from twintill.domain.timeline import Line, Source, behind, in_order


def line(line_id: str, source: Source, **changes: object) -> Line:
    return Line(line_id, NOW, source, "kind", "text", {}, **changes)  # type: ignore[arg-type]


def test_of_one_moment_the_cause_comes_first() -> None:
    story = [
        line("told", Source.TWINTILL, is_news=True),
        line("booked", Source.LEDGER),
        line("second", Source.TWINTILL, n=2),
        line("first", Source.TWINTILL, n=1),
        line("answer", Source.PROCESSOR),
        line("event", Source.STRIPE),
        line("deed", Source.PERSON),
    ]
    ordered = [one.id for one in in_order(story)]
    assert ordered == ["deed", "event", "answer", "first", "second", "booked", "told"]


def test_time_comes_before_all_and_what_is_planned_stands_at_the_end() -> None:
    early = Line("early", NOW - timedelta(hours=1), Source.LEDGER, "kind", "text", {})
    planned = Line("due", NOW, Source.TWINTILL, "timer.due", "text", {}, planned=True)
    late = Line("late", NOW + timedelta(hours=1), Source.PERSON, "kind", "text", {})
    assert [one.id for one in in_order([planned, late, early])] == ["early", "late", "due"]


def test_a_page_goes_on_behind_a_line() -> None:
    story = [line("a", Source.STRIPE), line("b", Source.STRIPE)]
    assert behind(story, "a") == story[1:]
    assert behind(story, "b") == []
    assert behind(story, "c") is None
