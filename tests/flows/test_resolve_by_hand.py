"""A person says what became of a charge in doubt: the processor's own record comes first."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from twintill.domain.facts import Evidence, LookGaveUp
from twintill.domain.payment import Outcome, Payment, Reason, State
from twintill.errors import ConflictError, NotFoundError
from twintill.flows.learn import learn
from twintill.flows.person import Resolved, Word, resolve
from twintill.ids import payment_id
from twintill.store import work
from twintill.store.tables import payment_history

EVIDENCE = Evidence("export.csv", "0" * 64)


async def in_doubt(world: World, fault: str = "timeout_after") -> str:
    """An invoice whose charge was not answered; the first look-up fails too."""
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", fault)
    return await world.collect(customer_id)


async def say(world: World, invoice_id: str, charged: str | None = None, **how: object) -> Resolved:
    word = Word(charged, "looked there", "person:ada", EVIDENCE, **how)  # type: ignore[arg-type]
    return await resolve(world.means, SCOPE, payment_id(SCOPE, invoice_id), word)


async def refused(world: World, invoice_id: str, charged: str | None = None, **how: object) -> str:
    """Why; and that nothing changed by it."""
    before = await world.payment(invoice_id)
    with pytest.raises(ConflictError) as error:
        await say(world, invoice_id, charged, **how)
    assert await world.payment(invoice_id) == before
    return error.value.code


async def the_charge(world: World) -> str:
    (charge,) = await world.charges()
    return str(charge["charge"])


async def history(world: World, payment: Payment) -> list[tuple[str, str]]:
    c = payment_history.c
    async with world.db() as db:
        rows = await db.execute(
            select(c.fact, c.actor).where(c.payment_id == payment.id).order_by(c.seq)
        )
        return [(row.fact, row.actor) for row in rows]


async def test_charged_is_collected_and_reported_and_the_history_says_who_and_why(
    world: World,
) -> None:
    invoice_id = await in_doubt(world)
    its_id = payment_id(SCOPE, invoice_id)
    await learn(world.means, SCOPE, its_id, LookGaveUp("nobody knows"))
    resolved = await say(world, invoice_id, await the_charge(world))
    assert resolved.payment.state is State.COLLECTED
    await world.work()
    assert await world.status(invoice_id) == "paid"
    async with world.db() as db:
        told = select(payment_history).where(payment_history.c.fact == "PersonSaid")
        fact = (await db.execute(told)).one()
    assert fact.actor == "person:ada"
    assert fact.detail["why"] == "looked there"
    assert fact.detail["evidence"] == {"is": "Evidence", "name": "export.csv", "sha256": "0" * 64}


async def test_the_same_word_again_changes_nothing(world: World) -> None:
    invoice_id = await in_doubt(world)
    charge_id = await the_charge(world)
    await say(world, invoice_id, charge_id)
    before = await world.payment(invoice_id)
    assert (await say(world, invoice_id, charge_id)).known_before
    assert await world.payment(invoice_id) == before


async def test_a_charge_of_another_invoice_is_refused(world: World) -> None:
    """Known as another attempt's, and also where a hand charged it without our reference."""
    other = await world.payment(await world.collect(await world.customer()))
    invoice_id = await in_doubt(world)
    known = str(other.attempts[0].processor_payment_id)
    assert await refused(world, invoice_id, known) == "known_as_another"
    assert await refused(world, invoice_id, known, without_asking=True) == "known_as_another"


async def test_an_id_that_the_processor_does_not_know_is_refused(world: World) -> None:
    assert await refused(world, await in_doubt(world), "ch_nobody") == "unknown_there"


async def test_a_processor_that_does_not_answer_is_gone_without_only_when_said(
    world: World,
) -> None:
    invoice_id = await in_doubt(world)
    charge_id = await the_charge(world)
    await world.break_processor("/v1/charges", "status", method="GET", code=500, times=4)
    assert await refused(world, invoice_id, charge_id) == "cannot_be_asked"
    resolved = await say(world, invoice_id, charge_id, without_asking=True)
    assert resolved.payment.state is State.COLLECTED


async def test_not_charged_is_refused_while_it_may_still_arrive(world: World) -> None:
    invoice_id = await in_doubt(world, "timeout_before")
    assert await refused(world, invoice_id) == "may_still_arrive"


