"""Dunning on real parts: the next stored method, limits over all invoices, what it ends with."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.flows.events import deliver, stripe_events
from tests.flows.world import PROCESSOR_ACCOUNT, SCOPE, World
from twintill.domain.facts import MethodAdded
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.policy import Exhausted
from twintill.flows import customer_policy, processor_events
from twintill.flows.learn import learn
from twintill.flows.look import look
from twintill.ids import new_id
from twintill.processors import EventKind, ProcessorEvent
from twintill.store import methods

_DAY = timedelta(days=1)
_WRITE_OFF = Exhausted.MARK_UNCOLLECTIBLE
_CANCEL = Exhausted.CANCEL_SUBSCRIPTION


def ending_with(world: World, exhausted: Exhausted) -> World:
    policy = replace(world.means.policy, exhausted=exhausted)
    return replace(world, means=replace(world.means, policy=policy))


async def outcomes(world: World) -> list[str]:
    """Of the processor's charges, oldest first."""
    state: dict[str, Any] = (await world.processor.get("/_sandbox/state")).json()
    return [charge["status"] for charge in sorted(state["charges"], key=lambda c: c["created"])]


async def two_methods(world: World, second: str, first: str) -> tuple[str, str, str]:
    """A customer who gave `second`, then `first`, which is preferred since."""
    customer_id = await world.customer(None)
    stored = await world.add_method(customer_id, second)
    return customer_id, await world.add_method(customer_id, first), stored


async def test_when_the_first_is_dead_the_next_stored_one_is_charged_at_once(world: World) -> None:
    customer_id, first, second = await two_methods(world, "card_ok", "card_hard_declined")
    invoice_id = await world.collect(customer_id)
    payment = await world.payment(invoice_id)
    assert payment.state is State.REPORTED
    assert [a.method_id for a in payment.attempts] == [first, second]
    assert await outcomes(world) == ["declined", "succeeded"]
    assert await world.status(invoice_id) == "paid"


async def test_a_soft_decline_waits_for_its_own_retry_first(world: World) -> None:
    customer_id, first, _ = await two_methods(world, "card_ok", "card_declines_once")
    invoice_id = await world.collect(customer_id)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.WAITING, Reason.RETRY)
    await world.advance(_DAY + timedelta(minutes=1))
    await world.work()
    payment = await world.payment(invoice_id)
    assert [a.method_id for a in payment.attempts] == [first, first]
    assert payment.state is State.REPORTED


async def test_after_suspected_fraud_no_other_is_charged_before_a_new_one_comes(
    world: World,
) -> None:
    customer_id, _, _ = await two_methods(world, "card_ok", "card_stolen")
    invoice_id = await world.collect(customer_id)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.EXHAUSTED, Reason.SUSPECTED_FRAUD)
    assert await outcomes(world) == ["declined"]
    added = await world.add_method(customer_id, "card_ok")
    await learn(world.means, SCOPE, payment.id, MethodAdded(added))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_a_token_that_was_refused_for_good_is_not_charged_for_the_next_invoice(
    world: World,
) -> None:
    customer_id = await world.customer("card_hard_declined")
    await world.collect(customer_id)
    following = await world.payment(await world.collect(customer_id))
    assert (following.state, following.reason) == (State.EXHAUSTED, Reason.DECLINED_FOR_GOOD)
    assert await outcomes(world) == ["declined"]


async def test_a_method_revoked_while_a_retry_waits_gives_way_to_the_next(world: World) -> None:
    customer_id, first, second = await two_methods(world, "card_ok", "card_declined")
    invoice_id = await world.collect(customer_id)
    await revoke(world, first)
    assert (await world.payment(invoice_id)).reason is Reason.OTHER_METHOD
    await world.work()
    payment = await world.payment(invoice_id)
    assert [a.method_id for a in payment.attempts] == [first, second]
    assert payment.state is State.REPORTED


async def test_one_that_was_the_only_method_ends_dunning_and_says_so(world: World) -> None:
    customer_id = await world.customer(None)
    only = await world.add_method(customer_id, "card_declined")
    invoice_id = await world.collect(customer_id)
    await revoke(world, only)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.EXHAUSTED, Reason.NO_METHOD)


async def test_a_card_is_declined_at_most_seven_times_a_day_over_all_invoices(
    world: World,
) -> None:
    customer_id = await world.customer("card_declined")
    for _ in range(6):
        await world.collect(customer_id)
    two = [await world.invoice(customer_id) for _ in range(2)]
    opened = [await world.open_payment(invoice_id, customer_id) for invoice_id in two]
    # Both at the same moment: each must count the other.
    await asyncio.gather(*(look(world.means, SCOPE, payment.id) for payment in opened))
    await world.work()
    assert len(await outcomes(world)) == 7
    payments = [await world.payment(invoice_id) for invoice_id in two]
    assert {p.reason for p in payments} == {Reason.RETRY, Reason.NETWORK_LIMIT}
    await world.advance(_DAY)
    await world.work(60)
    assert all(p.attempts for p in [await world.payment(invoice_id) for invoice_id in two])


