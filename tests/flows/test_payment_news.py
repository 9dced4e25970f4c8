"""What the app is told to deliver by, what it may offer, and `invoice.paid`: once, however paid."""

from datetime import timedelta
from typing import Any

import pytest

from tests.flows import signing_up
from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import told
from tests.flows.world import SCOPE, World
from twintill.domain.event_types import CATALOGUE
from twintill.domain.payment import State
from twintill.flows import another_try
from twintill.flows.another_try import Wish


@pytest.fixture
def world(world: World) -> World:
    return signing_up.telling(world)


async def paid(world: World) -> list[dict[str, Any]]:
    """What the app was told, after each of Stripe's own events has come twice."""
    types = ("invoice.created", "invoice.finalized", "invoice.paid")
    for _ in range(2):
        await deliver(world, await stripe_events(world, *types))
    return await told(world, "invoice.paid")


async def test_what_we_collected_is_told_with_our_report_and_not_again(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    (first,) = await told(world, "invoice.paid")
    assert set(first) == set(CATALOGUE["invoice.paid"].example)
    payment = await world.payment(invoice_id)
    its = (first["id"], first["how"], first["payment"], first["processor"], first["amount_paid"])
    assert its == (invoice_id, "processor", payment.id, "sandbox", 4900)
    assert await paid(world) == [first]


async def test_stripes_event_may_be_faster_than_its_answer(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe("/pay$", "reset_after", times=9)
    await world.work()
    assert await told(world, "invoice.paid") == []
    (first,) = await paid(world)
    assert (first["how"], first["processor"]) == ("processor", "sandbox")
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await told(world, "invoice.paid") == [first]


async def test_marked_as_paid_in_stripe_it_is_told_too(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.collect(customer_id)
    v1 = world.means.stripe.client.v1
    await v1.invoices.pay_async(invoice_id, {"paid_out_of_band": True})
    (first,) = await paid(world)
    assert (first["how"], first["payment"], first["amount_paid"]) == ("in_stripe", None, 4900)


async def test_of_a_customer_who_pays_by_wire_too(world: World) -> None:
    customer_id = await world.customer(None)
    invoice_id = await world.invoice(customer_id)
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await world.means.stripe.client.v1.invoices.pay_async(invoice_id, {"paid_out_of_band": True})
    (first,) = await paid(world)
    assert (first["id"], first["how"], first["payment"]) == (invoice_id, "in_stripe", None)


async def test_an_invoice_of_nothing_is_paid_as_well(world: World) -> None:
    await world.invoice(await world.customer(), 0)
    (first,) = await paid(world)
    assert (first["how"], first["amount_paid"]) == ("nothing_due", 0)


async def test_a_decline_says_why_and_what_can_be_offered(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.collect(customer_id)
    (event,) = await told(world, "payment.in_dunning")
    (attempt,) = (await world.payment(invoice_id)).attempts
    assert event["failure"] == {
        "attempt": attempt.id,
        "payment_method": attempt.method_id,
        "processor": "sandbox",
        "kind": "soft",
        "code": "insufficient_funds",
    }
    assert event["offer"] == {"try_again": [attempt.method_id], "another_method": True}
    wish = Wish(event["id"], "api:tests", event["offer"]["try_again"][0])
    assert (await another_try.ask(world.means, SCOPE, "act_1", wish)).method_asked_for


async def test_after_a_decline_for_good_only_another_method_is_offered(world: World) -> None:
    await world.collect(await world.customer("card_hard_declined"))
    (event,) = await told(world, "payment.exhausted")
    assert event["offer"] == {"try_again": [], "another_method": True}
    assert event["failure"]["kind"] == "hard"


async def test_a_pending_one_says_when_to_expect_the_money(world: World) -> None:
    invoice_id = await world.collect(await world.customer("debit_ok"))
    (event,) = await told(world, "payment.pending")
    assert set(event) == set(CATALOGUE["payment.pending"].example)
    assert event["attempt"]["outcome"] == "accepted"
    assert event["attempt"]["expected_at"]
    assert await paid(world) == [], "the app may choose to deliver; it is not paid yet"
    await world.advance(timedelta(days=6))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    (first,) = await paid(world)
    assert first["how"] == "processor"
