"""A partial payment: what is credited, reported, and invoiced anew."""

from dataclasses import replace

import pytest

from tests.domain.situations import (
    IN_PART,
    LOOK,
    NOW,
    PAID,
    POLICY,
    SITUATIONS,
    VOID,
    answer,
)
from twintill.domain import facts as f
from twintill.domain.decide import decide
from twintill.domain.follow_on import FollowOnWhy
from twintill.domain.invoice import InvoiceLook, InvoiceStatus, StripePayment
from twintill.domain.partial import rest_minor
from twintill.domain.payment import Payment, Reason
from twintill.domain.policy import Partial, Policy

COLLECTED = SITUATIONS["collected"]
MORE = replace(LOOK, amount_remaining_minor=7000, amount_due_minor=7000)


@pytest.mark.parametrize(
    ("payment", "look", "policy", "rest"),
    [
        (COLLECTED, MORE, POLICY, 2000),
        (COLLECTED, LOOK, POLICY, 0),
        (COLLECTED, MORE, Policy(partial=Partial.PERSON), 0),
        (COLLECTED, replace(MORE, status=InvoiceStatus.UNCOLLECTIBLE), POLICY, 0),
        (COLLECTED, replace(MORE, stripe_payment=StripePayment.PROCESSING), POLICY, 0),
        (COLLECTED, replace(MORE, currency="USD"), POLICY, 0),
        (SITUATIONS["collected-second-out"], MORE, POLICY, 0),
        (SITUATIONS["waiting-ready"], MORE, POLICY, 0),
    ],
)
def test_how_much_is_credited_as_the_rest(
    payment: Payment, look: InvoiceLook, policy: Policy, rest: int
) -> None:
    assert rest_minor(payment, look, policy) == rest


def test_the_rest_is_invoiced_anew_once_the_part_is_reported() -> None:
    follow_on = decide(SITUATIONS["rest-made"], f.InvoiceReported(5000), POLICY, NOW).follow_on
    assert follow_on is not None
    assert (follow_on.amount_minor, follow_on.why) == (2000, FollowOnWhy.REST)
    assert decide(COLLECTED, f.InvoiceReported(5000), POLICY, NOW).follow_on is None


def test_so_is_what_somebody_else_paid_less_of_but_not_what_was_voided() -> None:
    made = SITUATIONS["rest-made"]
    assert decide(made, f.ReportRefused(PAID), POLICY, NOW).follow_on is not None
    assert decide(made, f.ReportRefused(VOID), POLICY, NOW).follow_on is None


def test_by_setting_a_person_compares_a_partial_approval() -> None:
    policy = Policy(partial=Partial.PERSON)
    payment = decide(SITUATIONS["charging-started"], answer(IN_PART), policy, NOW).payment
    assert payment.reason is Reason.AMOUNT_DIFFERS
    assert payment.parked_why is not None


def test_another_amount_in_another_currency_is_no_part() -> None:
    dollars = replace(IN_PART, amount=replace(IN_PART.amount, currency="USD"))
    payment = decide(SITUATIONS["charging-started"], answer(dollars), POLICY, NOW).payment
    assert payment.reason is Reason.AMOUNT_DIFFERS
