"""Where a customer is: what Stripe says of it, in words that a person can act on."""

import pytest

from twintill.domain.address import Address
from twintill.domain.tax import (
    WHAT_TO_DO,
    Located,
    TaxProblem,
    problem_of,
    problem_of_refusal,
)

GOOD = Address("DE", "10115", city="Berlin")
ZIP_ALONE = Address("US", "94105")
IMPRECISE = Address("US")


@pytest.mark.parametrize("state", ["supported", "not_collecting", "a state to come"])
def test_a_place_that_stripe_knows_is_no_problem(state: str) -> None:
    assert problem_of(Located(state, None, IMPRECISE)) is None


@pytest.mark.parametrize(
    ("billing", "shipping", "problem"),
    [
        (None, None, TaxProblem.LOCATION_UNKNOWN),
        (IMPRECISE, None, TaxProblem.LOCATION_UNKNOWN),
        (None, IMPRECISE, TaxProblem.LOCATION_UNKNOWN),
        (IMPRECISE, IMPRECISE, TaxProblem.LOCATION_UNKNOWN),
        (GOOD, GOOD, TaxProblem.LOCATION_UNKNOWN),
        (GOOD, IMPRECISE, TaxProblem.SHIPPING_SHADOWS),
        (ZIP_ALONE, Address(""), TaxProblem.SHIPPING_SHADOWS),
    ],
)
def test_an_imprecise_shipping_address_shadows_a_good_billing_address(
    billing: Address | None, shipping: Address | None, problem: TaxProblem
) -> None:
    assert problem_of(Located("unrecognized_location", billing, shipping)) is problem


def test_what_failed_is_tried_again() -> None:
    assert problem_of(Located("failed", GOOD, None)) is TaxProblem.CALCULATION_FAILED


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("customer_tax_location_invalid", TaxProblem.LOCATION_UNKNOWN),
        ("taxes_calculation_failed", TaxProblem.CALCULATION_FAILED),
        ("failed_tax_calculation", TaxProblem.CALCULATION_FAILED),
        ("stripe_tax_inactive", TaxProblem.STRIPE_TAX_INACTIVE),
        ("invoice_not_editable", None),
        (None, None),
    ],
)
def test_a_finalization_that_was_refused(code: str | None, problem: TaxProblem | None) -> None:
    assert problem_of_refusal(code) is problem


def test_each_problem_says_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(TaxProblem)
