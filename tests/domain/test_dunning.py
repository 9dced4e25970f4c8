"""Dunning: few tries, days apart, never after a hard no, never too late; then the next method."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.domain.situations import ALSO_STORED, AMOUNT, NOW, POLICY, STORED, new_payment
from twintill.domain.dunning import (
    NETWORK_LIMITS,
    GiveUp,
    TryAt,
    choose,
    last_moment,
    next_charge,
    next_move,
    plans,
)
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Usable
from twintill.domain.policy import TRIES_MAX, Policy

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_FOR_GOOD = [kind for kind in DeclineKind if kind is not DeclineKind.SOFT]


def declined(
    n: int = 1,
    at: datetime = NOW,
    kind: DeclineKind = DeclineKind.SOFT,
    method: str = "pm_a",
    retry_after_s: int | None = None,
) -> Attempt:
    return Attempt(
        id=f"att_{n}",
        n=n,
        method_id=method,
        processor="sandbox",
        processor_account_id="acct_p",
        amount=AMOUNT,
        reference=f"tw-{n}",
        idempotency_key=f"key-{n}",
        first_sent_at=at,
        outcome=Outcome.DECLINED,
        decline_kind=kind,
        retry_after_s=retry_after_s,
        answered_at=at,
    )


def after(
    *attempts: Attempt, due_at: datetime | None = None, methods: tuple[Usable, ...] = (STORED,)
) -> Payment:
    return replace(new_payment(due_at=due_at, methods=methods), attempts=attempts)


def follows(payment: Payment, at: datetime = NOW, policy: Policy = POLICY) -> TryAt | GiveUp:
    return next_move(payment, policy, at)


def test_soft_declines_are_tried_again_after_one_three_and_five_days() -> None:
    at, tries = NOW, [declined(1)]
    for n, days in enumerate((1, 3, 5), start=2):
        assert follows(after(*tries), at) == TryAt(at + days * _DAY)
        at += days * _DAY
        tries.append(declined(n, at))
    assert follows(after(*tries), at) == GiveUp(Reason.TRIES_USED_UP)


@pytest.mark.parametrize("kind", _FOR_GOOD)
def test_any_other_decline_is_for_good(kind: DeclineKind) -> None:
    fraud = kind is DeclineKind.FRAUD
    reason = Reason.SUSPECTED_FRAUD if fraud else Reason.DECLINED_FOR_GOOD
    assert follows(after(declined(kind=kind))) == GiveUp(reason)
    assert next_charge(after(declined(kind=kind)), "pm_a", POLICY, NOW + _DAY) == GiveUp(reason)


def test_the_processors_wait_is_kept() -> None:
    no = declined(retry_after_s=2 * 86400)
    assert follows(after(no)) == TryAt(NOW + 2 * _DAY)


def test_a_wait_that_an_earlier_decline_asked_for_is_kept_too() -> None:
    no = (declined(1, NOW - 2 * _DAY, retry_after_s=9 * 86400), declined(2))
    assert follows(after(*no)) == TryAt(NOW + 7 * _DAY)


def test_a_wait_beyond_the_span_gives_up() -> None:
    no = declined(retry_after_s=16 * 86400)
    assert follows(after(no)) == GiveUp(Reason.TRIES_USED_UP)


def test_a_try_that_cannot_be_reported_before_the_due_date_is_not_made() -> None:
    fits = NOW + _DAY + POLICY.due_margin
    assert follows(after(declined(), due_at=fits)) == TryAt(NOW + _DAY)
    too_early = after(declined(), due_at=fits - timedelta(seconds=1))
    assert follows(too_early) == GiveUp(Reason.NO_TRY_FITS)


def test_stripes_own_end_of_the_subscription_keeps_its_margin() -> None:
    policy = replace(POLICY, stripe_ends_after_due=_DAY, stripe_ends_margin=3 * _DAY)
    payment = new_payment(due_at=NOW + 10 * _DAY)
    assert last_moment(payment, policy) == NOW + 8 * _DAY
    late = replace(policy, stripe_ends_after_due=30 * _DAY)
    assert last_moment(payment, late) == NOW + 10 * _DAY - policy.due_margin


def test_whoever_rings_early_waits_for_the_day_of_the_retry() -> None:
    payment = after(declined())
    assert next_charge(payment, "pm_a", POLICY, NOW + _DAY / 2) == TryAt(NOW + _DAY)
    assert next_charge(payment, "pm_a", POLICY, NOW + _DAY) == TryAt(NOW + _DAY)


def test_a_retry_that_was_overslept_beyond_the_due_date_is_not_made() -> None:
    payment = after(declined(), due_at=NOW + 3 * _DAY)
    assert follows(payment, NOW + 2 * _DAY) == TryAt(NOW + 2 * _DAY)
    assert follows(payment, NOW + 3 * _DAY) == GiveUp(Reason.NO_TRY_FITS)


def test_a_retry_that_was_overslept_beyond_the_span_is_not_made() -> None:
    assert follows(after(declined()), NOW + 16 * _DAY) == GiveUp(Reason.TRIES_USED_UP)


# A second stored method


def two(*attempts: Attempt, due_at: datetime | None = None) -> Payment:
    return after(*attempts, due_at=due_at, methods=(STORED, ALSO_STORED))


def test_the_first_is_tried_again_before_the_second_is() -> None:
    assert follows(two(declined())) == TryAt(NOW + _DAY)
    assert choose(two(declined()), POLICY, NOW) == "pm_a"


@pytest.mark.parametrize("kind", [k for k in _FOR_GOOD if k is not DeclineKind.FRAUD])
def test_when_the_first_is_dead_the_second_is_tried_at_once(kind: DeclineKind) -> None:
    payment = two(declined(kind=kind))
    assert follows(payment) == TryAt(NOW)
    assert choose(payment, POLICY, NOW) == "pm_b"


def test_when_its_tries_are_used_up_too() -> None:
    tries = [declined(n, NOW - (5 - n) * _DAY) for n in range(1, 5)]
    assert choose(two(*tries), POLICY, NOW) == "pm_b"
    assert [plan.tries for plan in plans(two(*tries), POLICY, NOW)] == [4, 0]


def test_the_second_has_tries_of_its_own_then_dunning_ends() -> None:
    hard = declined(kind=DeclineKind.HARD)
    at, tries = NOW, [hard]
    for n in range(2, 6):
        payment = two(*tries)
        assert choose(payment, POLICY, at) == "pm_b"
        move = follows(payment, at)
        assert isinstance(move, TryAt)
        at = move.at
        tries.append(declined(n, at, method="pm_b"))
    assert follows(two(*tries), at) == GiveUp(Reason.DECLINED_FOR_GOOD)
    assert choose(two(*tries), POLICY, at) == "pm_a", "to be told that nothing is left"


def test_the_second_is_not_begun_with_when_that_cannot_fit() -> None:
    payment = two(declined(kind=DeclineKind.HARD), due_at=NOW + timedelta(hours=1))
    assert next_charge(payment, "pm_b", POLICY, NOW) == GiveUp(Reason.NO_TRY_FITS)


def test_one_that_the_customer_gave_since_may_be_charged_however_late() -> None:
    given_since = Usable("pm_c", NOW + _MINUTE)
    payment = after(declined(kind=DeclineKind.HARD), due_at=NOW, methods=(given_since, STORED))
    assert next_charge(payment, "pm_c", POLICY, NOW + _DAY) == TryAt(NOW + _DAY)
    # Its own second try is dunning's again.
    payment = replace(payment, attempts=(*payment.attempts, declined(2, NOW + _DAY, method="pm_c")))
    assert next_charge(payment, "pm_c", POLICY, NOW + _DAY) == GiveUp(Reason.NO_TRY_FITS)


def test_after_suspected_fraud_no_other_is_tried_before_the_customer_gives_one() -> None:
    payment = two(declined(kind=DeclineKind.FRAUD))
    assert follows(payment) == GiveUp(Reason.SUSPECTED_FRAUD)
    given_since = Usable("pm_c", NOW + _MINUTE)
    payment = replace(payment, methods=(given_since, *payment.methods))
    assert choose(payment, POLICY, NOW + 2 * _MINUTE) == "pm_c"


def test_fraud_on_another_invoice_bars_what_was_stored_by_then() -> None:
    suspect = replace(STORED, refused=DeclineKind.FRAUD, refused_at=NOW - _DAY)
    payment = after(methods=(suspect, ALSO_STORED))
    assert follows(payment) == GiveUp(Reason.SUSPECTED_FRAUD)


@pytest.mark.parametrize("kind", [DeclineKind.HARD, DeclineKind.REVOKED])
def test_a_token_that_was_refused_for_good_on_any_invoice_stays_dead(kind: DeclineKind) -> None:
    dead = replace(STORED, refused=kind, refused_at=NOW - 30 * _DAY)
    assert follows(after(methods=(dead,))) == GiveUp(Reason.DECLINED_FOR_GOOD)
    assert choose(after(methods=(dead, ALSO_STORED)), POLICY, NOW) == "pm_b"


def test_the_same_token_given_again_is_no_new_method() -> None:
    again = Usable("pm_c", NOW + _MINUTE, frozenset(("pm_a", "pm_c")))
    payment = after(declined(), methods=(again,))
    assert next_charge(payment, "pm_c", POLICY, NOW + 2 * _MINUTE) == TryAt(NOW + _DAY)


def test_the_next_method_waits_for_what_was_sent_twice_and_declined_once() -> None:
    both = (STORED, ALSO_STORED)
    dead = declined(kind=DeclineKind.HARD)
    assert follows(after(dead, methods=both)) == TryAt(NOW)
    twice = replace(dead, sendings=2)
    assert follows(after(twice, methods=both)) == TryAt(NOW + POLICY.retry_gap_min)
    assert next_charge(after(twice), "pm_new", POLICY, NOW) == TryAt(NOW + POLICY.retry_gap_min)


def test_without_any_method_left_nothing_follows() -> None:
    assert follows(after(methods=())) == GiveUp(Reason.NO_METHOD)
    assert follows(after(declined(), methods=())) == GiveUp(Reason.NO_METHOD)
    hard = after(declined(kind=DeclineKind.HARD), methods=())
    assert follows(hard) == GiveUp(Reason.DECLINED_FOR_GOOD)
    assert choose(hard, POLICY, NOW) is None


# The networks' limits, over all invoices of one token


@pytest.mark.parametrize(("window", "limit"), NETWORK_LIMITS)
def test_a_card_that_was_declined_too_often_waits(window: timedelta, limit: int) -> None:
    tried = tuple(NOW - window + n * _MINUTE for n in range(1, limit + 1))
    payment = after(methods=(replace(STORED, tried_at=tried),))
    assert follows(payment) == TryAt(NOW + _MINUTE, Reason.NETWORK_LIMIT)
    with_room = after(methods=(replace(STORED, tried_at=tried[1:]),))
    assert follows(with_room) == TryAt(NOW)


def test_a_wait_for_the_network_that_cannot_fit_is_not_begun() -> None:
    tried = tuple(NOW - n * _MINUTE for n in range(7))
    payment = after(methods=(replace(STORED, tried_at=tried),), due_at=NOW + _DAY)
    assert follows(payment) == GiveUp(Reason.NO_TRY_FITS)


# For all policies, declines and due dates

_DURATIONS = st.timedeltas(min_value=_DAY, max_value=20 * _DAY)
_MARGINS = st.timedeltas(min_value=timedelta(0), max_value=5 * _DAY)
_POLICIES = st.builds(
    Policy,
    retry_pauses=st.lists(_DURATIONS, max_size=TRIES_MAX - 1).map(tuple),
    retry_span=st.timedeltas(min_value=timedelta(0), max_value=90 * _DAY),
    retry_gap_min=st.timedeltas(min_value=_DAY, max_value=3 * _DAY),
    due_margin=_MARGINS,
    stripe_ends_after_due=st.none() | _MARGINS,
    stripe_ends_margin=_MARGINS,
)
_DECLINES = st.tuples(
    st.sampled_from((*[DeclineKind.SOFT] * 6, *_FOR_GOOD)),
    st.integers(min_value=0, max_value=20 * 86400),  # the network's wait
    st.timedeltas(min_value=timedelta(0), max_value=3 * _DAY),  # how late we look
)
_ELSEWHERE = st.lists(st.timedeltas(min_value=timedelta(0), max_value=30 * _DAY), max_size=20)


@given(
    policy=_POLICIES,
    told=st.lists(_DECLINES, min_size=1, max_size=40),
    due_days=st.none() | st.integers(min_value=0, max_value=60),
    elsewhere=_ELSEWHERE,
)
def test_no_history_of_declines_breaks_the_rules(
    policy: Policy,
    told: list[tuple[DeclineKind, int, timedelta]],
    due_days: int | None,
    elsewhere: list[timedelta],
) -> None:
    """With the customer's two methods; `elsewhere`: declines of the first on other invoices."""
    due_at = None if due_days is None else NOW + due_days * _DAY
    other = tuple(NOW - ago for ago in elsewhere)
    at = NOW
    tries: list[Attempt] = []
    for n, (kind, wait_s, late) in enumerate(told, start=1):
        payment = _read(tries, other, at, due_at)
        move = follows(payment, at, policy)
        if isinstance(move, GiveUp):
            break
        at = move.at + late
        payment = _read(tries, other, at, due_at)
        chosen = choose(payment, policy, at)
        assert chosen is not None
        if next_charge(payment, chosen, policy, at) != TryAt(at):
            continue  # we overslept it, or the network's window is full
        no = declined(n, at, kind, chosen, wait_s)
        _check(no, tries, policy, due_at, payment)
        tries.append(no)
    for method in ("pm_a", "pm_b"):
        assert len([a for a in tries if a.method_id == method]) <= policy.tries <= TRIES_MAX


