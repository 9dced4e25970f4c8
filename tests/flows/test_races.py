"""What happens between two statements: lost leases, old news, wrong accounts, twins of a token."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select, update

from tests.flows.events import deliver, stripe_events
from tests.flows.signing_up import ask, finish, its_checkout, price, work
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from twintill.domain.facts import (
    Answered,
    NoMethodFound,
    Via,
)
from twintill.domain.outcomes import Approved, Finality
from twintill.domain.payment import Outcome, Reason, State
from twintill.flows import charge, removing, report, signup
from twintill.flows.learn import learn
from twintill.flows.look import look
from twintill.flows.looking import Looking
from twintill.ids import new_id, payment_id
from twintill.money import Money
from twintill.processors import PreparedCharge
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import clock, methods, payments
from twintill.store import work as rows
from twintill.store.tables import attempts, payment_methods
from twintill.store.tables import payments as payments_table
from twintill.store.work import PAYMENTS


async def claimed(world: World, invoice_id: str) -> Looking:
    async with world.db() as db:
        lease = await rows.claim(db, PAYMENTS, SCOPE, payment_id(SCOPE, invoice_id))
        assert lease is not None
        payment = await payments.read(db, SCOPE, payment_id(SCOPE, invoice_id))
        return Looking(world.means, lease, payment, await clock.now(db))


async def lease_runs_out(world: World) -> None:
    async with world.db() as db:
        await db.execute(
            update(payments_table).values(lease_until=clock.WALL - timedelta(seconds=1))
        )


async def test_a_look_that_took_longer_than_its_lease_charges_nothing(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    slow = await claimed(world, invoice_id)
    await lease_runs_out(world)
    other = await claimed(world, invoice_id)
    await charge.charge(slow)
    assert await world.charges() == []
    await charge.charge(other)
    assert len(await world.charges()) == 1


async def test_the_lease_begins_anew_with_the_charge(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    opened = await world.open_payment(invoice_id, customer_id)
    slow = await claimed(world, invoice_id)
    await lease_runs_out(world)  # and nobody took it
    async with world.db() as db:
        assert await rows.keep(db, PAYMENTS, slow.lease)
    assert await look(world.means, SCOPE, opened.id) is False


async def test_an_approval_that_comes_after_the_lease_is_reported_by_its_new_holder_alone(
    world: World,
) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    slow = await claimed(world, invoice_id)
    seen = await world.means.stripe.last_look(invoice_id, 1)
    method, _ = await charge._method(slow)
    draft = charge._draft(slow, method, seen)
    started = await charge._start(slow, draft, seen)
    assert started is not None
    assert started.send is not None
    assert isinstance(draft.prepared, PreparedCharge)
    outcome = await world.means.processors["sandbox"].charge(draft.prepared)
    told = Answered(started.send.attempt.id, outcome, Via.RECORD)
    await learn(world.means, SCOPE, slow.payment.id, told)
    await lease_runs_out(world)
    holder = await claimed(world, invoice_id)
    await charge.send(slow, started.send.attempt, draft.prepared)
    assert await world.status(invoice_id) == "open"
    await report.report(holder, holder.payment)
    assert await world.status(invoice_id) == "paid"
    assert len(await world.charges()) == 1


async def test_another_account_of_the_processor_is_never_asked_nor_charged(world: World) -> None:
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_before")
    invoice_id = await world.collect(customer_id)
    await world.advance(timedelta(seconds=10))
    base_url = str(world.processor.base_url)
    other = SandboxProcessor(base_url, PROCESSOR_KEY, ("whsec_1",), "acct_other")
    switched = replace(world, means=replace(world.means, processors={"sandbox": other}))
    await switched.work()
    assert await world.charges() == []
    assert (await world.payment(invoice_id)).attempts[0].sendings == 1
    await other.aclose()
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert len(await world.charges()) == 1


async def test_an_old_approval_of_a_debit_that_has_failed_is_asked_for_not_believed(
    world: World,
) -> None:
    """Confirmed, then returned; the webhook of the confirmation comes after all of it."""
    invoice_id = await world.collect(await world.customer("debit_fails"))
    await world.advance(timedelta(days=10))
    await world.work()
    failed = await world.payment(invoice_id)
    (attempt,) = failed.attempts
    assert attempt.outcome is Outcome.DECLINED
    assert attempt.processor_payment_id is not None
    old = Approved(attempt.processor_payment_id, attempt.amount, Finality.PROVISIONAL)
    await learn(world.means, SCOPE, failed.id, Answered(attempt.id, old, Via.RECORD))
    await world.work()
    assert (await world.payment(invoice_id)).receipts == ()
    assert await world.status(invoice_id) == "open"


async def test_a_second_charge_under_one_reference_is_for_a_person(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    (attempt,) = (await world.payment(invoice_id)).attempts
    twin = Approved("ch_another", Money(4900, "EUR"))
    await learn(
        world.means, SCOPE, payment_id(SCOPE, invoice_id), Answered(attempt.id, twin, Via.RECORD)
    )
    assert "ch_another" in str((await world.payment(invoice_id)).parked_why)


async def test_the_first_invoice_of_a_sign_up_that_is_still_being_made_is_not_charged(
    world: World,
) -> None:
    """Stripe made the subscription, its answer was lost, and the draft's hour is over."""
    customer_id = await world.customer()
    request = await ask(world, customer_id=customer_id, items=((await price(world), 1),))
    signup_id = new_id("sgn")
    await signup.begin(world.means, SCOPE, signup_id, request)
    made = await world.means.stripe.create_subscription(
        customer_id, list(request.items), 30, {}, signup_id, f"{signup_id}:create_subscription:0"
    )
    assert made.first_invoice is not None
    invoice_id = made.first_invoice.invoice_id
    await world.means.stripe.finalize(invoice_id, "stripes-own")
    await deliver(world, await stripe_events(world, "invoice.finalized"))
    await world.work()
    assert await world.charges() == []
    held = await world.payment(invoice_id)
    assert (held.limit_minor, held.reason) == (0, Reason.CHECKOUT)
    await work(world)
    assert (await its_checkout(world, signup_id)).payment_id == held.id
    assert (await finish(world, signup_id)).payment is not None
    assert len(await world.charges()) == 1


