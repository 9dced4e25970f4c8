"""Webhooks of the sandbox Stripe: signed, repeated until a 2xx, and astray when told to."""

import asyncio
import json
from datetime import datetime
from typing import Any

import httpx
import pytest
import stripe
from starlette.applications import Starlette
from starlette.routing import Route

from tests.sandbox.stripe_world import (
    DAY_S,
    HOUR_S,
    START,
    Endpoint,
    StripeWorld,
    stripe_world,
)
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.serve import running
from twintill.sandbox.stripe import StripeSandboxSettings, create_app

FOR_EVER_S = 10**9


async def until(world: StripeWorld, deliveries: int) -> None:
    """Waits for the endpoint to have heard that much; the test's own time-out ends it."""
    while len(world.endpoint.deliveries) < deliveries:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def test_the_signature_is_stripes(world: StripeWorld) -> None:
    endpoint = await world.listen("customer.created")
    customer = await world.customer(name="Ada")
    await world.tick()
    ((body, signature),) = world.endpoint.deliveries
    event = stripe.Webhook.construct_event(body, signature, endpoint.secret, tolerance=FOR_EVER_S)
    assert event.data.object.id == customer.id
    assert signature.startswith(f"t={world.now},v1=")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other", tolerance=FOR_EVER_S)


async def test_the_secret_is_shown_once(world: StripeWorld) -> None:
    endpoint = await world.listen()
    again = await world.v1.webhook_endpoints.retrieve_async(endpoint.id)
    assert endpoint.secret.startswith("whsec_")
    assert "secret" not in again.to_dict()


async def test_only_what_is_enabled_is_sent(world: StripeWorld) -> None:
    await world.listen("product.created", "price.created")
    await world.price()
    await world.customer()
    await world.tick()
    assert sorted(world.endpoint.types()) == ["price.created", "product.created"]


async def test_an_event_knows_the_call_that_made_it(world: StripeWorld) -> None:
    await world.listen("customer.created", "invoice.finalized")
    await world.v1.customers.create_async({}, {"idempotency_key": "twintill:op:1"})
    await world.subscribe()
    await world.advance(HOUR_S)
    made, *_, finalized = world.endpoint.events
    assert made["request"]["idempotency_key"] == "twintill:op:1"
    assert made["request"]["id"].startswith("req_")
    assert finalized["type"] == "invoice.finalized"
    assert finalized["request"] == {"id": None, "idempotency_key": None}


async def test_each_endpoint_has_its_api_version(world: StripeWorld) -> None:
    await world.listen("customer.created", api_version="2026-10-28.endive")
    await world.listen("customer.created", api_version="2025-03-31.basil")
    await world.customer()
    await world.tick()
    versions = sorted(event["api_version"] for event in world.endpoint.events)
    assert versions == ["2025-03-31.basil", "2026-10-28.endive"]
    with pytest.raises(stripe.InvalidRequestError, match="from 2025-03-31"):
        await world.listen(api_version="2024-06-20")


async def test_failed_deliveries_come_again_with_a_new_signature(world: StripeWorld) -> None:
    await world.listen("customer.created")
    world.endpoint.statuses = [500, 302]
    await world.customer()
    await world.tick()
    await world.advance(60)
    await world.advance(300)
    await world.advance(DAY_S)
    bodies = {json.loads(body)["id"] for body, _ in world.endpoint.deliveries}
    signatures = {signature for _, signature in world.endpoint.deliveries}
    assert (len(bodies), len(signatures), len(world.endpoint.deliveries)) == (1, 3, 3)


async def test_what_was_not_delivered_can_be_found(world: StripeWorld) -> None:
    await world.listen("customer.created", "product.created")
    world.endpoint.statuses = [500]
    await world.customer()
    await world.tick()
    await world.price()
    await world.tick()
    (missed,) = await world.events(delivery_success=False)
    assert (missed["type"], missed["pending_webhooks"]) == ("customer.created", 1)
    await world.advance(60)
    assert await world.events(delivery_success=False) == []


