"""A person's word: when it is taken, when the processor knows better, and when it is refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    ACCEPTED,
    AMOUNT,
    APPROVED,
    NEEDS_CUSTOMER,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    POLICY,
    PROVISIONAL,
    SITUATIONS,
    SOFT,
    TOO_MUCH,
    after,
)
from twintill.domain.decide import decide
from twintill.domain.doubt import Window
from twintill.domain.facts import (
    InvoiceTouched,
    MethodAdded,
    PersonSaid,
    Unparked,
)
from twintill.domain.outcomes import (
    Approved,
    Finality,
    LookUp,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.domain.payment import Reason
from twintill.domain.person import Learned, Refused, Taken, judge_charged, judge_not_charged

ATTEMPT = replace(SITUATIONS["charging-in-doubt"].attempts[0], first_sent_at=NOW)
NAMED = replace(SITUATIONS["pending-accepted"].attempts[0], first_sent_at=NOW)
WINDOW = Window(timedelta(hours=24), timedelta(hours=1), reliable_look_up=True)
OVER = NOW + timedelta(hours=25, seconds=1)
DECLINED = replace(SOFT, processor_payment_id="ch_1")
OTHER = Approved("ch_2", AMOUNT)


def charged(
    shown: LookUp, by_reference: LookUp | None, *, trusting: bool = False
) -> Taken | Refused:
    return judge_charged(ATTEMPT, "ch_1", shown, by_reference, without_asking=trusting)


def test_charged_is_taken_when_the_processor_shows_it_under_our_reference() -> None:
    assert charged(PROVISIONAL, PROVISIONAL) == Taken(PROVISIONAL, "ch_1 is approved there")
    assert charged(APPROVED, None) == Taken(APPROVED, "ch_1 is approved there")


CONTRADICTED: dict[str, tuple[LookUp, LookUp | None, str]] = {
    "another amount": (TOO_MUCH, None, "amount_differs"),
    "another amount under our reference": (APPROVED, TOO_MUCH, "under_way"),
    "another invoice's": (APPROVED, NotFound(), "not_our_reference"),
    "ours is another one": (APPROVED, OTHER, "another_charge"),
    "unknown there": (NotFound(), None, "unknown_there"),
    "declined there": (DECLINED, None, "declined_there"),
    "declined under our reference": (APPROVED, DECLINED, "declined_there"),
    "still under way": (ACCEPTED, None, "under_way"),
    "waits for the customer": (NEEDS_CUSTOMER, None, "under_way"),
}


@pytest.mark.parametrize("case", CONTRADICTED)
@pytest.mark.parametrize("trusting", [False, True])
def test_charged_is_refused_when_the_processor_contradicts_it(case: str, trusting: bool) -> None:
    shown, by_reference, code = CONTRADICTED[case]
    verdict = charged(shown, by_reference, trusting=trusting)
    assert isinstance(verdict, Refused)
    assert verdict.code == code


@pytest.mark.parametrize(
    ("shown", "by_reference"),
    [(NO_ANSWER, NO_ANSWER), (NOT_SENT, None), (APPROVED, NO_ANSWER), (APPROVED, NOT_SENT)],
)
def test_a_processor_that_cannot_be_asked_is_gone_without_only_when_said(
    shown: LookUp, by_reference: LookUp | None
) -> None:
    refused = charged(shown, by_reference)
    assert isinstance(refused, Refused)
    assert refused.code == "cannot_be_asked"
    taken = charged(shown, by_reference, trusting=True)
    assert isinstance(taken, Taken)
    assert taken.outcome == replace(APPROVED, finality=_finality(shown))


def _finality(shown: LookUp) -> Finality:
    """A person's word alone is not final: such money is not refunded by itself."""
    return shown.finality if isinstance(shown, Approved) else Finality.PROVISIONAL


def test_a_charge_that_the_processor_named_itself_is_no_other() -> None:
    verdict = judge_charged(NAMED, "ch_9", APPROVED, None, without_asking=True)
    assert isinstance(verdict, Refused)
    assert verdict.code == "another_charge"


def not_charged(
    found: LookUp | None,
    *,
    hours: int = 26,
    trusting: bool = False,
    even_though: bool = False,
    window: Window | None = WINDOW,
) -> Taken | Learned | Refused:
    return judge_not_charged(
        ATTEMPT,
        found,
        window,
        POLICY,
        NOW + timedelta(hours=hours),
        without_asking=trusting,
        even_though=even_though,
    )


@pytest.mark.parametrize("found", [APPROVED, DECLINED, ACCEPTED, NEEDS_CUSTOMER, TOO_MUCH])
def test_what_the_processor_shows_is_learned_instead(found: LookUp) -> None:
    assert not_charged(found, trusting=True) == Learned(found)  # type: ignore[arg-type]


@pytest.mark.parametrize("found", [NotFound(), None])
def test_not_charged_is_taken_once_nothing_can_arrive_any_more(found: LookUp | None) -> None:
    verdict = not_charged(found)
    assert isinstance(verdict, Taken)
    assert verdict.outcome == NotSent(NotSentReason.PERSON, "a person says so", 0)


def test_while_it_may_still_arrive_the_next_charge_waits_for_the_end_of_the_window() -> None:
    refused = not_charged(NotFound(), hours=23)
    assert isinstance(refused, Refused)
    assert refused.code == "may_still_arrive"
    assert "until 2026-03-02 13:00 UTC" in refused.sentence
    taken = not_charged(NotFound(), hours=23, even_though=True)
    assert isinstance(taken, Taken)
    assert isinstance(taken.outcome, NotSent)
    assert taken.outcome.wait_s == 2 * 3600


def test_of_a_processor_that_left_the_settings_the_window_is_not_known() -> None:
    unknown = not_charged(NO_ANSWER, window=None, trusting=True, hours=71)
    assert isinstance(unknown, Refused)
    assert unknown.code == "may_still_arrive"
    assert isinstance(not_charged(NO_ANSWER, window=None, trusting=True, hours=73), Taken)


@pytest.mark.parametrize("found", [NO_ANSWER, NOT_SENT])
def test_not_charged_needs_the_processors_answer_unless_said(found: LookUp) -> None:
    refused = not_charged(found, even_though=True)
    assert isinstance(refused, Refused)
    assert refused.code == "cannot_be_asked"
    assert isinstance(not_charged(found, trusting=True), Taken)


def test_another_amount_counts_as_not_charged_once_it_was_given_back() -> None:
    taken = not_charged(TOO_MUCH, even_though=True)
    assert isinstance(taken, Taken)
    assert taken.heard == "the processor took 60.00 EUR"


def test_while_it_may_still_arrive_nothing_brings_the_next_charge_forward() -> None:
    taken = not_charged(NotFound(), hours=23, even_though=True)
    assert isinstance(taken, Taken)
    said = PersonSaid("att_1", taken.outcome, "seen nowhere", taken.heard)
    waits = after(SITUATIONS["charging-in-doubt"], said, at=NOW)
    assert waits.next_look_at == NOW + timedelta(hours=2)
    parked = replace(waits, parked_why="something else")
    for fact in (MethodAdded("pm_b"), InvoiceTouched("invoice.updated"), Unparked("go on")):
        payment = decide(parked, fact, POLICY, NOW).payment
        assert payment.next_look_at == waits.next_look_at
        assert payment.reason is Reason.NOT_SENT
    later = decide(waits, MethodAdded("pm_b"), POLICY, NOW + timedelta(hours=2)).payment
    assert later.reason is Reason.READY
