"""Shops: Medusa, WooCommerce's Stripe gateway, Craft, Open Food Network, CommCare."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from tests.flows.signing_up import HERE, work
from tests.flows.world import SCOPE, World
from tests.regressions.stories import (
    causes,
    dies_with_the_answer,
    its_charge,
    opened,
    sent,
    tell,
    with_meanwhile,
)
from tests.web.shop import Shop
from twintill.domain.outcomes import ChargeOutcome
from twintill.domain.payment import State
from twintill.flows.look import look
from twintill.ids import payment_id
from twintill.store.tables import payment_history


async def overtaken_by_webhook(world: World, invoice_id: str, times: int = 1) -> None:
    """The webhook of the approval is taken in before the answer to the charge is."""

    async def webhook(_: ChargeOutcome) -> None:
        (charge,) = await world.charges()
        shown = await its_charge(world, charge["charge"])
        await asyncio.gather(*(tell(world, "charge.succeeded", shown) for _ in range(times)))

    await look(with_meanwhile(world, webhook).means, SCOPE, payment_id(SCOPE, invoice_id))


@pytest.mark.parametrize("times", [1, 3])
async def test_medusa_13301_webhook_and_answer_together_collect_once(
    world: World, times: int
) -> None:
    """Also medusa#11090, #3146, #2948: the webhook raced the synchronous path; captured twice,
    or "could not serialize access"."""
    invoice_id = await opened(world)
    await overtaken_by_webhook(world, invoice_id, times)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, len(payment.receipts)) == (State.REPORTED, 1)
    assert sorted(c.partition(":")[0] for c in await causes(world)) == ["collected", "reported"]
    assert len(await world.charges()) == 1


async def test_medusa_2948_many_workers_at_one_payment_raise_nothing(world: World) -> None:
    invoice_id = await opened(world)
    its_id = payment_id(SCOPE, invoice_id)
    did = await asyncio.gather(*(look(world.means, SCOPE, its_id) for _ in range(8)))
    await world.work()
    assert True in did
    assert await world.status(invoice_id) == "paid"
    assert len(await sent(world)) == 1


async def test_woocommerce_stripe_489_a_webhook_need_not_be_delayed(world: World) -> None:
    """Also #542, "fixed" by delaying webhooks: here it may come at any moment."""
    invoice_id = await opened(world)
    await overtaken_by_webhook(world, invoice_id)
    assert (await world.payment(invoice_id)).state in (State.COLLECTED, State.REPORTED)
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert len((await world.payment(invoice_id)).receipts) == 1


async def test_woocommerce_stripe_2339_every_request_that_moves_money_has_its_key(
    world: World,
) -> None:
    """Keys only on one of the calls: one customer was charged three times."""
    invoice_id = await opened(world)
    await world.break_processor("/v1/charges$", "timeout_before")
    await world.work()
    await world.advance(timedelta(seconds=10))
    await world.work()
    requests = await sent(world)
    assert len(requests) == 2
    assert len({request["idempotency_key"] for request in requests}) == 1
    assert requests[0]["idempotency_key"]
    assert len(await world.charges()) == 1
    asked = (await world.stripe.get("/_sandbox/requests")).json()["data"]
    (paid,) = [request for request in asked if request["path"].endswith("/pay")]
    assert paid["idempotency_key"]
    assert await world.status(invoice_id) == "paid"


async def test_craftcms_207_a_form_that_is_sent_three_times_charges_once(shop: Shop) -> None:
    """Three or four charges of one order, within the same second; never reproduced there."""
    checkout_id = (await shop.sign_up())["checkout"]["id"]
    there = await shop.submit(checkout_id, **HERE)
    await shop.choose(there.headers["location"], "card_ok")
    await asyncio.gather(*(shop.submit(checkout_id, **HERE) for _ in range(3)))
    await work(shop.world)
    assert len(await shop.world.charges()) == 1


async def test_openfoodnetwork_12046_what_happened_can_be_read_afterwards(world: World) -> None:
    """Charged twice; closed because no record was left from which to tell why."""
    invoice_id = await opened(world)
    await dies_with_the_answer(world, invoice_id)
    await world.work()
    async with world.db() as db:
        c = payment_history.c
        query = select(c.fact, c.state_before, c.state_after).order_by(c.seq)
        steps = (await db.execute(query)).all()
    (attempt,) = (await world.payment(invoice_id)).attempts
    assert steps[-1].state_after == "reported"
    assert all(earlier.state_after == later.state_before for earlier, later in pairwise(steps))
    assert "ChargeStarted" in [step.fact for step in steps]
    assert attempt.processor_payment_id is not None
    (request,) = await sent(world)
    assert request["body"]["reference"] == attempt.reference


async def test_commcare_33509_the_nightly_run_twice_at_once_charges_once(world: World) -> None:
    invoices = [await opened(world) for _ in range(3)]
    await asyncio.gather(world.work(limit=60), world.work(limit=60))
    await world.work()
    assert len(await world.charges()) == 3
    assert [await world.status(invoice_id) for invoice_id in invoices] == ["paid"] * 3


async def test_commcare_33509_what_failed_today_may_be_tried_tomorrow(world: World) -> None:
    """A key that lives for a day must not stand in the way of the next try."""
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    await world.advance(timedelta(days=1, hours=1))
    await world.work()
    assert await world.status(invoice_id) == "paid"
