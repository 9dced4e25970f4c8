"""From Stripe to a processor, from one processor to another, and what the Dashboard did."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import work
from tests.flows.switching import (
    OTHER_ACCOUNT,
    arrive,
    begin,
    card,
    latest,
    open_invoice,
    read,
    subscription,
    switch,
    to_processor,
    with_other_processor,
)
from tests.flows.test_switch_to_stripe import did, statuses
from tests.flows.world import PROCESSOR_ACCOUNT, SCOPE, World
from twintill.domain.payment import State
from twintill.errors import ConflictError
from twintill.flows import operations as flow
from twintill.flows import setups
from twintill.flows.switching import page_id
from twintill.store import checkouts, methods, operations
from twintill.store.listing import Page


async def card_payer(world: World, method_id: str = "pm_1Card") -> tuple[str, str]:
    """Somebody whom Stripe charges, and who is not known here yet: (customer, subscription)."""
    customer_id = await world.means.stripe.create_customer(None, None, {}, "op_x", "card-payer")
    await card(world, customer_id, "pm_1First")
    terms = {"collection_method": "charge_automatically", "days_until_due": None}
    made = await subscription(world, customer_id, **terms, default_payment_method="pm_1First")
    if method_id != "pm_1Card":  # the first invoice is paid, the next one is not
        stripe = world.means.stripe.client.v1.subscriptions
        await stripe.update_async(made, {"default_payment_method": method_id})
        await world.advance(timedelta(days=31))
    return customer_id, made


async def stripes(world: World, invoice_id: str) -> dict[str, Any]:
    raw = await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)
    shown: dict[str, Any] = raw.to_dict(for_json=True)
    return shown


async def test_the_next_invoice_is_collected_here(world: World) -> None:
    customer_id, subscription_id = await card_payer(world)
    method_id = await world.add_method(customer_id, "card_ok")
    done = await switch(world, to_processor(subscription_id, method_id))
    assert done.step == "done"
    look = await world.means.stripe.read_subscription(subscription_id)
    assert (look.collection_method, look.days_until_due) == ("send_invoice", 30)
    assert look.default_payment_method_id is None
    assert (await world.means.stripe.read_customer(customer_id)).processor_payment_method_id
    await world.advance(timedelta(days=31))
    renewal = await open_invoice(world, subscription_id)
    await work(world)
    assert (await world.payment(renewal)).state is State.REPORTED
    assert len(await world.charges()) == 1


async def test_an_open_invoice_is_left_to_stripe_with_the_method_that_it_had(world: World) -> None:
    customer_id, subscription_id = await card_payer(world, "pm_1Declined")
    method_id = await world.add_method(customer_id, "card_ok")
    invoice_id = await latest(world, subscription_id)
    done = await switch(world, to_processor(subscription_id, method_id))
    assert did(done) == {invoice_id: "left_to_stripe"}
    assert (await stripes(world, invoice_id))["default_payment_method"] == "pm_1Declined"
    await arrive(world, invoice_id)
    await work(world)
    assert await world.charges() == []


async def test_an_open_invoice_is_voided_and_asked_for_again(world: World) -> None:
    customer_id, subscription_id = await card_payer(world, "pm_1Declined")
    method_id = await world.add_method(customer_id, "card_ok")
    invoice_id = await latest(world, subscription_id)
    done = await switch(world, to_processor(subscription_id, method_id, "reinvoice"))
    entry = done.data["invoices"][invoice_id]
    assert (done.step, entry["did"]) == ("done", "reinvoiced")
    old, new = await stripes(world, invoice_id), await stripes(world, entry["by"])
    assert (old["status"], new["status"]) == ("void", "open")
    assert (new["total"], new["collection_method"]) == (old["total"], "send_invoice")
    await arrive(world, entry["by"])
    await work(world)
    assert await world.status(entry["by"]) == "paid"
    assert len(await world.charges()) == 1


async def test_one_that_stripe_is_collecting_is_not_asked_for_again(world: World) -> None:
    customer_id, subscription_id = await card_payer(world, "pm_1SepaDebit")
    method_id = await world.add_method(customer_id, "card_ok")
    invoice_id = await latest(world, subscription_id)
    waits = await switch(world, to_processor(subscription_id, method_id, "reinvoice"))
    assert waits.step == "void"
    draft = waits.data["invoices"][invoice_id]["by"]
    assert (await stripes(world, draft))["status"] == "draft"
    paid = {"invoice": invoice_id, "outcome": "confirm"}
    await world.stripe.post("/_sandbox/pay_hosted", json=paid)
    await world.advance(timedelta(hours=2))
    await work(world)
    assert did(await read(world, waits.id)) == {invoice_id: "closed"}
    assert await world.status(invoice_id) == "paid"
    there = (await world.stripe.get("/_sandbox/state")).json()["objects"]["invoice"]
    assert draft not in [invoice["id"] for invoice in there]
    assert await world.charges() == []


async def test_the_customer_chooses_a_method_on_a_page(world: World) -> None:
    _, subscription_id = await card_payer(world)
    page = {"processor": "sandbox", "return_url": "https://app.example/account"}
    waits = await switch(world, to_processor(subscription_id, None, **page))
    assert waits.step == "method"
    assert (await world.means.stripe.read_subscription(subscription_id)).collection_method == (
        "charge_automatically"
    )
    async with world.db() as db:
        its = await checkouts.of_operation(db, SCOPE, page_id(SCOPE, waits.id))
    assert its is not None
    url = await setups.start(world.means, SCOPE, its.id)
    assert url is not None
    await world.processor.post(url, data={"method": "card_ok"})
    await flow.drive(world.means, SCOPE, its.operation_id)
    await work(world)
    assert (await read(world, waits.id)).step == "done"
    look = await world.means.stripe.read_subscription(subscription_id)
    assert look.collection_method == "send_invoice"


async def test_a_page_that_nobody_finishes_changes_nothing(world: World) -> None:
    _, subscription_id = await card_payer(world)
    page = {"processor": "sandbox", "return_url": "https://app.example/account"}
    waits = await switch(world, to_processor(subscription_id, None, **page))
    await world.advance(timedelta(days=2))
    await work(world)
    assert (await read(world, waits.id)).step == "failed"
    look = await world.means.stripe.read_subscription(subscription_id)
    assert look.collection_method == "charge_automatically"


async def test_another_processor_goes_on_when_the_first_one_has_answered(world: World) -> None:
    world = with_other_processor(world)
    customer_id = await world.customer("debit_fails")
    subscription_id = await subscription(world, customer_id)
    invoice_id = await open_invoice(world, subscription_id)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.PENDING
    await world.add_method(customer_id, "card_ok", "other", OTHER_ACCOUNT)
    async with world.db() as db:
        (first,) = [
            m
            for m in await methods.list_of_customer(db, SCOPE, customer_id)
            if m.processor_account_id == PROCESSOR_ACCOUNT
        ]
        (second,) = [
            m
            for m in await methods.list_of_customer(db, SCOPE, customer_id)
            if m.processor_account_id == OTHER_ACCOUNT
        ]
        await methods.make_default(db, SCOPE, first.id)
    done = await switch(world, to_processor(subscription_id, second.id))
    assert done.step == "done"
    assert [a.processor for a in (await world.payment(invoice_id)).attempts] == ["sandbox"]
    assert await statuses(world, customer_id) == ["active", "removing"]
    await world.advance(timedelta(days=6))
    await work(world)
    payment = await world.payment(invoice_id)
    assert [a.processor for a in payment.attempts] == ["sandbox", "other"]
    assert payment.state is State.REPORTED
    assert sorted(await statuses(world, customer_id)) == ["active", "removed"]
    with pytest.raises(ConflictError, match="already"):
        await begin(world, to_processor(subscription_id, second.id))


async def change_in_the_dashboard(world: World, subscription_id: str, **terms: Any) -> None:
    """And its event arrives."""
    before = {e["id"] for e in await stripe_events(world, "customer.subscription.updated")}
    await world.means.stripe.client.v1.subscriptions.update_async(subscription_id, terms)  # type: ignore[arg-type]
    events = await stripe_events(world, "customer.subscription.updated")
    await deliver(world, [event for event in events if event["id"] not in before])
    await work(world)


async def seen(world: World, customer_id: str) -> list[str]:
    async with world.db() as db:
        found, _ = await operations.page(db, SCOPE, "switch", Page(), customer_id)
    return [operation.step for operation in found]


async def test_a_switch_in_the_dashboard_is_followed_a_day_later(world: World) -> None:
    customer_id = await world.customer()
    subscription_id = await subscription(world, customer_id)
    await change_in_the_dashboard(world, subscription_id, collection_method="charge_automatically")
    assert await seen(world, customer_id) == ["seen"]
    assert await statuses(world, customer_id) == ["active"]
    draft = await latest(world, subscription_id)  # stays a draft of ours, and is finished here
    await world.means.stripe.finalize(draft, "its-hour-is-over")
    await arrive(world, draft)
    await work(world)
    assert len(await world.charges()) == 1
    await world.advance(timedelta(days=2))
    await work(world)
    assert await seen(world, customer_id) == ["done"]
    assert await statuses(world, customer_id) == ["removed"]


async def test_one_that_is_taken_back_costs_no_token(world: World) -> None:
    customer_id = await world.customer()
    subscription_id = await subscription(world, customer_id)
    await change_in_the_dashboard(world, subscription_id, collection_method="charge_automatically")
    await world.means.stripe.client.v1.subscriptions.update_async(
        subscription_id, {"collection_method": "send_invoice", "days_until_due": 30}
    )
    await world.advance(timedelta(days=2))
    await work(world)
    assert await seen(world, customer_id) == ["undone"]
    assert await statuses(world, customer_id) == ["active"]


async def test_a_switch_in_the_dashboard_is_followed_though_one_of_ours_runs(world: World) -> None:
    """Found by a world: it was overlooked, and the tokens stayed for ever."""
    customer_id = await world.customer()
    subscription_id = await subscription(world, customer_id)
    page = {"processor": "other", "return_url": "https://app.example/account"}
    waits = await switch(with_other_processor(world), to_processor(subscription_id, None, **page))
    assert waits.step == "method"
    await change_in_the_dashboard(world, subscription_id, collection_method="charge_automatically")
    await world.advance(timedelta(days=3))
    await work(world)
    await world.advance(timedelta(hours=2))
    await work(world)
    assert sorted(await seen(world, customer_id)) == ["done", "failed"]
    assert await statuses(world, customer_id) == ["removed"]


async def test_our_own_switch_is_not_taken_for_one_of_the_dashboard(world: World) -> None:
    customer_id, subscription_id = await card_payer(world)
    method_id = await world.add_method(customer_id, "card_ok")
    await switch(world, to_processor(subscription_id, method_id))
    await deliver(world, await stripe_events(world, "customer.subscription.updated"))
    assert await seen(world, customer_id) == ["done"]


async def test_a_switch_that_a_lost_database_made_is_followed(world: World) -> None:
    """Found by a world: after a restore only Stripe knew of it, and the tokens stayed for ever."""
    customer_id = await world.customer()
    subscription_id = await subscription(world, customer_id)
    method_id = await card(world, customer_id)
    await world.means.stripe.collect_by_stripe(
        subscription_id, method_id, "swi_lost:subscription:0"
    )
    await deliver(world, await stripe_events(world, "customer.subscription.updated"))
    assert await seen(world, customer_id) == ["seen"]
    await world.advance(timedelta(days=2))
    await work(world)
    assert await statuses(world, customer_id) == ["removed"]
