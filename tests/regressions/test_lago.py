"""getlago/lago-api: seven processors behind one billing engine; its confirmed double charges."""

import asyncio
from datetime import timedelta

from tests.flows.signing_up import HERE, its_checkout, sign_up, work
from tests.flows.world import SCOPE, World
from tests.regressions.stories import (
    causes,
    its_charge,
    opened,
    sent,
    tell,
    with_meanwhile,
)
from tests.web.shop import Shop
from twintill.domain.outcomes import ChargeOutcome
from twintill.domain.payment import Reason, State
from twintill.flows.look import look
from twintill.ids import payment_id


async def test_pr_5547_the_page_and_the_renewal_charge_one_invoice_once(shop: Shop) -> None:
    """An open checkout page and the automatic charge: two keys, two charges (20 cases audited)."""
    signup = await shop.sign_up()
    checkout_id = signup["checkout"]["id"]
    there = await shop.submit(checkout_id, **HERE)
    await shop.choose(there.headers["location"], "card_ok")
    # Both tabs, and the workers, at the same time.
    await asyncio.gather(
        shop.submit(checkout_id, **HERE),
        shop.submit(checkout_id, **HERE),
        work(shop.world),
        work(shop.world),
    )
    await work(shop.world)
    assert len(await shop.world.charges()) == 1


async def test_pr_5708_a_payment_begun_on_stripes_own_page_stops_ours(world: World) -> None:
    """The last look sees it; no waiting of ten minutes is needed."""
    invoice_id = await opened(world)
    begun = {"invoice": invoice_id, "outcome": "processing"}
    assert (await world.stripe.post("/_sandbox/pay_hosted", json=begun)).is_success
    await world.work()
    assert await world.charges() == []
    assert (await world.payment(invoice_id)).attempts == ()


async def test_pr_5708_a_checkout_that_is_paid_on_stripes_page_is_not_charged(
    world: World,
) -> None:
    signup_id = await sign_up(world)
    its = await its_checkout(world, signup_id)
    stripe = world.means.stripe
    await stripe.finalize(str(its.invoice_id), "by-hand")
    paid = {"invoice": its.invoice_id, "outcome": "succeed"}
    assert (await world.stripe.post("/_sandbox/pay_hosted", json=paid)).is_success
    await world.advance(timedelta(days=2))
    await work(world)
    assert await world.charges() == []


async def test_pr_3223_two_webhooks_at_once_are_one_receipt(world: World) -> None:
    """Both found nothing and both wrote: only the database can refuse the second."""
    invoice_id = await world.collect(await world.customer("debit_ok"))
    await world.advance(timedelta(days=4))
    (attempt,) = (await world.payment(invoice_id)).attempts
    charge = await its_charge(world, str(attempt.processor_payment_id))
    await asyncio.gather(*(tell(world, "charge.succeeded", charge) for _ in range(4)))
    await world.work()
    assert len((await world.payment(invoice_id)).receipts) == 1
    assert len([c for c in await causes(world) if c.startswith("collected:")]) == 1
    assert await world.status(invoice_id) == "paid"


async def test_pr_2988_many_events_about_one_charge_make_one_record(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    (attempt,) = (await world.payment(invoice_id)).attempts
    charge = await its_charge(world, str(attempt.processor_payment_id))
    for event_type in ("charge.succeeded", "charge.final", "charge.succeeded"):
        await tell(world, event_type, charge)
    payment = await world.payment(invoice_id)
    assert (len(payment.attempts), len(payment.receipts)) == (1, 1)
    assert payment.state is State.REPORTED


async def test_pr_5630_a_late_canceled_does_not_undo_what_was_collected(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    before = await world.payment(invoice_id)
    charge = await its_charge(world, str(before.attempts[0].processor_payment_id))
    await tell(world, "charge.canceled", charge | {"status": "canceled"})
    after_it = await world.payment(invoice_id)
    assert (after_it.state, after_it.receipts) == (before.state, before.receipts)
    assert await world.status(invoice_id) == "paid"


async def test_pr_5630_a_canceled_that_overtakes_the_approval_does_not_lose_it(
    world: World,
) -> None:
    invoice_id = await opened(world)

    async def overtaken(_: ChargeOutcome) -> None:
        (charge,) = await world.charges()
        shown = await its_charge(world, charge["charge"])
        await tell(world, "charge.canceled", shown | {"status": "canceled"})

    await look(with_meanwhile(world, overtaken).means, SCOPE, payment_id(SCOPE, invoice_id))
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert len(await world.charges()) == 1
    assert (await world.payment(invoice_id)).receipts != ()


async def test_pr_3910_a_retry_looks_again_before_it_charges(world: World) -> None:
    """Declined, then paid by hand; the retry knew only what it had known the day before."""
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    assert (await world.payment(invoice_id)).reason is Reason.RETRY
    await world.means.stripe.pay_out_of_band(invoice_id, "by-hand")
    await world.advance(timedelta(days=1, hours=1))
    await world.work()
    assert len(await sent(world)) == 1
    payment = await world.payment(invoice_id)
    assert (payment.ended, payment.receipts) == (True, ())
