"""In doubt: when the same key is safe, when "not found" is a proof, and how often to ask."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.situations import (
    APPROVED,
    NO_ANSWER,
    NOW,
    POLICY,
    SITUATIONS,
    after,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.decision import Notice
from twintill.domain.doubt import Window, may_replay, next_ask, nothing_can_appear
from twintill.domain.facts import Via
from twintill.domain.outcomes import NoAnswer

_ATTEMPT = replace(SITUATIONS["charging-started"].attempts[0], first_sent_at=NOW)
_WINDOW = Window(timedelta(hours=24), timedelta(hours=1), reliable_look_up=True)


def test_the_key_is_replayed_in_the_first_three_quarters_of_its_window() -> None:
    assert may_replay(_ATTEMPT, _WINDOW, POLICY, NOW + timedelta(hours=17, minutes=59))
    assert not may_replay(_ATTEMPT, _WINDOW, POLICY, NOW + timedelta(hours=18))


def test_not_found_is_a_proof_after_window_and_lag() -> None:
    assert not nothing_can_appear(_ATTEMPT, _WINDOW, NOW + timedelta(hours=25))
    assert nothing_can_appear(_ATTEMPT, _WINDOW, NOW + timedelta(hours=25, seconds=1))


def test_not_found_is_never_a_proof_without_a_reliable_look_up() -> None:
    window = replace(_WINDOW, reliable_look_up=False)
    assert not nothing_can_appear(_ATTEMPT, window, NOW + timedelta(days=365))


@given(
    window_s=st.integers(min_value=0, max_value=10**7),
    lag_s=st.integers(min_value=0, max_value=10**6),
    after_s=st.integers(min_value=0, max_value=10**8),
)
def test_a_key_that_may_still_act_is_never_taken_for_dead(
    window_s: int, lag_s: int, after_s: int
) -> None:
    window = Window(timedelta(seconds=window_s), timedelta(seconds=lag_s), reliable_look_up=True)
    now = NOW + timedelta(seconds=after_s)
    replays = may_replay(_ATTEMPT, window, POLICY, now)
    assert not (replays and nothing_can_appear(_ATTEMPT, window, now))


def test_it_is_asked_for_soon_then_at_growing_intervals() -> None:
    pauses = [next_ask(replace(_ATTEMPT, asked=n), POLICY, NOW) - NOW for n in range(9)]
    assert pauses[0] == timedelta(seconds=5)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pauses[-2] == timedelta(hours=2)


def test_what_is_out_ends_with_a_person_also_while_stripe_cannot_be_read() -> None:
    """A key that lives for weeks is replayed only after a look: without one nobody would know."""
    unread = f.LookFailed("timed out")
    out = SITUATIONS["charging-in-doubt"]
    sent_at = out.attempts[0].first_sent_at
    before = decide(out, unread, POLICY, sent_at + timedelta(days=3))
    after = decide(out, unread, POLICY, sent_at + timedelta(days=3, seconds=1))
    assert before.payment.parked_why is None
    assert (after.payment.parked_why, after.notices) == ("timed out", (Notice.NEEDS_PERSON,))


def test_not_found_does_not_outweigh_that_the_processor_refused_a_second_payment() -> None:
    """It has money for this invoice, wherever it came from: nothing is charged elsewhere."""
    taken = NoAnswer("there is a payment for in_1 already: look there", taken=True)
    out = after(new_payment(), start(), answer(taken))
    asked = after(out, answer(NO_ANSWER, Via.RECORD))  # what is said later takes nothing back
    for payment in (out, asked):
        told = decide(payment, f.NotFoundThere("att_1", conclusive=True), POLICY, NOW)
        assert told.payment.unresolved_attempt is not None
        assert told.payment.parked_why is not None
        assert "already" in told.payment.parked_why
        assert told.notices == (Notice.NEEDS_PERSON,)
    found = decide(asked, answer(APPROVED, Via.RECORD), POLICY, NOW)
    assert found.payment.unapplied_minor == 5000
