"""Signing up, by rule: the state shown, when access is granted, when another method helps."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintill.domain.outcomes import Finality
from twintill.domain.payment import Attempt, Outcome, Payment, Reason, Receipt, State
from twintill.domain.signup import (
    Access,
    SignupState,
    Step,
    access,
    is_agreed,
    needs_customer,
    needs_method,
    state_of,
)
from twintill.money import Money

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def payment(
    state: State,
    reason: Reason | None = None,
    *,
    outcome: Outcome | None = None,
    reported_minor: int = 0,
) -> Payment:
    attempts = () if outcome is None else (attempt(outcome),)
    receipts = (receipt(reported_minor),) if reported_minor else ()
    return Payment(
        id="pay_1",
        invoice_id="in_1",
        customer_id="cus_1",
        currency="EUR",
        state=state,
        reason=reason,
        next_look_at=NOW,
        attempts=attempts,
        receipts=receipts,
    )


def attempt(outcome: Outcome) -> Attempt:
    return Attempt(
        id="att_1",
        n=1,
        method_id="pm_1",
        processor="sandbox",
        processor_account_id="acct",
        amount=Money(100, "EUR"),
        reference="tw-1",
        idempotency_key="key",
        first_sent_at=NOW,
        outcome=outcome,
    )


def receipt(reported_minor: int) -> Receipt:
    return Receipt(
        id="rcp_1",
        attempt_id="att_1",
        source="attempt",
        processor_account_id="acct",
        currency="EUR",
        finality=Finality.FINAL,
        collected_minor=100,
        collected_at=NOW,
        reported_minor=reported_minor,
    )


@pytest.mark.parametrize(
    ("its", "expected"),
    [
        (payment(State.REPORTED, reported_minor=100), Access.GRANTED),
        (payment(State.STRANDED, Reason.MORE_THAN_DUE, reported_minor=90), Access.GRANTED),
        (payment(State.CANCELED, Reason.NOTHING_DUE), Access.GRANTED),
        (payment(State.CANCELED, Reason.PAID_ELSEWHERE), Access.GRANTED),
        (payment(State.STRANDED, Reason.PAID_ELSEWHERE), Access.GRANTED),
        (payment(State.STRANDED, Reason.INVOICE_VOID), Access.LOST),
        (payment(State.CANCELED, Reason.INVOICE_VOID), Access.LOST),
        (payment(State.CANCELED, Reason.CHECKOUT_EXPIRED), Access.LOST),
        (payment(State.REFUNDED, reported_minor=100), Access.LOST),
        (payment(State.COLLECTED), Access.WAITING),
        (payment(State.PENDING, Reason.ACCEPTED, outcome=Outcome.ACCEPTED), Access.WAITING),
        (payment(State.WAITING, Reason.CHECKOUT), Access.WAITING),
        (payment(State.EXHAUSTED, Reason.TRIES_USED_UP), Access.WAITING),
    ],
)
def test_access_comes_from_an_invoice_that_is_paid(its: Payment, expected: Access) -> None:
    assert access(its) is expected


@pytest.mark.parametrize(
    ("its", "customer", "method"),
    [
        (payment(State.WAITING, Reason.RETRY), True, True),
        (payment(State.WAITING, Reason.NO_METHOD), True, True),
        (payment(State.EXHAUSTED, Reason.DECLINED_FOR_GOOD), True, True),
        (payment(State.EXHAUSTED, Reason.UNCOLLECTIBLE), True, False),
        (payment(State.WAITING, Reason.CONSENT), True, False),
        (
            payment(State.PENDING, Reason.NEEDS_CUSTOMER, outcome=Outcome.NEEDS_CUSTOMER),
            True,
            False,
        ),
        (payment(State.PENDING, Reason.IN_DOUBT, outcome=Outcome.NO_ANSWER), False, False),
        (payment(State.WAITING, Reason.READY), False, False),
        (payment(State.WAITING, Reason.STRIPE_UNREADABLE), False, False),
        (payment(State.REPORTED, reported_minor=100), False, False),
    ],
)
def test_when_the_customer_has_to_act_and_when_another_method_helps(
    its: Payment, customer: bool, method: bool
) -> None:
    assert (needs_customer(its), needs_method(its)) == (customer, method)


@pytest.mark.parametrize(
    ("step", "its", "confirming", "expected"),
    [
        (Step.CREATE_CUSTOMER, None, False, SignupState.CREATING),
        (Step.CREATE_SUBSCRIPTION, None, False, SignupState.CREATING),
        (Step.CHECKOUT, payment(State.WAITING, Reason.CHECKOUT), False, SignupState.CHECKOUT_OPEN),
        (Step.CHECKOUT, payment(State.WAITING, Reason.CHECKOUT), True, SignupState.ACTION_REQUIRED),
        (Step.WRITE_METHOD, payment(State.WAITING, Reason.RETRY), False, SignupState.COLLECTING),
        (Step.FINALIZE, None, False, SignupState.COLLECTING),
        (Step.COLLECT, None, False, SignupState.COLLECTING),
        (Step.COLLECT, payment(State.CHARGING), False, SignupState.COLLECTING),
        (Step.COLLECT, payment(State.WAITING, Reason.RETRY), False, SignupState.ACTION_REQUIRED),
        (Step.DROP_SETUP, None, False, SignupState.EXPIRED),
        (Step.VOID, None, False, SignupState.EXPIRED),
        (Step.CANCEL, None, False, SignupState.EXPIRED),
        (Step.EXPIRED, None, False, SignupState.EXPIRED),
        (Step.ACTIVE, None, False, SignupState.ACTIVE),
        (Step.FAILED, None, False, SignupState.FAILED),
    ],
)
def test_what_the_api_calls_it(
    step: Step, its: Payment | None, confirming: bool, expected: SignupState
) -> None:
    assert state_of(step, its, confirming=confirming) is expected


def test_every_step_has_a_state() -> None:
    for step in Step:
        for confirming in (True, False):
            assert state_of(step, None, confirming=confirming)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_agreed_is_what_was_shown_and_anything_below_never_above(final: int, shown: int) -> None:
    assert is_agreed(final, shown) is (final <= shown)