async def test_after_three_days_nobody_tries_any_more(world: StripeWorld) -> None:
    await world.listen("customer.created")
    world.endpoint.status = 503
    await world.customer()
    for _ in range(100):
        await world.advance(HOUR_S)
    tries = len(world.endpoint.deliveries)
    await world.advance(10 * DAY_S)
    assert len(world.endpoint.deliveries) == tries == 11
    assert len(await world.events(delivery_success=False)) == 1


async def test_retries_may_follow_the_walls_clock() -> None:
    settings = StripeSandboxSettings(seed=1, webhook_fast_retry_real_s=0.01)
    async with stripe_world(settings) as world:
        await world.listen("customer.created")
        world.endpoint.statuses = [500, 500]
        await world.customer()
        await until(world, 3)


async def test_delivery_needs_no_tick(world: StripeWorld) -> None:
    await world.listen("customer.created")
    await world.customer()
    await until(world, 1)


async def test_an_endpoint_that_is_gone_is_not_waited_for(world: StripeWorld) -> None:
    endpoint = await world.listen("invoice.created")
    world.endpoint.status = 500
    draft = (await world.subscribe()).latest_invoice
    await world.tick()
    await world.v1.webhook_endpoints.delete_async(endpoint.id)
    assert await world.events(delivery_success=False) == []
    await world.advance(HOUR_S)
    assert (await world.v1.invoices.retrieve_async(draft.id)).status == "open"


async def test_a_disabled_endpoint_hears_nothing(world: StripeWorld) -> None:
    endpoint = await world.listen("customer.created")
    await world.v1.webhook_endpoints.update_async(endpoint.id, {"disabled": True})
    await world.customer()
    await world.tick()
    assert world.endpoint.events == []


async def test_dropped_is_lost_but_listed(world: StripeWorld) -> None:
    await world.listen("customer.created")
    await world.fault(kind="webhook_drop", types=["customer.created"], times=1)
    lost, heard = await world.customer(), await world.customer()
    await world.advance(DAY_S)
    assert [e["data"]["object"]["id"] for e in world.endpoint.events] == [heard.id]
    (missed,) = await world.events(delivery_success=False)
    assert missed["data"]["object"]["id"] == lost.id


async def test_duplicated_arrives_twice(world: StripeWorld) -> None:
    await world.listen("customer.created")
    await world.fault(kind="webhook_duplicate", types=["customer.created"])
    await world.customer()
    await world.tick()
    assert len({e["id"] for e in world.endpoint.events}) == 1
    assert len(world.endpoint.events) == 2


async def test_delayed_arrives_later(world: StripeWorld) -> None:
    await world.listen("customer.created")
    await world.fault(kind="webhook_delay", delay_s=600)
    await world.customer()
    await world.tick()
    assert world.endpoint.events == []
    await world.advance(600)
    assert len(world.endpoint.events) == 1


async def test_reordered_arrives_the_wrong_way_round(world: StripeWorld) -> None:
    await world.listen("customer.created")
    await world.fault(kind="webhook_reorder", types=["customer.created"], times=3)
    made = [(await world.customer()).id for _ in range(3)]
    await until(world, 3)
    assert [e["data"]["object"]["id"] for e in world.endpoint.events] == made[::-1]


async def test_events_are_listed_by_type_and_time(world: StripeWorld) -> None:
    await world.customer()
    await world.advance(10)
    await world.price()
    assert [e["type"] for e in await world.events(types=["price.created", "customer.created"])] == [
        "customer.created",
        "price.created",
    ]
    assert [e["type"] for e in await world.events(created={"gte": world.now})] == [
        "product.created",
        "price.created",
    ]
    assert [e["type"] for e in await world.events(type="price.*")] == ["price.created"]


