"""Currencies that are not what they seem: charged a hundred times too much, or too little."""

import pytest

from tests.flows.world import World
from tests.regressions.stories import sent
from twintill.domain.payment import State
from twintill.money import Money, is_expressible, stripe_exponent, to_exponent


async def collect(world: World, amount_minor: int, currency: str) -> str:
    """An invoice in this currency, in Stripe's minor units."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id, amount_minor, currency)
    await world.open_payment(invoice_id, customer_id)
    await world.work()
    return invoice_id


def test_woocommerce_stripe_883_the_ugandan_shilling_has_hundredths_at_stripe() -> None:
    """Listed as a zero-decimal currency, which it is, except at Stripe (mended in #2674)."""
    assert stripe_exponent("UGX") == 2
    assert to_exponent(Money(500_00, "UGX"), 0) == 500
    assert is_expressible(Money(500_00, "UGX"))
    assert not is_expressible(Money(501, "UGX"))
    with pytest.raises(ValueError, match="cannot be expressed"):
        to_exponent(Money(501, "UGX"), 0)


async def test_woocommerce_stripe_883_what_the_processor_does_not_take_is_not_charged(
    world: World,
) -> None:
    invoice_id = await collect(world, 50_000_00, "ang")
    assert await sent(world) == []
    assert (await world.payment(invoice_id)).receipts == ()
    assert await world.status(invoice_id) == "open"


async def test_adyen_commercetools_1085_icelandic_kronur_count_differently_on_both_sides(
    world: World,
) -> None:
    """Hundredths at Stripe, whole kronur at the processor: one list of decimals is not enough."""
    invoice_id = await collect(world, 4900_00, "isk")
    (charge,) = await world.charges()
    assert (charge["amount"], charge["currency"]) == (4900, "ISK")
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor) == (State.REPORTED, 4900_00)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "there"),
    [
        (4900, "jpy", 4900),
        (4900, "eur", 4900),
        (4900, "clp", 490_000),
        (50_000_00, "ugx", 50_000),
        (12_345_00, "huf", 12_345),
        (1_234_00, "twd", 1_234),
        (4900, "mga", 490_000),
        (1_234_560, "kwd", 1_234_560),
        (12_340, "bhd", 12_340),
    ],
)
async def test_adyen_commercetools_1085_every_currency_has_an_exponent_on_each_side(
    world: World, amount_minor: int, currency: str, there: int
) -> None:
    invoice_id = await collect(world, amount_minor, currency)
    (charge,) = await world.charges()
    assert charge["amount"] == there
    assert (await world.payment(invoice_id)).reported_minor == amount_minor


@pytest.mark.parametrize("currency", ["isk", "huf", "twd", "ugx"])
async def test_adyen_commercetools_1085_what_cannot_be_said_exactly_is_not_charged(
    world: World, currency: str
) -> None:
    """A half is left to pay, and the processor knows whole ones: nothing is ever rounded."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id, 4900_00, currency)
    await world.open_payment(invoice_id, customer_id)
    await world.means.stripe.client.v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": 50}
    )
    await world.work()
    assert await sent(world) == []
    assert (await world.payment(invoice_id)).parked_why is not None
    assert await world.status(invoice_id) == "open"
