"""Subscriptions, the account and the list of events over the gateway."""

from datetime import timedelta

import pytest

from tests.stripe_billing.conftest import START, Sandbox
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused, StripeUnreadable
from twintill.stripe_billing.gateway import Gateway
from twintill.stripe_billing.subscriptions import SubscriptionLook


async def subscribe(
    gateway: Gateway, customer: str, price: str, op_id: str = "op_2"
) -> SubscriptionLook:
    return await gateway.create_subscription(
        customer, [(price, 2)], 14, {"seat": "1"}, op_id, f"key_{op_id}"
    )


async def test_a_new_subscription_comes_with_its_first_invoice(
    gateway: Gateway, customer: str, price: str
) -> None:
    made = await subscribe(gateway, customer, price)
    assert (made.customer_id, made.status, made.ended) == (customer, "active", False)
    assert (made.collection_method, made.days_until_due) == ("send_invoice", 14)
    first = made.first_invoice
    assert first is not None
    assert (first.invoice_id, first.status) == (made.latest_invoice_id, InvoiceStatus.DRAFT)
    assert (first.currency, first.amount_due_minor) == ("EUR", 9800)


async def test_the_same_key_makes_the_same_subscription(
    gateway: Gateway, customer: str, price: str
) -> None:
    assert await subscribe(gateway, customer, price) == await subscribe(gateway, customer, price)


async def test_other_parameters_under_the_same_key_are_refused(
    gateway: Gateway, customer: str, price: str
) -> None:
    await gateway.create_subscription(customer, [(price, 1)], 14, {}, "op", "key")
    with pytest.raises(StripeRefused) as raised:
        await gateway.create_subscription(customer, [(price, 2)], 14, {}, "op", "key")
    assert raised.value.code == "idempotency_error"


async def test_a_trial_begins_with_an_invoice_of_nothing(
    gateway: Gateway, customer: str, price: str
) -> None:
    made = await gateway.create_subscription(
        customer, [(price, 1)], 14, {}, "op", "key", trial_period_days=7
    )
    assert made.status == "trialing"
    assert made.first_invoice is not None
    assert made.first_invoice.amount_due_minor == 0


async def test_automatic_tax_is_asked_for(gateway: Gateway, customer: str, price: str) -> None:
    await gateway.write_location(customer, {"country": "DE", "postal_code": "10115"}, None)
    made = await gateway.create_subscription(
        customer, [(price, 1)], 14, {}, "op", "key", automatic_tax=True
    )
    assert made.first_invoice is not None
    assert made.first_invoice.amount_due_minor == 5831


async def test_a_cancelled_subscription_has_ended_and_cancelling_again_is_done(
    gateway: Gateway, customer: str, price: str
) -> None:
    made = await subscribe(gateway, customer, price)
    await gateway.cancel_subscription(made.id)
    await gateway.cancel_subscription(made.id)
    look = await gateway.read_subscription(made.id)
    assert (look.status, look.ended, look.ended_at) == ("canceled", True, START)


async def test_cancelling_what_never_was_is_done(gateway: Gateway) -> None:
    await gateway.cancel_subscription("sub_none")


async def test_a_refused_cancellation_of_a_live_subscription_is_an_error(
    gateway: Gateway, sandbox: Sandbox, customer: str, price: str
) -> None:
    made = await subscribe(gateway, customer, price)
    await sandbox.break_next("DELETE", "/v1/subscriptions/", "status", code=400)
    with pytest.raises(StripeRefused):
        await gateway.cancel_subscription(made.id)


async def test_only_subscriptions_that_have_not_ended_are_live(
    gateway: Gateway, customer: str, price: str
) -> None:
    stays = await subscribe(gateway, customer, price, "op_a")
    goes = await subscribe(gateway, customer, price, "op_b")
    await gateway.cancel_subscription(goes.id)
    assert [s.id for s in await gateway.list_live_subscriptions(customer)] == [stays.id]


async def test_a_subscription_whose_answer_was_lost_is_found_by_its_operation(
    gateway: Gateway, sandbox: Sandbox, customer: str, price: str
) -> None:
    await sandbox.break_next("POST", "/v1/subscriptions$", "reset_after", times=3)
    with pytest.raises(StripeUnreadable):
        await subscribe(gateway, customer, price, "op_lost")
    found = await gateway.find_subscription_by_op(customer, "op_lost")
    assert found is not None
    assert found.first_invoice is not None
    assert found == await subscribe(gateway, customer, price, "op_lost")
    assert await gateway.find_subscription_by_op(customer, "op_none") is None


async def test_the_account_is_named(gateway: Gateway) -> None:
    assert (await gateway.account_id()).startswith("acct_")


async def test_events_are_listed_newest_first_and_by_page(
    gateway: Gateway, customer: str, price: str
) -> None:
    made = await subscribe(gateway, customer, price)
    await gateway.cancel_subscription(made.id)
    types = ["customer.subscription.created", "customer.subscription.deleted"]
    newest, oldest = await gateway.list_events(START, types)
    assert [newest["type"], oldest["type"]] == types[::-1]
    assert await gateway.list_events(START, types, limit=1) == [newest]
    rest = await gateway.list_events(START, types, starting_after=newest["id"])
    assert rest == [oldest]
    assert await gateway.list_events(START + timedelta(days=1), types) == []
    assert await gateway.list_events(START, types, delivery_success=False) == []
