"""Our books against Stripe's and the processor's: silent when they agree, and each lie is named."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.flows.test_money_back import GRACE, ask, reported, told
from tests.flows.test_paid_another_way import not_given_back, paid
from tests.flows.test_refunds import REFUNDS, give_by_hand, later
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from tests.postgres import Database
from twintill import ids
from twintill.domain.facts import LookGaveUp
from twintill.domain.payment import Reason
from twintill.flows import compare
from twintill.flows.compare import Part, Walk
from twintill.flows.learn import learn
from twintill.flows.verify_remote import verify_remote
from twintill.processors.sandbox import SandboxProcessor

MONTH = timedelta(days=30)
NO_REFUNDS: dict[str, Any] = {
    "code": 200,
    "body": {"object": "list", "data": [], "has_more": False},
}


async def walk(world: World) -> Walk:
    done = await compare.begin(world.means, MONTH)
    while done.part is not Part.DONE:
        done = Walk.restored((await compare.step(world.means, SCOPE, done)).saved())
    return done


async def kinds(world: World) -> list[str | None]:
    return [difference["kind"] for difference in (await walk(world)).differences]


async def falsify(database: Database, statement: str) -> None:
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


async def charge_there(world: World, invoice_id: str, n: int) -> None:
    """As another copy with the same keys would: under the reference that attempt n will have."""
    payment = await world.payment(invoice_id)
    key = {"authorization": f"Bearer {PROCESSOR_KEY}"}
    made = f"/v1/charges/{payment.attempts[0].processor_payment_id}"
    charge = (await world.processor.get(made, headers=key)).json()
    order = {name: charge[name] for name in ("amount", "currency", "token", "customer")}
    answer = await world.processor.post(
        "/v1/charges",
        headers={**key, "idempotency-key": f"copy-{n}"},
        json={**order, "reference": ids.reference(SCOPE, invoice_id, "charge", n)},
    )
    assert answer.status_code == 201, answer.text


async def test_books_that_agree_differ_in_nothing(world: World) -> None:
    for method in ("card_ok", "card_declines_once", "card_hard_declined", "debit_ok"):
        await world.collect(await world.customer(method))
    await world.break_processor("/v1/charges$", "timeout_after")
    await world.collect(await world.customer())
    done = await walk(world)
    assert (done.differ, done.invoices, done.payments, done.attempts) == (0, 5, 5, 5)
    await world.advance(timedelta(days=8))
    await world.work()
    assert await kinds(world) == []


LIES = {
    "UPDATE receipts SET reported_minor = 0": "reported_there",
    "UPDATE receipts SET reported_minor = 100": "amounts_differ",
    "UPDATE attempts SET outcome = 'declined'": "charged_there",
    "UPDATE attempts SET processor_payment_id = 'ch_other'": "another_charge",
    "UPDATE attempts SET amount_minor = 100": "amounts_differ",
    "UPDATE attempts SET reference = 'tw-nobody'": "not_charged_there",
    "UPDATE payments SET currency = 'USD'": "currency",
}


@pytest.mark.parametrize("statement", LIES)
async def test_a_lie_in_our_books_is_noticed(
    world: World, database: Database, statement: str
) -> None:
    await world.collect(await world.customer())
    await falsify(database, statement)
    assert await kinds(world) == [LIES[statement]]


async def test_a_report_that_stripe_does_not_show_is_noticed(
    world: World, database: Database
) -> None:
    invoice_id = await world.collect(await world.customer("card_hard_declined"))
    its_id = ids.payment_id(SCOPE, invoice_id)
    await falsify(
        database,
        "INSERT INTO receipts (stripe_account_id, livemode, receipt_id, payment_id, source, "
        "currency, finality, collected_minor, reported_minor, collected_at) VALUES "
        f"('acct_test', false, 'rct_x', '{its_id}', 'hand', 'EUR', 'final', 4900, 4900, now())",
    )
    assert await kinds(world) == ["not_paid_there"]


async def test_a_charge_that_we_have_not_made_is_noticed(world: World) -> None:
    invoice_id = await world.collect(await world.customer())
    await charge_there(world, invoice_id, 2)
    assert await kinds(world) == ["unknown_charge"]


async def test_an_open_invoice_of_a_customer_of_ours_that_nobody_told_us_of_is_noticed(
    world: World,
) -> None:
    invoice_id = await world.invoice(await world.customer())
    assert await kinds(world) == []  # its event may be on its way
    await world.advance(timedelta(hours=2))
    done = await walk(world)
    assert [(d["kind"], d["invoice_id"]) for d in done.differences] == [
        ("unknown_here", invoice_id)
    ]


async def test_one_that_pays_by_wire_is_left_alone(world: World) -> None:
    await world.invoice(await world.customer(None))
    await world.advance(timedelta(hours=2))
    assert await kinds(world) == []


async def test_what_no_list_showed_is_read_by_itself(world: World, database: Database) -> None:
    """Its invoice is older than the list goes back."""
    await world.collect(await world.customer())
    await world.advance(timedelta(days=40))
    await falsify(database, "UPDATE payments SET created_at = twintill_now() - interval '1 day'")
    await falsify(database, "UPDATE receipts SET reported_minor = 100")
    done = await walk(world)
    assert (done.invoices, [d["kind"] for d in done.differences]) == (0, ["amounts_differ"])


async def test_what_is_parked_or_in_doubt_is_no_news(world: World) -> None:
    customer_id = await world.customer()
    await world.break_processor("/v1/charges$", "timeout_after")
    invoice_id = await world.collect(customer_id)
    await learn(
        world.means, SCOPE, ids.payment_id(SCOPE, invoice_id), LookGaveUp("a person looks at it")
    )
    assert await kinds(world) == []


async def given_back(world: World, minor: int = 1900) -> str:
    """A part of what Stripe was told of, asked for here."""
    invoice_id = await reported(world)
    await ask(world, invoice_id, minor)
    await world.work()
    return invoice_id


async def test_what_was_given_back_here_or_by_hand_agrees(world: World) -> None:
    invoice_id = await given_back(world)
    assert await kinds(world) == []
    await give_by_hand(world, invoice_id, 900)
    await told(world, invoice_id)
    assert await kinds(world) == []  # both sides are compared in ten minutes
    await later(world, GRACE)
    assert (await world.payment(invoice_id)).refunded_minor == 2800
    assert await kinds(world) == []


async def test_a_refund_that_was_made_there_by_hand_is_noticed_each_by_its_name(
    world: World,
) -> None:
    invoice_id = await reported(world)
    await give_by_hand(world, invoice_id, 1900)
    (differs,) = (await walk(world)).differences
    charge_id = (await world.payment(invoice_id)).attempts[0].processor_payment_id
    assert (differs["kind"], differs["processor_payment_id"]) == ("refunded_there", charge_id)
    assert "19.00 EUR" in str(differs["says"])
    assert str(differs["processor_refund_id"]) in str(differs["says"])


REFUND_LIES = {
    "SET reference = 'tw-nobody', processor_payment_id = 'rfd_x'": [
        "not_refunded_there",
        "refunded_there",
    ],
    "SET outcome = 'declined'": ["refunded_there"],
    "SET amount_minor = 100": ["amounts_differ"],
}


@pytest.mark.parametrize("lie", REFUND_LIES)
async def test_a_lie_about_a_refund_is_noticed(world: World, database: Database, lie: str) -> None:
    await given_back(world)
    await falsify(database, f"UPDATE attempts {lie} WHERE kind = 'refund'")
    assert await kinds(world) == REFUND_LIES[lie]


async def test_a_refund_that_the_processor_does_not_have_is_noticed(world: World) -> None:
    """As after a restore of theirs, or a charge that was taken for another."""
    invoice_id = await given_back(world)
    await world.break_processor("/v1/refunds$", "status", method="GET", times=9, **NO_REFUNDS)
    (differs,) = (await walk(world)).differences
    refund = (await world.payment(invoice_id)).refunds[0]
    assert (differs["kind"], differs["attempt_id"]) == ("not_refunded_there", refund.id)


class ShownLate(SandboxProcessor):
    """The same, that lists a refund only after some minutes."""

    capabilities = replace(SandboxProcessor.capabilities, look_up_lag_s=600)


async def test_what_need_not_be_listed_yet_is_no_news(world: World) -> None:
    url, key = str(world.processor.base_url), PROCESSOR_KEY
    late = ShownLate(url, key, ("whsec_1",), "acct_sandbox", world.processor)
    world = replace(world, means=replace(world.means, processors={"sandbox": late}))
    await given_back(world)
    await world.break_processor("/v1/refunds$", "status", method="GET", times=9, **NO_REFUNDS)
    assert await kinds(world) == []
    await world.advance(timedelta(minutes=10))
    assert await kinds(world) == ["not_refunded_there"]


@pytest.mark.parametrize("shown", [{}, NO_REFUNDS], ids=["listed", "not listed"])
async def test_a_refund_under_way_is_no_news(world: World, shown: dict[str, Any]) -> None:
    invoice_id = await reported(world, "card_refund_fails")
    await ask(world, invoice_id, 1900)
    await world.work()
    assert (await world.payment(invoice_id)).reason is Reason.REFUND_UNDER_WAY
    if shown:
        await world.break_processor("/v1/refunds$", "status", method="GET", times=9, **shown)
    assert await kinds(world) == []


async def test_a_refund_in_doubt_is_no_news(world: World) -> None:
    invoice_id = await reported(world)
    await world.break_processor(REFUNDS, "timeout_after")
    await ask(world, invoice_id, 1900)
    await world.work()
    assert (await world.payment(invoice_id)).reason is Reason.REFUND_IN_DOUBT
    assert await kinds(world) == []


async def test_what_a_person_paid_another_way_is_not_looked_for_there(world: World) -> None:
    invoice_id = await not_given_back(world)
    await paid(world, invoice_id)
    assert (await world.payment(invoice_id)).refunded_minor == 4900
    assert await kinds(world) == []


async def test_a_processor_that_does_not_list_its_refunds_is_counted(world: World) -> None:
    await given_back(world)
    await world.break_processor("/v1/refunds$", "status", method="GET", code=503)
    done = await walk(world)
    assert (done.differ, done.not_asked) == (0, 1)


async def test_the_duty_goes_page_by_page_and_tells_what_is_new(
    world: World, database: Database
) -> None:
    await world.collect(await world.customer())
    await falsify(database, "UPDATE receipts SET reported_minor = 100")
    cursor: dict[str, object] = {}
    runs = 0
    again_in = timedelta(0)
    while not again_in:
        ran = await verify_remote(world.means, SCOPE, cursor)
        cursor, again_in, runs = dict(ran.cursor), ran.again_in, runs + 1
    assert runs == 3
    assert (again_in, ran.result["differ"]) == (timedelta(days=1), 1)
    assert cursor["known"] == [f"amounts_differ {(await _only(world))}"]


async def _only(world: World) -> str:
    return str((await walk(world)).differences[0]["payment_id"])
