"""What may stand on an invoice, and in which currency and under which number it is made."""

from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_world import StripeWorld

ONE_OFF: dict[str, Any] = {"collection_method": "send_invoice", "days_until_due": 14}


async def draft(world: StripeWorld, customer: Any, **params: Any) -> Any:
    return await world.v1.invoices.create_async({"customer": customer.id, **ONE_OFF, **params})


async def add(world: StripeWorld, customer: Any, amount: int = 100, **params: Any) -> Any:
    given = {"customer": customer.id, "amount": amount, "currency": "eur", **params}
    return await world.v1.invoice_items.create_async(given)


async def test_an_invoice_takes_250_items(world: StripeWorld) -> None:
    customer = await world.customer()
    invoice = await draft(world, customer)
    for count in (100, 100, 50):
        lines = [{"amount": 100, "description": "Seat"}] * count
        await world.v1.invoices.add_lines_async(invoice.id, {"lines": lines})
    for call in (
        add(world, customer, invoice=invoice.id),
        world.v1.invoices.add_lines_async(invoice.id, {"lines": [{"amount": 1}]}),
    ):
        with pytest.raises(stripe.InvalidRequestError, match="at most 250 items"):
            await call
    assert (await world.v1.invoices.retrieve_async(invoice.id)).total == 25_000


async def test_what_waits_beyond_250_waits_for_the_next_invoice(world: StripeWorld) -> None:
    customer = await world.customer()
    for _ in range(251):
        await add(world, customer)
    seen = await world.v1.invoices.create_preview_async({"customer": customer.id})
    totals = [
        (await draft(world, customer, pending_invoice_items_behavior="include")).total
        for _ in range(2)
    ]
    assert (seen.total, totals) == (25_000, [25_000, 100])


async def test_a_total_below_zero_is_paid_and_becomes_the_customers_credit(
    world: StripeWorld,
) -> None:
    customer = await world.customer()
    invoice = await draft(world, customer)
    await add(world, customer, 1000, invoice=invoice.id)
    await add(world, customer, -1700, invoice=invoice.id)
    done = await world.v1.invoices.finalize_invoice_async(invoice.id)
    assert (done.status, done.total, done.amount_due, done.ending_balance) == (
        "paid",
        -700,
        0,
        -700,
    )
    assert (await world.v1.customers.retrieve_async(customer.id)).balance == -700
    following = await draft(world, customer)
    await add(world, customer, 2000, invoice=following.id)
    done = await world.v1.invoices.finalize_invoice_async(following.id)
    assert (done.amount_due, done.starting_balance) == (1300, -700)


async def test_nothing_pending_is_nothing_to_invoice(world: StripeWorld) -> None:
    customer = await world.customer()
    with pytest.raises(stripe.InvalidRequestError, match="Nothing to invoice") as refused:
        await draft(world, customer, pending_invoice_items_behavior="include")
    assert refused.value.code == "invoice_no_customer_line_items"


async def test_a_customer_is_billed_in_one_currency(world: StripeWorld) -> None:
    customer = await world.customer()
    await add(world, customer)
    with pytest.raises(stripe.InvalidRequestError, match="cannot combine currencies"):
        await add(world, customer, currency="usd")
    with pytest.raises(stripe.InvalidRequestError, match="cannot combine currencies"):
        await draft(world, customer, currency="usd")


async def test_an_item_takes_a_one_time_price(world: StripeWorld) -> None:
    customer, price = await world.customer(), await world.price()
    with pytest.raises(stripe.InvalidRequestError, match="type=one_time"):
        await world.v1.invoice_items.create_async(
            {"customer": customer.id, "pricing": {"price": price.id}}
        )
    with pytest.raises(stripe.InvalidRequestError, match="non-negative"):
        await world.v1.invoice_items.create_async(
            {"customer": customer.id, "unit_amount_decimal": "100", "quantity": -1}
        )


async def test_numbers_begin_with_the_customers_prefix(world: StripeWorld) -> None:
    customer = await world.customer(invoice_prefix="ACME")
    await world.v1.customers.update_async(customer.id, {"next_invoice_sequence": 41})
    for number in ("ACME-0041", "ACME-0042"):
        invoice = await draft(world, customer)
        await add(world, customer, invoice=invoice.id)
        assert (await world.v1.invoices.finalize_invoice_async(invoice.id)).number == number
    for bad in ("AB", "acme", "A" * 13, "AC-ME", "ACME"):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await world.customer(invoice_prefix=bad)
        assert refused.value.param == "invoice_prefix"
    with pytest.raises(stripe.InvalidRequestError, match="sequence"):
        await world.v1.customers.update_async(customer.id, {"next_invoice_sequence": 7})