async def test_what_a_customer_has_otherwise_holds_for_his_payments(world: World) -> None:
    customer_id = await world.customer("card_declined")
    async with world.db() as db:
        own = {"retry_pauses": ["P5D"]}
        await customer_policy.change(db, SCOPE, world.means.policy, customer_id, own)
    payment = await world.payment(await world.collect(customer_id))
    answered_at = payment.attempts[0].answered_at
    assert answered_at is not None
    assert payment.next_look_at == answered_at + 5 * _DAY


# What it ends with


async def test_it_can_end_with_an_uncollectible_invoice(world: World) -> None:
    world = ending_with(world, _WRITE_OFF)
    invoice_id = await world.collect(await world.customer("card_hard_declined"))
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended) == (State.EXHAUSTED, True)
    assert await world.status(invoice_id) == "uncollectible"


async def test_a_lost_answer_is_repeated_and_harmless(world: World) -> None:
    world = ending_with(world, _WRITE_OFF)
    customer_id = await world.customer("card_hard_declined")
    await world.break_stripe("/mark_uncollectible$", "reset_after", times=9)
    invoice_id = await world.collect(customer_id)
    assert not (await world.payment(invoice_id)).ended
    await world.advance(timedelta(minutes=1))
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended, payment.parked_why) == (State.EXHAUSTED, True, None)
    assert await world.status(invoice_id) == "uncollectible"


async def test_a_new_method_that_comes_first_wins(world: World) -> None:
    world = ending_with(world, _WRITE_OFF)
    customer_id = await world.customer("card_hard_declined")
    invoice_id = await world.invoice(customer_id)
    payment = await world.open_payment(invoice_id, customer_id)
    await look(world.means, SCOPE, payment.id)
    assert (await world.payment(invoice_id)).state is State.EXHAUSTED
    added = await world.add_method(customer_id, "card_ok")
    await learn(world.means, SCOPE, payment.id, MethodAdded(added))
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_what_was_paid_elsewhere_meanwhile_is_left_alone(world: World) -> None:
    world = ending_with(world, _WRITE_OFF)
    customer_id = await world.customer("card_hard_declined")
    invoice_id = await world.invoice(customer_id)
    payment = await world.open_payment(invoice_id, customer_id)
    await look(world.means, SCOPE, payment.id)
    await world.means.stripe.pay_out_of_band(invoice_id, "by-hand")
    await world.work()
    ended = await world.payment(invoice_id)
    assert (ended.state, ended.reason) == (State.CANCELED, Reason.PAID_ELSEWHERE)
    assert await world.status(invoice_id) == "paid"


async def test_it_can_end_with_the_subscription(world: World) -> None:
    world = ending_with(world, _CANCEL)
    customer_id = await world.customer("card_hard_declined")
    subscription_id, payment = await subscribe(world, customer_id)
    await world.work()
    live = await world.means.stripe.list_live_subscriptions(customer_id)
    assert subscription_id not in {one.id for one in live}
    ended = await world.payment(payment.invoice_id)
    assert (ended.state, ended.ended) == (State.EXHAUSTED, True)
    assert await world.status(payment.invoice_id) == "open"


async def test_a_one_off_invoice_has_no_subscription_to_end(world: World) -> None:
    world = ending_with(world, _CANCEL)
    invoice_id = await world.collect(await world.customer("card_hard_declined"))
    payment = await world.payment(invoice_id)
    assert (payment.ended, await world.status(invoice_id)) == (True, "open")


async def subscribe(world: World, customer_id: str) -> tuple[str, Payment]:
    """A subscription whose first invoice is open, as its events bring it."""
    v1 = world.means.stripe.client.v1
    price: Any = await v1.prices.create_async(
        {
            "currency": "eur",
            "unit_amount": 4900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Plan"},
        }
    )
    made = await world.means.stripe.create_subscription(
        customer_id, [(price.id, 1)], 30, {}, "", new_id("key")
    )
    invoice_id = str(made.latest_invoice_id)
    await world.means.stripe.finalize(invoice_id, new_id("key"))
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    return made.id, await world.payment(invoice_id)


async def revoke(world: World, method_id: str) -> None:
    """The processor's event says that this method is dead."""
    async with world.db() as db:
        row = await methods.read(db, SCOPE, method_id)
        token = methods.open_token(world.means.vault, SCOPE, row)
        event = ProcessorEvent(
            kind=EventKind.METHOD_REVOKED,
            raw_type="method.revoked",
            dedupe_key=new_id("evt"),
            occurred_at=None,
            token=token,
        )
        processor = world.means.processor("sandbox", PROCESSOR_ACCOUNT)
        await processor_events.take_in(db, world.means, SCOPE, processor, event)
