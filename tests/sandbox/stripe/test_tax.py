"""Tax in the sandbox Stripe: where the customer is decides, and an unknown place stops the bill."""

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import BERLIN, HOUR_S, StripeWorld
from twintill.sandbox.stripe.tax import Rate, tax_on

TAXED = {"automatic_tax": {"enabled": True}}


@pytest.mark.parametrize(
    ("place", "total"),
    [
        ({"address": BERLIN}, 11900),
        ({"address": {"country": "FR"}}, 12000),
        ({"address": {"country": "US", "postal_code": "94105"}}, 10825),
        ({"address": {"country": "US", "postal_code": "10001"}}, 10000),
        ({"address": {"country": "BR"}}, 10000),
        ({"tax": {"ip_address": "203.0.113.9"}}, 11900),
        ({"tax": {"ip_address": "198.51.100.9"}}, 12000),
        ({"address": {"country": "FR"}, "tax": {"ip_address": "203.0.113.9"}}, 12000),
        ({"address": BERLIN, "tax_exempt": "exempt"}, 10000),
        ({"address": BERLIN, "tax_exempt": "reverse"}, 10000),
    ],
)
async def test_the_place_decides(world: StripeWorld, place: dict[str, Any], total: int) -> None:
    customer = await world.customer(**place)
    invoice = await world.open_invoice(10000, customer=customer, **TAXED)
    assert (invoice.subtotal, invoice.total, invoice.amount_due) == (10000, total, total)
    assert sum(tax.amount for tax in invoice.total_taxes) == total - 10000
    assert invoice.automatic_tax.status == "complete"


async def test_a_vague_shipping_address_hides_a_good_billing_address(world: StripeWorld) -> None:
    vague = {"name": "Ada", "address": {"country": "US"}}
    customer = await world.customer(address=BERLIN, shipping=vague)
    subscription = await world.subscribe(customer, **TAXED)
    with pytest.raises(stripe.InvalidRequestError):
        await world.v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)


async def test_an_unknown_place_stops_the_finalization(world: StripeWorld) -> None:
    await world.listen("invoice.finalization_failed")
    customer = await world.customer()
    draft = (await world.subscribe(customer, **TAXED)).latest_invoice
    assert (draft.automatic_tax.status, draft.total) == ("requires_location_inputs", 4900)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.invoices.finalize_invoice_async(draft.id)
    assert refused.value.code == "customer_tax_location_invalid"
    await world.advance(HOUR_S)
    stuck = await world.v1.invoices.retrieve_async(draft.id)
    assert stuck.status == "draft"
    assert stuck.last_finalization_error.code == "customer_tax_location_invalid"
    assert world.endpoint.types() == ["invoice.finalization_failed"] * 2


async def test_once_the_address_is_known_the_draft_shows_the_amount(world: StripeWorld) -> None:
    customer = await world.customer()
    draft = (await world.subscribe(customer, **TAXED)).latest_invoice
    await world.v1.customers.update_async(customer.id, {"address": BERLIN})
    refreshed = await world.v1.invoices.retrieve_async(draft.id)
    assert (refreshed.total, refreshed.automatic_tax.status) == (5831, "complete")
    invoice = await world.v1.invoices.finalize_invoice_async(draft.id)
    assert (invoice.status, invoice.amount_due) == ("open", 5831)


@pytest.mark.parametrize(
    "address",
    [
        {"country": "DE", "postal_code": "00000"},
        {"country": "US", "postal_code": "1234"},
        {"country": "US"},
        {"country": "CA"},
    ],
)
async def test_a_bad_place_can_be_refused_at_once(
    world: StripeWorld, address: dict[str, str]
) -> None:
    given = {"address": address, "tax": {"validate_location": "immediately"}}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.v1.customers.create_async(given)
    assert refused.value.code == "customer_tax_location_invalid"
    customer = await world.customer()
    with pytest.raises(stripe.InvalidRequestError):
        await world.v1.customers.update_async(customer.id, given)
    unchanged = await world.v1.customers.retrieve_async(customer.id, {"expand": ["tax"]})
    assert (unchanged.address, unchanged.tax.automatic_tax) == (None, "unrecognized_location")


async def test_the_customers_tax_says_where_they_are(world: StripeWorld) -> None:
    customer = await world.customer(address=BERLIN, expand=["tax"])
    assert customer.tax.automatic_tax == "supported"
    assert (customer.tax.location.country, customer.tax.location.source) == (
        "DE",
        "billing_address",
    )


async def test_a_card_subscription_needs_its_place_at_once(world: StripeWorld) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await world.subscribe(
            collection_method="charge_automatically",
            default_payment_method="pm_card_visa",
            **TAXED,
        )
    assert refused.value.code == "customer_tax_location_invalid"


def test_tax_is_rounded_half_away_from_zero() -> None:
    assert [tax_on(amount, Rate(825, "US")) for amount in (100, 200, -200, 1000)] == [
        8,
        17,
        -17,
        83,
    ]