async def test_events_are_kept_for_thirty_days(world: StripeWorld) -> None:
    await world.customer()
    await world.advance(29 * DAY_S)
    await world.price()
    await world.advance(DAY_S)
    assert await world.types() == ["product.created", "price.created"]


async def test_the_story_of_a_renewal_in_order(world: StripeWorld) -> None:
    await world.listen("customer.subscription.updated", "invoice.created", "invoice.finalized")
    await world.subscribe()
    await world.advance(HOUR_S)
    world.endpoint.events.clear()
    await world.advance(28 * DAY_S)
    assert world.endpoint.types()[-1] == "invoice.finalized"
    assert sorted(world.endpoint.types()[:-1]) == [
        "customer.subscription.updated",
        "customer.subscription.updated",
        "invoice.created",
    ]


async def test_all_types_that_a_biller_listens_to(world: StripeWorld) -> None:
    """Every type named in Stripe's guide for out-of-band invoices, at least once."""
    await full_story(world)
    assert {
        "credit_note.created",
        "credit_note.updated",
        "credit_note.voided",
        "customer.deleted",
        "customer.subscription.created",
        "customer.subscription.deleted",
        "customer.subscription.updated",
        "customer.updated",
        "invoice.created",
        "invoice.deleted",
        "invoice.finalization_failed",
        "invoice.finalized",
        "invoice.marked_uncollectible",
        "invoice.paid",
        "invoice.updated",
        "invoice.voided",
        "invoice_payment.paid",
        "test_helpers.test_clock.created",
    } <= set(await world.types())


async def full_story(world: StripeWorld) -> None:
    v1 = world.v1
    noted, given_up, card = [await world.open_invoice() for _ in range(3)]
    note = await v1.credit_notes.create_async({"invoice": noted.id, "amount": 100})
    await v1.credit_notes.update_async(note.id, {"memo": "x"})
    await v1.credit_notes.void_credit_note_async(note.id)
    await v1.invoices.void_invoice_async(noted.id)
    await v1.invoices.mark_uncollectible_async(given_up.id)
    await v1.invoices.pay_async(card.id, {"payment_method": "pm_card_visa"})
    customer = await world.customer()
    await v1.customers.update_async(customer.id, {"name": "x"})
    draft: Any = await v1.invoices.create_async({"customer": customer.id})
    await v1.invoices.delete_async(draft.id)
    subscription = await world.subscribe(customer, automatic_tax={"enabled": True})
    with pytest.raises(stripe.InvalidRequestError):
        await v1.invoices.finalize_invoice_async(subscription.latest_invoice.id)
    await v1.customers.delete_async(customer.id)
    await v1.test_helpers.test_clocks.create_async({"frozen_time": world.now})
    changing = await world.subscribe()
    await v1.subscriptions.update_async(changing.id, {"metadata": {"a": "b"}})


class BreakingClock(ManualClock):
    """A clock whose database goes away for a while, as the shared one's may."""

    failures = 0

    async def now(self) -> datetime:
        if self.failures:
            self.failures -= 1
            raise OSError("the clock is out of reach")
        return await super().now()


async def test_a_clock_out_of_reach_loses_no_webhook() -> None:
    clock, endpoint = BreakingClock(START), Endpoint()
    receiver = Starlette(routes=[Route("/webhooks", endpoint.receive, methods=["POST"])])
    sandbox = create_app(clock, StripeSandboxSettings(seed=1, engine_interval_real_s=0.01))
    async with (
        running(sandbox) as url,
        running(receiver) as receiver_url,
        httpx.AsyncClient(base_url=url, auth=("sk_test_1", "")) as http,
    ):
        given = {"url": f"{receiver_url}/webhooks", "enabled_events[]": "customer.created"}
        (await http.post("/v1/webhook_endpoints", data=given)).raise_for_status()
        (await http.post("/v1/customers")).raise_for_status()
        clock.failures = 3
        while not endpoint.events:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert endpoint.types() == ["customer.created"]
