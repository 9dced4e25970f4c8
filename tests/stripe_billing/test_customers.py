"""Customers over the gateway."""

from dataclasses import replace

import pytest

from tests.stripe_billing.conftest import START, Sandbox
from twintill.errors import StripeRefused, StripeUnreadable
from twintill.stripe_billing.customers import CustomerLook
from twintill.stripe_billing.gateway import Gateway


async def test_a_customer_is_created_once_per_key(gateway: Gateway) -> None:
    made = [
        await gateway.create_customer("a@example.com", None, {"plan": "x"}, "op_1", "key")
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert (await gateway.read_customer(made[0])).op_id == "op_1"


async def test_the_processors_ids_come_and_go(gateway: Gateway, customer: str) -> None:
    await gateway.write_method_ids(customer, "cust_there", "pm_there")
    look = await gateway.read_customer(customer)
    assert replace(look, invoice_prefix=None) == CustomerLook(
        customer, False, "cust_there", "pm_there", "op_1"
    )
    await gateway.clear_method_ids(customer)
    look = await gateway.read_customer(customer)
    assert (look.processor_customer_id, look.processor_payment_method_id) == (None, None)


async def test_the_address_and_ip_reach_the_tax(gateway: Gateway, customer: str) -> None:
    await gateway.write_location(customer, {"country": "DE", "postal_code": "10115"}, "203.0.113.7")
    shown = await gateway.client.v1.customers.retrieve_async(customer, {"expand": ["tax"]})
    assert shown.address is not None
    assert shown.address.postal_code == "10115"
    assert shown.tax is not None
    assert (shown.tax.ip_address, shown.tax.automatic_tax) == ("203.0.113.7", "supported")


async def test_an_ip_alone_will_do(gateway: Gateway, customer: str) -> None:
    await gateway.write_location(customer, None, "203.0.113.7")
    shown = await gateway.client.v1.customers.retrieve_async(customer, {"expand": ["tax"]})
    assert shown.tax is not None
    assert shown.tax.ip_address == "203.0.113.7"


async def test_a_bad_address_is_refused_at_once(gateway: Gateway, customer: str) -> None:
    with pytest.raises(StripeRefused) as raised:
        await gateway.write_location(customer, {"country": "US", "postal_code": "1"}, None)
    assert raised.value.code == "customer_tax_location_invalid"


@pytest.mark.parametrize("address", [None, {}, {"planet": "Mars"}])
async def test_a_location_that_is_none_is_a_bug_of_the_caller(
    gateway: Gateway, customer: str, address: dict[str, str] | None
) -> None:
    with pytest.raises(ValueError, match="an address of"):
        await gateway.write_location(customer, address, None)


async def test_a_deleted_customer_can_be_read(gateway: Gateway, customer: str) -> None:
    await gateway.client.v1.customers.delete_async(customer)
    assert (await gateway.read_customer(customer)).deleted


async def test_a_customer_whose_answer_was_lost_is_found_by_its_operation(
    gateway: Gateway, sandbox: Sandbox
) -> None:
    await sandbox.break_next("POST", "/v1/customers$", "reset_after", times=3)
    with pytest.raises(StripeUnreadable):
        await gateway.create_customer("a@example.com", None, {}, "op_lost", "key")
    found = await gateway.find_customer_by_op("op_lost", START, "a@example.com")
    assert found is not None
    assert (await gateway.read_customer(found)).op_id == "op_lost"


async def test_it_is_found_among_more_than_a_page_of_customers(gateway: Gateway) -> None:
    wanted = await gateway.create_customer(None, None, {}, "op_wanted", "key")
    for n in range(101):
        await gateway.create_customer(None, None, {}, f"op_{n}", f"key_{n}")
    assert await gateway.find_customer_by_op("op_wanted", START) == wanted
    assert await gateway.find_customer_by_op("op_none", START) is None