async def test_even_though_it_may_arrive_the_next_charge_waits_for_the_end_of_the_window(
    world: World,
) -> None:
    invoice_id = await in_doubt(world, "timeout_before")
    resolved = await say(world, invoice_id, even_though_it_may_arrive=True)
    payment = resolved.payment
    assert (payment.state, payment.reason) == (State.WAITING, Reason.NOT_SENT)
    assert payment.next_look_at is not None
    assert payment.next_look_at >= payment.attempts[0].first_sent_at + timedelta(hours=24)
    await world.advance(timedelta(hours=23))
    assert await world.work() == 0
    await world.advance(timedelta(hours=2))
    await world.work()
    assert await world.status(invoice_id) == "paid"
    assert [a.outcome for a in (await world.payment(invoice_id)).attempts] == [
        Outcome.NOT_SENT,
        Outcome.APPROVED,
    ]


async def test_what_arrived_after_all_is_found_before_a_new_charge(world: World) -> None:
    """Its webhook was lost: nothing else would have told."""
    invoice_id = await in_doubt(world, "timeout_before")
    first = (await say(world, invoice_id, even_though_it_may_arrive=True)).payment.attempts[0]
    vault = world.means.vault
    late = await world.processor.post(
        "/v1/charges",
        content=vault.open(first.sealed_body, SCOPE, "attempts", first.id),
        headers={
            "authorization": f"Bearer {PROCESSOR_KEY}",
            "idempotency-key": first.idempotency_key,
            "content-type": "application/json",
        },
    )
    assert late.status_code == 201
    await world.advance(timedelta(hours=25))
    await world.work()
    assert len(await world.charges()) == 1
    payment = await world.payment(invoice_id)
    assert [a.outcome for a in payment.attempts] == [Outcome.APPROVED]
    assert payment.state is State.REPORTED


async def test_before_a_new_charge_the_processor_must_be_readable(world: World) -> None:
    invoice_id = await in_doubt(world, "timeout_before")
    await say(world, invoice_id, even_though_it_may_arrive=True)
    await world.break_processor("/v1/charges$", "status", method="GET", code=503)
    await world.advance(timedelta(hours=25))
    await world.work()
    assert len((await world.payment(invoice_id)).attempts) == 1
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert await world.status(invoice_id) == "paid"


async def test_not_charged_learns_the_charge_that_the_processor_shows(world: World) -> None:
    invoice_id = await in_doubt(world)
    resolved = await say(world, invoice_id, even_though_it_may_arrive=True)
    assert resolved.learned_instead
    assert resolved.payment.state is State.COLLECTED
    assert (await history(world, resolved.payment))[-1] == ("Answered", "person:ada")


async def test_only_the_attempt_that_is_named_and_only_one_that_is_out(world: World) -> None:
    invoice_id = await in_doubt(world, "timeout_before")
    assert await refused(world, invoice_id, attempt_id="att_other") == "another_attempt"
    paid = await world.collect(await world.customer())
    assert await refused(world, paid) == "nothing_to_resolve"
    with pytest.raises(NotFoundError):
        await say(world, "in_unknown")


async def test_nobody_is_asked_while_a_worker_is_at_it(world: World) -> None:
    invoice_id = await in_doubt(world)
    its_id = payment_id(SCOPE, invoice_id)
    async with world.db() as db:
        lease = await work.hold(db, work.PAYMENTS, SCOPE, its_id)
    assert lease is not None
    assert await refused(world, invoice_id, "ch_1") == "payment_busy"
    async with world.db() as db:
        await work.release(db, work.PAYMENTS, lease)
    assert await refused(world, invoice_id, "ch_1") == "unknown_there"


async def test_of_a_processor_that_left_the_settings_a_person_can_still_tell(world: World) -> None:
    """Nobody can ask it any more: it ends with a person, who has a verb to go on."""
    invoice_id = await in_doubt(world)
    charge_id = await the_charge(world)
    left = replace(world, means=replace(world.means, processors={}))
    for _ in range(12):
        await left.advance(timedelta(minutes=31))
        await left.work()
    parked = await left.payment(invoice_id)
    assert parked.parked_why is not None
    assert parked.parked_why.startswith("The processor 'sandbox' is not configured here")
    assert await refused(left, invoice_id, charge_id) == "cannot_be_asked"
    await say(left, invoice_id, charge_id, without_asking=True)
    await left.work()
    assert await left.status(invoice_id) == "paid"
