"""Where a customer is, for tax: what is wrong with it, and what a person does about it. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from twintill.domain.address import Address, clean, complaints

KIND = "tax"
# Stripe cannot compute the tax without a better address; or could not just now.
LOCATION_CODES = frozenset(("customer_tax_location_invalid",))
LATER_CODES = frozenset(("taxes_calculation_failed", "failed_tax_calculation"))


class TaxProblem(StrEnum):
    LOCATION_UNKNOWN = "location_unknown"
    SHIPPING_SHADOWS = "shipping_shadows"
    CALCULATION_FAILED = "calculation_failed"
    STRIPE_TAX_INACTIVE = "stripe_tax_inactive"


WHAT_TO_DO = {
    TaxProblem.LOCATION_UNKNOWN: (
        "Stripe does not know this customer's place, so invoices with automatic tax cannot be "
        "finalized. Ask for the billing address (country and postal code; US: five digits; "
        "Canada: province) and send it to POST /v1/customers/{customer}/tax_location."
    ),
    TaxProblem.SHIPPING_SHADOWS: (
        "The shipping address is not precise enough, and Stripe uses it before the billing "
        "address, which is good. Mend or clear the shipping address: POST "
        "/v1/customers/{customer}/tax_location with `shipping_address`, or `clear_shipping`."
    ),
    TaxProblem.CALCULATION_FAILED: (
        "Stripe could not compute the tax just now. It is tried again by itself."
    ),
    TaxProblem.STRIPE_TAX_INACTIVE: (
        "Stripe Tax is not active for this account: activate it in the Dashboard, or switch "
        "automatic tax off for the subscription."
    ),
}


@dataclass(frozen=True, slots=True)
class Located:
    """What Stripe says of a customer's place; `state`: supported, not_collecting, ..."""

    state: str
    billing: Address | None
    shipping: Address | None


def problem_of(located: Located) -> TaxProblem | None:
    """None: Stripe knows the place (or collects nothing there)."""
    match located.state:
        case "failed":
            return TaxProblem.CALCULATION_FAILED
        case "unrecognized_location" if _shadows(located):
            return TaxProblem.SHIPPING_SHADOWS
        case "unrecognized_location":
            return TaxProblem.LOCATION_UNKNOWN
    return None


def problem_of_refusal(code: str | None) -> TaxProblem | None:
    """Of a finalization that Stripe refused; None: it has nothing to do with tax."""
    if code in LOCATION_CODES:
        return TaxProblem.LOCATION_UNKNOWN
    if code in LATER_CODES:
        return TaxProblem.CALCULATION_FAILED
    return TaxProblem.STRIPE_TAX_INACTIVE if code == "stripe_tax_inactive" else None


def _shadows(located: Located) -> bool:
    """Stripe looks at the shipping address first, and does not go on to a better one."""
    if located.shipping is None or located.billing is None:
        return False
    good = not complaints(_for_tax(located.billing))
    return good and bool(complaints(_for_tax(located.shipping)))


def _for_tax(address: Address) -> Address:
    """A US state follows from the ZIP code."""
    cleaned = clean(address)
    if cleaned.country == "US" and not cleaned.state:
        return Address(**{**cleaned.filled(), "state": "XX"})
    return cleaned
