"""What trips a brake, and what does not."""

from dataclasses import replace

import pytest

from tests.domain.situations import (
    AMOUNT,
    APPROVED,
    NOT_SENT,
    NOW,
    POLICY,
    SITUATIONS,
    SOFT,
    answer,
    new_payment,
    start,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.facts import (
    Answered,
    Fact,
    RefundAnswered,
    Via,
)
from twintill.domain.outcomes import Approved, NotSent, NotSentReason
from twintill.domain.payment import Payment
from twintill.domain.tripwires import (
    Charged,
    Figures,
    Trip,
    Tripwire,
    asks_for_history,
    at_once,
    judge,
)

CALM = Figures("pay", 0, 0, approved=0, declined=0, approved_before=0, declined_before=0)
TOOK = Charged("EUR", charges=10, charged_minor=1000, due_minor=1000, processors=("a", "b"))


def told(payment: Payment, fact: Fact) -> Trip | None:
    return at_once(payment, fact, decide(payment, fact, POLICY, NOW).payment)


def by(figures: Figures) -> list[Tripwire]:
    return [trip.by for trip in judge([figures], [], POLICY)]


@pytest.mark.parametrize("via", [Via.FIRST, Via.STALE, Via.REPLAY, Via.EXACT_REPLAY])
def test_refused_credentials_trip_whichever_sending_they_answer(via: Via) -> None:
    refused = NotSent(NotSentReason.CREDENTIALS, "HTTP 401")
    trip = told(SITUATIONS["charging-started"], answer(refused, via))
    assert trip == Trip(
        "sandbox", Tripwire.CREDENTIALS, "sandbox refuses our credentials: HTTP 401"
    )


def test_a_refund_that_our_key_is_refused_for_trips_as_well() -> None:
    out = SITUATIONS["refund-started"]
    refused = RefundAnswered("ref_1", NotSent(NotSentReason.CREDENTIALS, "HTTP 401"), Via.FIRST)
    trip = told(out, refused)
    assert trip is not None
    assert trip.by is Tripwire.CREDENTIALS
    assert told(out, RefundAnswered("ref_1", NOT_SENT, Via.FIRST)) is None


def test_what_a_person_says_trips_nothing() -> None:
    refused = NotSent(NotSentReason.CREDENTIALS, "HTTP 401")
    assert told(SITUATIONS["charging-started"], answer(refused, Via.PERSON)) is None


@pytest.mark.parametrize("reason", sorted(set(NotSentReason) - {NotSentReason.CREDENTIALS}))
def test_one_charge_that_did_not_leave_for_another_reason_trips_nothing(
    reason: NotSentReason,
) -> None:
    assert told(SITUATIONS["charging-started"], answer(NotSent(reason, "so it is"))) is None


def test_an_approval_a_decline_and_other_facts_trip_nothing() -> None:
    for fact in (answer(APPROVED), answer(SOFT)):
        assert told(SITUATIONS["charging-started"], fact) is None
    assert told(new_payment(), start()) is None


def test_the_same_approval_again_trips_nothing_and_another_under_its_reference_does() -> None:
    assert told(SITUATIONS["reported"], answer(APPROVED, Via.RECORD)) is None
    trip = told(SITUATIONS["reported"], answer(Approved("ch_9", AMOUNT), Via.RECORD))
    assert trip is not None
    assert trip.by is Tripwire.DUPLICATE
    assert "ch_1 and ch_9" in trip.why


def test_a_second_receipt_of_one_invoice_trips() -> None:
    second = Answered("att_2", Approved("ch_2", AMOUNT), Via.RECORD)
    trip = told(SITUATIONS["reported-second-out"], second)
    assert trip is not None
    assert trip.by is Tripwire.DUPLICATE
    assert "in_1" in trip.why


def test_a_debit_that_failed_and_is_collected_anew_is_no_second_one() -> None:
    payment = SITUATIONS["waiting-failed-late"]
    other = f.Method("pm_b", "sandbox", "acct_p")
    out = decide(payment, start(2, method=other), POLICY, NOW).payment
    assert told(out, answer(Approved("ch_2", AMOUNT), n=2)) is None


def test_a_calm_hour_trips_nothing() -> None:
    assert judge([CALM], [TOOK], POLICY) == []


def test_a_count_trips_at_its_limit_and_not_below() -> None:
    assert by(replace(CALM, in_doubt=POLICY.brake_in_doubt - 1)) == []
    assert by(replace(CALM, in_doubt=POLICY.brake_in_doubt)) == [Tripwire.IN_DOUBT]
    assert by(replace(CALM, config=POLICY.brake_config - 1)) == []
    assert by(replace(CALM, config=POLICY.brake_config)) == [Tripwire.CONFIG]


def hour(approved: int, declined: int) -> Figures:
    """After a week in which a tenth was declined."""
    return replace(
        CALM, approved=approved, declined=declined, approved_before=90, declined_before=10
    )


def test_declines_trip_when_their_share_jumps() -> None:
    assert by(hour(approved=61, declined=39)) == []
    assert by(hour(approved=60, declined=40)) == [Tripwire.DECLINES]


def test_few_answers_are_no_jump_and_a_new_processor_has_no_usual_share() -> None:
    assert by(hour(approved=0, declined=POLICY.brake_declines_min - 1)) == []
    assert by(hour(approved=0, declined=POLICY.brake_declines_min)) == [Tripwire.DECLINES]
    assert by(replace(hour(0, 100), approved_before=89)) == []


def test_more_charged_than_one_and_a_half_times_what_was_due_trips_all_who_charged() -> None:
    assert judge([], [replace(TOOK, charged_minor=1500)], POLICY) == []
    trips = judge([], [replace(TOOK, charged_minor=1501)], POLICY)
    assert [(t.processor, t.by) for t in trips] == [
        ("a", Tripwire.OVERCHARGED),
        ("b", Tripwire.OVERCHARGED),
    ]


def test_a_handful_of_charges_says_nothing_about_the_hour() -> None:
    few = replace(TOOK, charges=POLICY.brake_charged_min - 1, charged_minor=9000)
    assert judge([], [few], POLICY) == []


def test_a_processor_is_paused_for_one_reason() -> None:
    bad = replace(CALM, processor="a", in_doubt=99)
    trips = judge([bad], [replace(TOOK, charged_minor=9000)], POLICY)
    assert [t.processor for t in trips] == ["a", "b"]


def test_the_week_is_read_only_when_the_hour_looks_bad_enough() -> None:
    enough = POLICY.brake_declines_min
    bad = replace(CALM, approved=enough // 2, declined=enough)
    assert asks_for_history(bad, POLICY)
    assert not asks_for_history(replace(bad, approved=0, declined=enough - 1), POLICY)
    assert not asks_for_history(replace(bad, approved=10 * enough, declined=enough), POLICY)