def _read(
    tries: list[Attempt], other: tuple[datetime, ...], at: datetime, due_at: datetime | None
) -> Payment:
    """As the store reads it: what was tried in the 30 days before."""

    def tried(method: str, more: tuple[datetime, ...]) -> tuple[datetime, ...]:
        mine = (*more, *(a.first_sent_at for a in tries if a.method_id == method))
        return tuple(t for t in mine if t > at - 30 * _DAY)

    first = replace(STORED, tried_at=tried("pm_a", other))
    second = replace(ALSO_STORED, tried_at=tried("pm_b", ()))
    return after(*tries, due_at=due_at, methods=(first, second))


def _check(
    no: Attempt, before: list[Attempt], policy: Policy, due_at: datetime | None, read: Payment
) -> None:
    """What was just tried may be tried, by the rules as they are written down."""
    at, same = no.first_sent_at, [a for a in before if a.method_id == no.method_id]
    for old in same:
        assert old.decline_kind is DeclineKind.SOFT, "after a decline for good"
        assert at - old.first_sent_at >= max(_DAY, policy.retry_gap_min), "within a day"
        assert at >= old.first_sent_at + timedelta(seconds=old.retry_after_s or 0), "too soon"
    assert all(a.decline_kind is not DeclineKind.FRAUD for a in before), "after suspected fraud"
    if same:
        assert at <= same[0].first_sent_at + policy.retry_span, "outside its span"
    if before and due_at is not None:
        assert at <= due_at - policy.due_margin, "too late for the due date"
        if policy.stripe_ends_after_due is not None:
            ends_at = due_at + policy.stripe_ends_after_due
            assert at <= ends_at - policy.stripe_ends_margin, "too late for Stripe's own end"
    (token,) = [m for m in read.methods if m.id == no.method_id]
    for window, limit in ((_DAY, 7), (30 * _DAY, 15)):
        assert len([t for t in token.tried_at if t > at - window]) < limit, "the network's limit"


@given(policy=_POLICIES)
def test_at_most_fifteen_tries_in_thirty_days_however_it_is_set(policy: Policy) -> None:
    assume(policy.retry_pauses)
    at, tries = NOW, [declined()]
    while isinstance(move := follows(after(*tries), at, policy), TryAt):
        at = move.at
        tries.append(declined(len(tries) + 1, at))
    assert len([a for a in tries if a.first_sent_at <= NOW + 30 * _DAY]) <= TRIES_MAX
