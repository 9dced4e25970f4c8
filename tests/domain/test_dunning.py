"""Dunning: few tries, days apart, never after a hard no, never too late for the due date."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.situations import AMOUNT, NOW, POLICY, new_payment
from twintill.domain.dunning import GiveUp, TryAt, next_charge, next_try
from twintill.domain.outcomes import DeclineKind
from twintill.domain.payment import Attempt, Outcome, Payment, Reason

_DAY = timedelta(days=1)


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


def after(*attempts: Attempt, due_at: datetime | None = None) -> Payment:
    return replace(new_payment(due_at=due_at), attempts=attempts)


def test_soft_declines_are_tried_again_after_one_three_and_five_days() -> None:
    at, tries = NOW, [declined(1)]
    for n, days in enumerate((1, 3, 5), start=2):
        follows = next_try(after(*tries), tries[-1], POLICY, at)
        assert follows == TryAt(at + days * _DAY)
        at += days * _DAY
        tries.append(declined(n, at))
    assert next_try(after(*tries), tries[-1], POLICY, at) == GiveUp(Reason.TRIES_USED_UP)


@pytest.mark.parametrize("kind", [kind for kind in DeclineKind if kind is not DeclineKind.SOFT])
def test_any_other_decline_is_for_good(kind: DeclineKind) -> None:
    no = declined(kind=kind)
    assert next_try(after(no), no, POLICY, NOW) == GiveUp(Reason.DECLINED_FOR_GOOD)


def test_the_processors_wait_is_kept() -> None:
    no = declined(retry_after_s=2 * 86400)
    assert next_try(after(no), no, POLICY, NOW) == TryAt(NOW + 2 * _DAY)


def test_a_wait_beyond_the_span_gives_up() -> None:
    no = declined(retry_after_s=16 * 86400)
    assert next_try(after(no), no, POLICY, NOW) == GiveUp(Reason.TRIES_USED_UP)


def test_a_try_that_cannot_be_reported_before_the_due_date_is_not_made() -> None:
    no = declined()
    fits = NOW + _DAY + POLICY.due_margin
    assert next_try(after(no, due_at=fits), no, POLICY, NOW) == TryAt(NOW + _DAY)
    too_early = after(no, due_at=fits - timedelta(seconds=1))
    assert next_try(too_early, no, POLICY, NOW) == GiveUp(Reason.NO_TRY_FITS)


def test_each_method_has_tries_of_its_own() -> None:
    others = [declined(n, method="pm_b") for n in range(1, 5)]
    mine = declined(5)
    assert next_try(after(*others, mine), mine, POLICY, NOW) == TryAt(NOW + _DAY)


@given(
    waits_s=st.lists(st.integers(min_value=0, max_value=20 * 86400), min_size=1, max_size=8),
    late_s=st.integers(min_value=0, max_value=3 * 86400),
    due_days=st.none() | st.integers(min_value=0, max_value=40),
)
def test_no_history_of_declines_breaks_the_rules(
    waits_s: list[int], late_s: int, due_days: int | None
) -> None:
    due_at = None if due_days is None else NOW + due_days * _DAY
    at, tries = NOW, [declined(1, NOW, retry_after_s=waits_s[0])]
    for n, wait_s in enumerate(waits_s[1:], start=2):
        follows = next_try(after(*tries, due_at=due_at), tries[-1], POLICY, at)
        if isinstance(follows, GiveUp):
            break
        assert follows.at >= at + POLICY.retry_gap_min
        assert follows.at >= at + timedelta(seconds=tries[-1].retry_after_s or 0)
        assert follows.at <= NOW + POLICY.retry_span
        assert due_at is None or follows.at <= due_at - POLICY.due_margin
        at = follows.at + timedelta(seconds=late_s)
        tries.append(declined(n, at, retry_after_s=wait_s))
    assert len(tries) <= 1 + len(POLICY.retry_pauses)


def test_a_method_that_was_never_declined_may_be_charged_now() -> None:
    payment = after(declined(kind=DeclineKind.HARD), due_at=NOW)
    assert next_charge(payment, "pm_b", POLICY, NOW) == TryAt(NOW)


def test_whoever_rings_early_waits_for_the_day_of_the_retry() -> None:
    payment = after(declined())
    assert next_charge(payment, "pm_a", POLICY, NOW + _DAY / 2) == TryAt(NOW + _DAY)
    assert next_charge(payment, "pm_a", POLICY, NOW + _DAY) == TryAt(NOW + _DAY)


def test_whoever_rings_after_a_hard_no_is_refused() -> None:
    payment = after(declined(kind=DeclineKind.FRAUD))
    assert next_charge(payment, "pm_a", POLICY, NOW + _DAY) == GiveUp(Reason.DECLINED_FOR_GOOD)


def test_a_retry_that_was_overslept_beyond_the_due_date_is_not_made() -> None:
    payment = after(declined(), due_at=NOW + 3 * _DAY)
    assert next_charge(payment, "pm_a", POLICY, NOW + 2 * _DAY) == TryAt(NOW + 2 * _DAY)
    assert next_charge(payment, "pm_a", POLICY, NOW + 3 * _DAY) == GiveUp(Reason.NO_TRY_FITS)


def test_a_retry_that_was_overslept_beyond_the_span_is_not_made() -> None:
    payment = after(declined())
    assert next_charge(payment, "pm_a", POLICY, NOW + 16 * _DAY) == GiveUp(Reason.TRIES_USED_UP)
