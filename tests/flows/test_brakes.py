"""A processor that is paused is not charged, by no way; look-ups and reports go on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.flows.world import SCOPE, World
from twintill.domain.facts import Answered, Via
from twintill.domain.outcomes import Approved
from twintill.domain.payment import Outcome, Reason, State
from twintill.flows.learn import learn
from twintill.flows.look import look
from twintill.money import Money
from twintill.processors import LookUpBy
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import brakes, mirror


async def pause(world: World, why: str = "a test") -> None:
    async with world.db() as db:
        assert await brakes.trip(db, SCOPE, "sandbox", why, "person:ada")


async def resume(world: World) -> int:
    async with world.db() as db:
        return await brakes.release(db, SCOPE, "sandbox", "person:ada", "looked at it")


async def why_on(world: World) -> str | None:
    async with world.db() as db:
        return await brakes.why_on(db, SCOPE, "sandbox")


async def test_nothing_is_charged_while_paused_and_all_of_it_when_resumed(world: World) -> None:
    await pause(world)
    invoices = [await world.collect(await world.customer()) for _ in range(3)]
    assert await world.charges() == []
    for invoice_id in invoices:
        payment = await world.payment(invoice_id)
        assert (payment.state, payment.reason) == (State.WAITING, Reason.BRAKED)
    assert await resume(world) == 3
    await world.work()
    assert {await world.status(invoice_id) for invoice_id in invoices} == {"paid"}
    assert len(await world.charges()) == 3


async def test_stripe_is_not_asked_for_a_charge_that_would_not_be_made(world: World) -> None:
    customer_id = await world.customer()
    await pause(world)
    invoice_id = await world.collect(customer_id)
    assert (await world.means.stripe.read_invoice(invoice_id)).highest_n == 0


async def test_a_brake_that_comes_during_the_last_look_still_holds(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    opened = await world.open_payment(invoice_id, customer_id)
    slow = replace(world.means, stripe=_Pausing(world))  # type: ignore[arg-type]
    assert await look(slow, SCOPE, opened.id)
    assert await world.charges() == []
    assert (await world.payment(invoice_id)).reason is Reason.BRAKED


class _Pausing:
    """The real Stripe; somebody pauses the processor just before it answers the last look."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def last_look(self, invoice_id: str, n: int) -> object:
        await pause(self._world)
        return await self._world.means.stripe.last_look(invoice_id, n)


async def test_money_that_is_here_is_reported_while_paused(world: World) -> None:
    await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=500, times=20)
    invoice_id = await world.collect(await world.customer())
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    await pause(world)
    await world.stripe.delete("/_sandbox/faults")
    await world.advance(timedelta(hours=1))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert await world.status(invoice_id) == "paid"


async def test_a_charge_in_doubt_is_looked_up_while_paused(world: World) -> None:
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.collect(await world.customer())
    assert (await world.payment(invoice_id)).reason is Reason.IN_DOUBT
    await pause(world)
    await world.advance(timedelta(seconds=10))
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert len(await world.charges()) == 1


@pytest.mark.parametrize("found", [LookUpBy.REFERENCE, LookUpBy.NONE])
async def test_a_charge_in_doubt_is_not_sent_again_while_paused(
    world: World, found: LookUpBy
) -> None:
    """Its first sending may not have arrived: sending it again could charge."""
    sandbox = world.means.processors["sandbox"]
    assert isinstance(sandbox, SandboxProcessor)
    sandbox.capabilities = replace(sandbox.capabilities, look_up=found)
    await world.break_processor("/v1/charges$", "timeout_before")
    invoice_id = await world.collect(await world.customer())
    await pause(world)
    for _ in range(3):
        await world.advance(timedelta(minutes=2))
        await world.work()
    payment = await world.payment(invoice_id)
    assert [a.outcome for a in payment.attempts] == [Outcome.NO_ANSWER]
    assert await world.charges() == []
    assert await resume(world) == 1
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert len(await world.charges()) == 1


async def test_an_invoice_that_is_voided_while_paused_ends(world: World) -> None:
    await pause(world)
    invoice_id = await world.collect(await world.customer())
    look_after = await world.means.stripe.void(invoice_id, "void-it")
    async with world.db() as db:
        await mirror.saw_look(db, SCOPE, look_after)
    await world.advance(timedelta(hours=2))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.CANCELED


async def test_refused_credentials_pause_the_processor_at_once(world: World) -> None:
    customers = [await world.customer() for _ in range(2)]
    await world.break_processor("/v1/charges$", "status", code=401)
    first = await world.collect(customers[0])
    assert (await world.payment(first)).reason is Reason.NOT_SENT
    assert "refuses our credentials" in (await why_on(world) or "")
    second = await world.collect(customers[1])
    assert (await world.payment(second)).reason is Reason.BRAKED
    await resume(world)
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert {await world.status(i) for i in (first, second)} == {"paid"}
    assert await why_on(world) is None


async def test_two_charges_under_one_reference_pause_the_processor_at_once(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    payment = await world.payment(invoice_id)
    attempt = payment.attempts[0]
    twice = Approved("ch_other", Money(4900, "EUR"))
    await learn(world.means, SCOPE, payment.id, Answered(attempt.id, twice, Via.RECORD))
    assert "two charges under the reference" in (await why_on(world) or "")


async def test_the_first_reason_stands_and_one_brake_is_on_at_a_time(world: World) -> None:
    await pause(world, "the first")
    async with world.db() as db:
        assert not await brakes.trip(db, SCOPE, "sandbox", "the second", "person:bob")
        assert [b.why for b in await brakes.all_on(db, SCOPE)] == ["the first"]
    assert await why_on(world) == "the first"
    await resume(world)
    assert await resume(world) == 0
    async with world.db() as db:
        assert await brakes.all_on(db, SCOPE) == []
        assert [(b.on, b.released_why) for b in await brakes.history(db, SCOPE)] == [
            (False, "looked at it")
        ]


async def test_what_waits_for_the_customers_yes_goes_on_waiting_for_it(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await pause(world)
    await world.open_payment(invoice_id, customer_id, reason=Reason.CHECKOUT, limit_minor=0)
    await world.work()
    assert (await world.payment(invoice_id)).reason is Reason.CHECKOUT
