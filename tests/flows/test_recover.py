"""After a restore: what the lost time did is found again, booked once, and never charged again."""

from dataclasses import replace
from datetime import timedelta

from tests.flows.test_verify import broken
from tests.flows.world import SCOPE, World
from tests.flows.yesterday import backup
from tests.postgres import Database
from twintill.domain.facts import ReportFailed
from twintill.domain.payment import Outcome, Reason, State
from twintill.domain.policy import Policy
from twintill.flows import recover
from twintill.flows.learn import learn
from twintill.flows.lost_attempts import Finding
from twintill.flows.means import Means
from twintill.processors import LookUpBy
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import brakes

DAY = timedelta(days=1)


async def run(world: World, means: Means | None = None) -> list[Finding]:
    """As the command does it; charging begins again only if everything was readable."""
    means = means or world.means
    await recover.hold(means, SCOPE)
    findings = [
        finding
        async for page in recover.pages(means, SCOPE, timedelta(days=30))
        for finding in page.findings
    ]
    if not any(finding.incomplete for finding in findings):
        await recover.let_go(means, SCOPE)
    return findings


async def paused(world: World) -> list[str]:
    async with world.db() as db:
        return [brake.tripped_by for brake in await brakes.all_on(db, SCOPE)]


async def agree(world: World, invoices: list[str]) -> None:
    """No charge twice, and the books are the processor's and Stripe's, once both were compared."""
    await world.advance(Policy().pair_pause + timedelta(seconds=1))
    await world.work()
    taken = await world.charges()
    balances = await world.balances()
    assert balances["processor:acct_sandbox:clearing"] == sum(c["amount"] for c in taken)
    assert balances.get("customer:unapplied", 0) == 0
    assert {await world.status(i) for i in invoices} == {"paid"}
    for invoice_id in invoices:
        payment = await world.payment(invoice_id)
        assert (payment.state, payment.ended) == (State.REPORTED, True), payment
    assert len(taken) == len(invoices)
    assert await broken(world) == set()


async def test_a_lost_day_is_found_again(world: World, database: Database) -> None:
    declined = await world.collect(await world.customer("card_declines_once"))
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_after")
    in_doubt = await world.collect(customer_id)
    async with backup(database.admin_url) as yesterday:
        await world.advance(DAY + timedelta(hours=2))
        await world.work()
        reported = await world.collect(customer_id)
        await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=500, times=50)
        collected = await world.collect(customer_id)
        await world.stripe.delete("/_sandbox/faults")
        charges = len(await world.charges())
        await yesterday.restore()
        findings = await run(world)
    assert {f.invoice_id for f in findings} == {declined, in_doubt, reported, collected}
    assert await paused(world) == []
    await world.work()
    await world.advance(2 * DAY)
    await world.work()
    await agree(world, [declined, in_doubt, reported, collected])
    assert len(await world.charges()) == charges
    assert await run(world) == []


async def test_without_recover_a_lost_attempt_stops_the_next_charge(
    world: World, database: Database
) -> None:
    invoice_id = await world.collect(await world.customer("card_declines_once"))
    async with backup(database.admin_url) as yesterday:
        await world.advance(DAY + timedelta(hours=2))
        await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=500, times=50)
        await world.break_processor("/v1/charges$", "status", code=503, times=1)
        await world.work()
        await world.means.stripe.last_look(invoice_id, 3)  # a third one was begun
        await yesterday.restore()
    await world.stripe.delete("/_sandbox/faults")
    await world.work()
    payment = await world.payment(invoice_id)
    assert "twintill recover" in (payment.parked_why or "")
    await run(world)
    payment = await world.payment(invoice_id)
    assert payment.parked_why is None
    await world.advance(2 * DAY)
    await world.work()
    await agree(world, [invoice_id])
    assert (await world.payment(invoice_id)).attempts[-1].n == 3


async def test_our_own_report_of_the_lost_time_is_recognised(
    world: World, database: Database
) -> None:
    """Approved by webhook before the backup, so that nothing here says that a report had begun."""
    customer_id = await world.customer()
    await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=500, times=50)
    invoice_id = await world.collect(customer_id)
    async with backup(database.admin_url) as yesterday:
        await world.stripe.delete("/_sandbox/faults")
        await world.advance(timedelta(hours=1))
        await world.work()
        await yesterday.restore()
    why = "the invoice was marked paid by somebody else (perhaps because of our charge)"
    payment = await world.payment(invoice_id)
    await learn(world.means, SCOPE, payment.id, ReportFailed(why, needs_person=True))
    await run(world)
    await agree(world, [invoice_id])


async def test_what_was_void_by_then_is_stranded_and_goes_back(
    world: World, database: Database
) -> None:
    customer_id = await world.customer()
    async with backup(database.admin_url) as yesterday:
        await world.break_stripe("/v1/invoices/[^/]+/pay$", "status", code=500, times=50)
        invoice_id = await world.collect(customer_id)
        await world.stripe.delete("/_sandbox/faults")
        await world.means.stripe.void(invoice_id, "void-it")
        await yesterday.restore()
        await run(world)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.STRANDED, Reason.INVOICE_VOID)
    await world.advance(timedelta(hours=1))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REFUNDED
    assert await broken(world) == set()


