"""Another try at the customer's wish: dunning's pauses do not bind him, the networks' rules do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.situations import (
    ALSO_STORED,
    HARD,
    METHOD,
    NO_ANSWER,
    NOT_SENT,
    NOW,
    OTHER_METHOD,
    POLICY,
    SITUATIONS,
    SOFT,
    STORED,
    after,
    answer,
    new_payment,
    start,
)
from tests.domain.test_dunning import after as tried
from tests.domain.test_dunning import declined
from twintill.domain.another_try import can_be_offered, may_try_again
from twintill.domain.customer_facts import TryAsked
from twintill.domain.decide import decide
from twintill.domain.dunning import NETWORK_LIMITS, GiveUp, TryAt, choose, next_charge, next_move
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.domain.refund_asks import Refused

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def asked(payment: Payment, method_id: str = "pm_a") -> Payment:
    return decide(payment, TryAsked(method_id), POLICY, NOW).payment


def refused(payment: Payment, method_id: str | None = None) -> str:
    answer = may_try_again(payment, method_id, POLICY, NOW)
    assert isinstance(answer, Refused)
    return answer.code


def test_a_declined_one_is_tried_at_once_instead_of_in_days() -> None:
    payment = tried(declined())
    assert next_charge(payment, "pm_a", POLICY, NOW) == TryAt(NOW + _DAY)
    payment = asked(payment)
    assert (payment.state, payment.reason, payment.next_look_at) == (
        State.WAITING,
        Reason.READY,
        NOW,
    )
    assert next_charge(payment, "pm_a", POLICY, NOW) == TryAt(NOW)


def test_also_after_the_tries_are_used_up_and_after_the_due_date() -> None:
    tries = [declined(n, NOW - (5 - n) * _DAY) for n in range(1, 5)]
    payment = tried(*tries, due_at=NOW - _DAY)
    gave_up = replace(payment, state=State.EXHAUSTED, ended=True, next_look_at=None)
    assert may_try_again(gave_up, None, POLICY, NOW) == "pm_a"
    back = asked(gave_up)
    assert (back.state, back.ended) == (State.WAITING, False)
    assert decide(back, start(5), POLICY, NOW).send is not None


def test_one_wish_is_one_try_and_dunning_counts_it() -> None:
    payment = decide(asked(tried(declined())), start(2), POLICY, NOW).payment
    again = decide(payment, answer(SOFT, n=2), POLICY, NOW).payment
    assert again.method_asked_for is None
    assert next_move(again, POLICY, NOW) == TryAt(NOW + 3 * _DAY), "the pause after the second"


def test_a_try_that_never_left_is_still_wanted() -> None:
    payment = decide(asked(tried(declined())), start(2), POLICY, NOW).payment
    waits = decide(payment, answer(NOT_SENT, n=2), POLICY, NOW).payment
    assert waits.method_asked_for == "pm_a"
    assert next_charge(waits, "pm_a", POLICY, NOW) == TryAt(NOW)


def test_the_method_that_was_asked_for_comes_before_the_default() -> None:
    payment = replace(tried(declined()), methods=(STORED, ALSO_STORED))
    payment = asked(payment, "pm_b")
    assert choose(payment, POLICY, NOW) == "pm_b"
    assert decide(payment, start(2, method=METHOD), POLICY, NOW).send is None
    assert decide(payment, start(2, method=OTHER_METHOD), POLICY, NOW).send is not None


def test_when_it_is_gone_by_then_dunning_goes_on() -> None:
    payment = replace(asked(tried(declined())), methods=(ALSO_STORED,))
    assert choose(payment, POLICY, NOW) == "pm_b"


@pytest.mark.parametrize("kind", [kind for kind in DeclineKind if kind is not DeclineKind.SOFT])
def test_never_after_a_decline_for_good(kind: DeclineKind) -> None:
    assert refused(tried(declined(kind=kind))) == "refused_for_good"
    on_another_invoice = replace(STORED, refused=kind, refused_at=NOW - _DAY)
    assert refused(tried(methods=(on_another_invoice,))) == "refused_for_good"


def test_after_suspected_fraud_no_other_stored_one_either() -> None:
    payment = replace(tried(declined(kind=DeclineKind.FRAUD)), methods=(STORED, ALSO_STORED))
    assert refused(payment, "pm_b") == "refused_for_good"
    given_since = replace(ALSO_STORED, id="pm_c", given_at=NOW + _MINUTE)
    payment = replace(payment, methods=(STORED, given_since))
    assert may_try_again(payment, None, POLICY, NOW + 2 * _MINUTE) == "pm_c"


@pytest.mark.parametrize(("window", "limit"), NETWORK_LIMITS)
def test_never_more_than_the_card_networks_allow(window: timedelta, limit: int) -> None:
    full = tuple(NOW - window + n * _MINUTE for n in range(1, limit + 1))
    assert refused(tried(methods=(replace(STORED, tried_at=full),))) == "too_soon"
    with_room = tried(methods=(replace(STORED, tried_at=full[1:]),))
    assert may_try_again(with_room, None, POLICY, NOW) == "pm_a"
    # Others may have used the room up between the wish and the try.
    late = replace(asked(with_room), methods=(replace(STORED, tried_at=full),))
    assert next_charge(late, "pm_a", POLICY, NOW) == TryAt(NOW + _MINUTE, Reason.NETWORK_LIMIT)


def test_the_wait_that_came_with_a_decline_is_for_tries_by_themselves() -> None:
    no_funds = tried(declined(retry_after_s=86400))
    assert may_try_again(no_funds, None, POLICY, NOW) == "pm_a", "he has topped it up"


def test_what_was_sent_twice_is_left_alone_for_a_day() -> None:
    assert refused(tried(replace(declined(), sendings=2))) == "too_soon"


@pytest.mark.parametrize(
    ("situation", "code"),
    [
        ("charging-started", "attempt_out"),
        ("charging-in-doubt", "attempt_out"),
        ("pending-accepted", "attempt_out"),
        ("pending-needs-customer", "attempt_out"),
        ("collected-second-out", "attempt_out"),
        ("collected", "nothing_to_collect"),
        ("reported", "nothing_to_collect"),
        ("stranded", "nothing_to_collect"),
        ("refunded", "nothing_to_collect"),
        ("canceled", "nothing_to_collect"),
        ("exhausted-uncollectible", "nothing_to_collect"),
        ("waiting-closing", "nothing_to_collect"),
        ("waiting-parked", "needs_person"),
        ("waiting-checkout", "not_due_yet"),
        ("waiting-consent", "not_due_yet"),
        ("waiting-draft", "not_due_yet"),
        ("waiting-no-method", "payment_method_dead"),
        ("waiting-lost", "payment_method_dead"),
        ("exhausted", "refused_for_good"),
        ("exhausted-fraud", "refused_for_good"),
    ],
)
def test_refused_with_its_rule(situation: str, code: str) -> None:
    assert refused(SITUATIONS[situation]) == code
    assert can_be_offered(SITUATIONS[situation], POLICY, NOW) == ()


def test_not_while_the_one_before_may_still_arrive() -> None:
    waits = replace(
        tried(replace(declined(), outcome=Outcome.NOT_SENT, code="person")),
        reason=Reason.NOT_SENT,
        next_look_at=NOW + _DAY,
    )
    assert refused(waits) == "may_still_arrive"


def test_what_can_be_offered_is_what_may_be_asked_for() -> None:
    soft = SITUATIONS["waiting-retry-two-stored"]
    assert can_be_offered(soft, POLICY, NOW) == ("pm_a", "pm_b")
    dead = SITUATIONS["waiting-other-method"]
    assert can_be_offered(dead, POLICY, NOW) == ("pm_b",)
    assert may_try_again(dead, None, POLICY, NOW) == "pm_b"


def test_told_again_before_it_was_tried_it_is_one_wish() -> None:
    once = asked(tried(declined()))
    again = decide(once, TryAsked("pm_a"), POLICY, NOW)
    assert (again.payment, again.note) == (once, "asked for already")


def test_an_unanswered_try_is_waited_for_and_not_asked_again() -> None:
    payment = after(new_payment(), start(), answer(SOFT), TryAsked("pm_a"), start(2))
    payment = decide(payment, answer(NO_ANSWER, n=2), POLICY, NOW).payment
    assert payment.method_asked_for is None
    assert refused(payment) == "attempt_out"


def test_a_hard_answer_to_it_ends_dunning_as_any_other() -> None:
    payment = after(new_payment(), start(), answer(SOFT), TryAsked("pm_a"), start(2))
    gave_up = decide(payment, answer(HARD, n=2), POLICY, NOW).payment
    assert gave_up.state is State.EXHAUSTED
    assert next_move(gave_up, POLICY, NOW) == GiveUp(Reason.DECLINED_FOR_GOOD)
