"""Stranded money goes back through the real adapter: once, by itself, whatever breaks."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.flows.test_races import claimed
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from twintill.domain.facts import Unparked
from twintill.domain.payment import Outcome, Reason, Receipt, State
from twintill.domain.policy import Policy
from twintill.flows import intake, refund
from twintill.flows.learn import learn
from twintill.flows.verify import verify_books
from twintill.ids import payment_id
from twintill.processors import Refunds
from twintill.store import brakes, inbox
from twintill.store.tables import inbox as inbox_table
from twintill.store.tables import payments as payments_table

PAUSE = Policy().refund_pause + timedelta(seconds=1)
REFUNDS = r"/v1/charges/.*/refunds$"


async def strand(world: World, method: str = "card_ok") -> str:
    """Collected; the report did not get through; then the invoice was voided."""
    customer_id = await world.customer(method)
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe(f"/v1/invoices/{invoice_id}/pay$", "status", code=500, times=3)
    await world.work()
    await world.means.stripe.void(invoice_id, key=f"void-{invoice_id}")
    await world.advance(timedelta(minutes=1))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.STRANDED
    return invoice_id


async def later(world: World, by: timedelta = PAUSE) -> None:
    await world.advance(by)
    await world.work()


async def given_back(world: World) -> list[dict[str, Any]]:
    """The processor's book."""
    headers = {"authorization": f"Bearer {PROCESSOR_KEY}"}
    listed = await world.processor.get("/v1/refunds", headers=headers)
    return [r for r in listed.json()["data"] if r["status"] != "failed"]


async def give_by_hand(world: World, invoice_id: str, amount: int) -> None:
    charge_id = (await world.payment(invoice_id)).attempts[0].processor_payment_id
    done = await world.processor.post(
        f"/v1/charges/{charge_id}/refunds",
        headers={"authorization": f"Bearer {PROCESSOR_KEY}", "idempotency-key": "by-hand"},
        json={"amount": amount},
    )
    assert done.status_code == 201


async def is_sound(world: World) -> bool:
    report, _ = await verify_books(world.means.database, SCOPE, world.means.policy)
    return not any(of_it.count for of_it in report.values())


async def test_stranded_money_goes_back_by_itself_after_a_pause(world: World) -> None:
    invoice_id = await strand(world)
    await world.work()
    assert await given_back(world) == []
    await later(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.ended, payment.refunded_minor) == (State.REFUNDED, True, 4900)
    assert [r["amount"] for r in await given_back(world)] == [4900]
    assert set((await world.balances()).values()) <= {0}
    assert await is_sound(world)


async def test_only_what_stripe_did_not_take_goes_back(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe(f"/v1/invoices/{invoice_id}/pay$", "status", code=500, times=3)
    await world.work()
    await world.means.stripe.client.v1.credit_notes.create_async(
        {"invoice": invoice_id, "amount": 900}
    )
    await later(world, timedelta(minutes=1))
    await later(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reported_minor, payment.refunded_minor) == (
        State.REPORTED,
        4000,
        900,
    )
    assert [r["amount"] for r in await given_back(world)] == [900]


@pytest.mark.parametrize("fault", ["reset_after", "timeout_after", "timeout_before"])
async def test_a_refund_whose_answer_is_lost_is_found_and_never_made_twice(
    world: World, fault: str
) -> None:
    invoice_id = await strand(world)
    await world.break_processor(REFUNDS, fault)
    await later(world)
    payment = await world.payment(invoice_id)
    assert payment.reason is Reason.REFUND_IN_DOUBT
    await later(world, timedelta(minutes=1))
    assert (await world.payment(invoice_id)).state is State.REFUNDED
    assert len(await given_back(world)) == 1


async def test_a_worker_that_dies_after_the_intent_asks_before_it_sends(world: World) -> None:
    invoice_id = await strand(world)
    await world.advance(PAUSE)
    looking = await claimed(world, invoice_id)
    receipt = its_receipt(looking.payment.receipt_to_give_back)
    attempt = looking.payment.attempts[0]
    processor = refund._processor(looking, attempt)
    started, prepared = refund._draft(looking, receipt, attempt, receipt.stranded_minor)
    async with world.db() as db:
        decision = await looking.learn_return_start(db, started)
    assert decision is not None
    assert prepared is not None
    assert isinstance(processor, Refunds)
    await processor.refund(prepared)
    async with world.db() as db:  # it died here; a minute later
        await db.execute(update(payments_table).values(lease_until=None, lease_token=None))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REFUNDED
    assert len(await given_back(world)) == 1


async def test_a_refund_by_hand_is_booked_and_only_the_rest_is_sent(world: World) -> None:
    invoice_id = await strand(world)
    await give_by_hand(world, invoice_id, 3000)
    await later(world)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.refunded_minor) == (State.REFUNDED, 4900)
    assert sorted(r["amount"] for r in await given_back(world)) == [1900, 3000]
    assert await is_sound(world)