async def test_a_removed_token_is_not_kept_in_the_requests_made_with_it(world: World) -> None:
    customer_id = await world.customer()
    await world.collect(customer_id)
    async with world.db() as db:
        (method,) = await methods.list_of_customer(db, SCOPE, customer_id)
        await removing.ask(db, SCOPE, customer_id, method.id)
    await work(world)
    async with world.db() as db:
        assert (await methods.read(db, SCOPE, method.id)).status == "removed"
        bodies = list((await db.execute(select(attempts.c.sealed_body))).scalars())
    assert bodies == [None]


async def test_removing_one_of_two_methods_with_one_token_leaves_the_token_alive(
    world: World,
) -> None:
    """The customer chose the same agreement again: the processor gave us the same token."""
    customer_id = await world.customer()
    async with world.db() as db:
        (former,) = await methods.list_of_customer(db, SCOPE, customer_id)
        token = methods.open_token(world.means.vault, SCOPE, former)
        again = methods.NewMethod(
            setup_session_id="again",
            customer_id=customer_id,
            processor=former.processor,
            processor_account_id=former.processor_account_id,
            processor_customer_id=former.processor_customer_id,
            token=token,
            kind=former.kind,
            display=former.display,
        )
        await methods.add(db, world.means.vault, SCOPE, again)
        await removing.ask(db, SCOPE, customer_id, former.id)
    await work(world)
    async with world.db() as db:
        statuses = await db.execute(select(payment_methods.c.status))
        assert sorted(statuses.scalars()) == ["active", "removed"]
    invoice_id = await world.collect(customer_id)
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_a_decision_that_waited_for_the_row_knows_a_method_given_meanwhile(
    world: World,
) -> None:
    """Else the payment waits six hours for the method that it has."""
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    opened = await world.open_payment(invoice_id, customer_id)
    async with world.db() as db:
        await db.execute(update(payment_methods).values(status="revoked"))
    async with world.db() as db:
        await payments.lock(db, SCOPE, opened.id)
        decision = asyncio.create_task(learn(world.means, SCOPE, opened.id, NoMethodFound()))
        await asyncio.sleep(0.5)
        assert not decision.done()
        await db.execute(update(payment_methods).values(status="active"))
        await db.execute(update(payments_table).values(unreadable=0))
    assert (await decision).payment.reason is Reason.READY