async def test_a_debit_of_the_lost_time_is_found_although_all_of_it_was_credited_since(
    world: World, database: Database
) -> None:
    """Nothing is due any more, and it is on its way all the same."""
    customer_id = await world.customer("debit_ok")
    async with backup(database.admin_url) as yesterday:
        invoice_id = await world.collect(customer_id)
        await world.means.stripe.client.v1.credit_notes.create_async(
            {"invoice": invoice_id, "amount": 4900}
        )
        await yesterday.restore()
        await run(world)
    await world.work()
    payment = await world.payment(invoice_id)
    assert (payment.attempts[0].n, payment.attempts[0].outcome) == (1, Outcome.ACCEPTED)
    assert payment.attempts[0].amount.minor == 4900
    for _ in range(3):
        await world.advance(timedelta(days=8))
        await world.work()
    assert (await world.payment(invoice_id)).state is State.REFUNDED
    assert await broken(world) == set()


async def test_a_processor_that_does_not_answer_keeps_charging_paused(
    world: World, database: Database
) -> None:
    customer_id = await world.customer()
    async with backup(database.admin_url) as yesterday:
        invoice_id = await world.collect(customer_id)
        await yesterday.restore()
        await world.break_processor("/v1/charges", "status", method="GET", code=500, times=1)
        findings = await run(world)
        assert any("could not be asked" in f.said and f.incomplete for f in findings)
        assert await paused(world) == ["recover"]
        assert (await world.payment(invoice_id)).attempts == ()
        await run(world)
    assert await paused(world) == []
    await agree(world, [invoice_id])


async def test_what_somebody_else_paused_stays_paused(world: World) -> None:
    async with world.db() as db:
        await brakes.trip(db, SCOPE, "sandbox", "their status page", "person:ada")
    await run(world)
    assert await paused(world) == ["person:ada"]


async def test_a_customer_of_the_lost_time_is_named(world: World, database: Database) -> None:
    async with backup(database.admin_url) as yesterday:
        customer_id = await world.customer()
        invoice_id = await world.collect(customer_id)
        await yesterday.restore()
        findings = await run(world)
    assert f"{customer_id} signed up in the lost time" in findings[0].said
    await agree(world, [invoice_id])


async def test_a_processor_that_cannot_be_asked_leaves_it_to_a_person(
    world: World, database: Database
) -> None:
    sandbox = world.means.processors["sandbox"]
    assert isinstance(sandbox, SandboxProcessor)
    sandbox.capabilities = replace(sandbox.capabilities, look_up=LookUpBy.NONE)
    customer_id = await world.customer()
    async with backup(database.admin_url) as yesterday:
        await world.break_stripe("/v1/invoices/[^/]+$", "status", code=500, times=50, nth=2)
        invoice_id = await world.collect(customer_id)
        known = await world.payment(invoice_id)
        await world.stripe.delete("/_sandbox/faults")
        await yesterday.restore()
        await run(world)
    payment = await world.payment(invoice_id)
    assert [a.outcome for a in payment.attempts] == [Outcome.NO_ANSWER]
    assert known.attempts[0].reference in (payment.parked_why or "")
    assert len(await world.charges()) == 1


async def test_a_report_names_the_money_also_where_nobody_can_be_asked_by_reference(
    world: World, database: Database
) -> None:
    """Stripe's metadata holds the processor's own id of it."""
    sandbox = world.means.processors["sandbox"]
    assert isinstance(sandbox, SandboxProcessor)
    sandbox.capabilities = replace(sandbox.capabilities, look_up=LookUpBy.NONE)
    customer_id = await world.customer()
    async with backup(database.admin_url) as yesterday:
        invoice_id = await world.collect(customer_id)
        await yesterday.restore()
        await run(world)
    await agree(world, [invoice_id])


async def test_what_a_slow_list_does_not_show_yet_is_waited_for(
    world: World, database: Database
) -> None:
    """An attempt that Stripe marks and nobody shows is "not sent" only when it would be shown."""
    sandbox = world.means.processors["sandbox"]
    assert isinstance(sandbox, SandboxProcessor)
    sandbox.capabilities = replace(sandbox.capabilities, look_up_lag_s=6 * 3600)
    customer_id = await world.customer()
    async with backup(database.admin_url) as yesterday:
        await world.break_processor("/v1/charges$", "reset_before")
        await world.open_payment(await world.invoice(customer_id), customer_id)
        await world.work()
        await yesterday.restore()
        (early,) = [finding.said for finding in await run(world) if finding.incomplete]
        assert "when sandbox shows all of that time" in early
        assert await paused(world) == [recover.BY]
        await world.advance(timedelta(hours=6, minutes=1))
        assert not any(f.incomplete for f in await run(world))
        assert await paused(world) == []