async def test_a_bank_debit_goes_back_only_when_it_is_final(world: World) -> None:
    customer_id = await world.customer("debit_ok")
    invoice_id = await world.collect(customer_id)
    await world.means.stripe.void(invoice_id, key="void")
    await later(world, timedelta(days=4))
    payment = await world.payment(invoice_id)
    assert (payment.state, await given_back(world)) == (State.STRANDED, [])
    for _ in range(12):
        await later(world, timedelta(days=1))
    under_way = await world.payment(invoice_id)
    assert (under_way.state, under_way.refunded_minor) == (State.REFUNDED, 4900)
    assert len(await given_back(world)) == 1
    assert await is_sound(world)


async def test_a_refund_that_comes_back_is_for_a_person(world: World) -> None:
    invoice_id = await strand(world, "card_refund_fails")
    await later(world)
    under_way = await world.payment(invoice_id)
    assert under_way.reason is Reason.REFUND_UNDER_WAY
    assert (await world.balances())["refund:in_flight"] == -4900
    assert await is_sound(world)
    await later(world, timedelta(days=2))
    failed = await world.payment(invoice_id)
    assert "pay the customer another way" in str(failed.parked_why)
    assert (await world.balances())["customer:stranded"] == -4900
    assert await is_sound(world)


async def test_the_processors_webhook_ends_a_refund_that_is_under_way(world: World) -> None:
    invoice_id = await strand(world, "card_refund_fails")
    await later(world)
    await world.advance(timedelta(days=2))
    told = await told_by_the_processor(world, "refund.failed")
    await hear(world, told)
    assert (await world.payment(invoice_id)).refunds[0].outcome is Outcome.DECLINED


async def test_a_webhook_about_a_refund_by_hand_of_stranded_money_is_no_mystery(
    world: World,
) -> None:
    invoice_id = await strand(world)
    await give_by_hand(world, invoice_id, 4900)
    told = await told_by_the_processor(world, "refund.succeeded")
    assert await hear(world, told) == "done"
    await later(world)
    assert (await world.payment(invoice_id)).state is State.REFUNDED


async def test_a_cap_holds_refunds_back_until_a_person_agrees(world: World) -> None:
    capped = replace(world.means, policy=replace(world.means.policy, refunds_per_hour=1))
    tight = replace(world, means=capped)
    first, second = await strand(tight), await strand(tight)
    await later(tight)
    states = [(await tight.payment(i)).state for i in (first, second)]
    assert sorted(states) == [State.REFUNDED, State.STRANDED]
    held = first if states[0] is State.STRANDED else second
    assert "is the cap" in str((await tight.payment(held)).parked_why)
    async with tight.db() as db:
        assert "is the cap" in str(await brakes.why_on(db, SCOPE, "sandbox"))
    await learn(capped, SCOPE, payment_id(SCOPE, held), Unparked("it is right"))
    await tight.work()
    assert (await tight.payment(held)).state is State.REFUNDED


async def test_a_processor_that_cannot_be_listed_is_asked_again_later(world: World) -> None:
    invoice_id = await strand(world)
    await world.break_processor("/v1/refunds", "status", method="GET", code=503, times=3)
    await later(world)
    assert (await world.payment(invoice_id)).refunds == ()
    for _ in range(4):
        await later(world, timedelta(hours=1))
    assert (await world.payment(invoice_id)).state is State.REFUNDED


async def told_by_the_processor(world: World, event_type: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {PROCESSOR_KEY}"}
    events = (await world.processor.get("/v1/events?limit=100", headers=headers)).json()["data"]
    return next(e for e in events if e["type"] == event_type)


def its_receipt(receipt: Receipt | None) -> Receipt:
    assert receipt is not None
    return receipt


async def hear(world: World, event: dict[str, Any]) -> str:
    """One event of the processor, through the inbox; its verdict."""
    body = json.dumps({"events": [event]}).encode()
    row = inbox.Event(event["id"], event["type"], None)
    async with world.db() as db:
        delivery = inbox.Delivery(SCOPE, "sandbox:acct_sandbox", {}, body, "new", (row,))
        await inbox.receive(db, [delivery])
    c = inbox_table.c
    async with world.db() as db:
        newest = select(c.inbox_id).order_by(c.inbox_id.desc()).limit(1)
        inbox_id = (await db.execute(newest)).scalar_one()
    await intake.look(world.means, SCOPE, inbox_id)
    async with world.db() as db:
        found = await db.execute(select(c.state).where(c.inbox_id == inbox_id))
        return str(found.scalar_one())
