"""Invoices that somebody asks for: made, collected like any other, changed, closed; or refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.signing_up import PATIENCE_S
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from twintill.domain.invoicing import Step
from twintill.domain.payment import Reason, State
from twintill.errors import BadRequest, ConflictError, NotFoundError, StripeRefused
from twintill.flows import asking_invoicing as ask
from twintill.flows.asking_invoicing import AskedItem, Asker, Ended, NewInvoice
from twintill.ids import new_id, payment_id
from twintill.store import invoice_actions, mirror, work
from twintill.store.tables import customers, invoices
from twintill.store.work import PAYMENTS
from twintill.stripe_billing.catalog import NewPrice, NewProduct
from twintill.stripe_billing.invoice_items import ItemChanges
from twintill.stripe_billing.invoicing import DraftChanges, NewLine


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with running_world(database, PATIENCE_S) as world:
        yield world


def asker(world: World, operation_id: str | None = None) -> Asker:
    return Asker(world.means, SCOPE, operation_id or new_id("op"), "api:shop", "ordered by phone")


def amount(minor: int, description: str = "Setup") -> NewLine:
    return NewLine(description, amount_minor=minor)


async def make(world: World, customer_id: str, *lines: NewLine, **more: Any) -> str:
    wanted = NewInvoice(customer_id, lines, **{"currency": "EUR", **more})
    made = await ask.make_invoice(asker(world), wanted)
    assert made.invoice_id is not None
    return made.invoice_id


async def act(world: World, invoice_id: str, deed: Step) -> Ended:
    return await ask.act_on(asker(world), invoice_id, deed)


async def a_stranger(world: World) -> str:
    """In Stripe, and unknown here."""
    made = await world.means.stripe.client.v1.customers.create_async({})
    return str(made.id)


async def price(world: World, minor: int = 1500, currency: str = "EUR") -> str:
    product = await ask.make_product(asker(world), NewProduct("Lamp"))
    wanted = NewPrice(product.made["id"], currency, minor)
    return str((await ask.make_price(asker(world), wanted)).made["id"])


async def mirrored(world: World, invoice_id: str) -> Any:
    async with world.db() as db:
        found = await db.execute(select(invoices).where(invoices.c.invoice_id == invoice_id))
        return found.one()


async def deeds(world: World, invoice_id: str) -> list[tuple[str, str]]:
    async with world.db() as db:
        rows = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    return [(row.action, row.actor) for row in rows]


async def in_stripe(world: World, invoice_id: str) -> Any:
    return await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)


async def test_a_one_off_is_made_finalized_and_collected_like_any_other(world: World) -> None:
    customer_id = await world.customer()
    lamp = NewLine("A lamp", price_id=await price(world), quantity=2)
    invoice_id = await make(
        world, customer_id, lamp, amount(-500, "Discount"), memo="Thank you", footer="VAT 7"
    )
    shown = await in_stripe(world, invoice_id)
    assert (shown.status, shown.total, shown.auto_advance) == ("open", 2500, False)
    assert (shown.description, shown.footer) == ("Thank you", "VAT 7")
    row = await mirrored(world, invoice_id)
    assert (row.status, row.amount_remaining_minor, row.stale) == ("open", 2500, False)
    assert row.number == shown.number
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    assert [charge["amount"] for charge in await world.charges()] == [2500]
    assert await deeds(world, invoice_id) == [("created", "api:shop"), ("finalized", "api:shop")]


async def test_asked_twice_under_one_id_it_is_made_once(world: World) -> None:
    customer_id = await world.customer()
    wanted = NewInvoice(customer_id, (amount(4900),), currency="EUR")
    first = await ask.make_invoice(asker(world, "op_1"), wanted)
    assert await ask.make_invoice(asker(world, "op_1"), wanted) == first
    listed = await world.means.stripe.client.v1.invoices.list_async({"customer": customer_id})
    assert len(listed.data) == 1


async def test_who_pays_by_cheque_becomes_known_and_is_never_charged(world: World) -> None:
    customer_id = await a_stranger(world)
    invoice_id = await make(world, customer_id, amount(4900))
    async with world.db() as db:
        assert await mirror.customer_is_known(db, SCOPE, customer_id)
        assert await mirror.payment_of_invoice(db, SCOPE, invoice_id) is None
    assert (await mirrored(world, invoice_id)).amount_remaining_minor == 4900
    assert await world.charges() == []


async def test_a_draft_is_changed_and_waits_until_it_is_finalized(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, finalize=False)
    await ask.add_item(asker(world), AskedItem(None, invoice_id, None, amount(4900)))
    changes = DraftChanges(days_until_due=7, memo="As agreed", number="2026-7")
    await ask.change_draft(asker(world), invoice_id, changes)
    row = await mirrored(world, invoice_id)
    assert (row.status, row.amount_due_minor, row.number) == ("draft", 4900, "2026-7")
    await world.advance(timedelta(days=2))
    assert await world.status(invoice_id) == "draft"
    await act(world, invoice_id, Step.FINALIZE)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.REPORTED
    with pytest.raises(StripeRefused, match="Finalized invoices"):
        await ask.change_draft(asker(world), invoice_id, changes)
    with pytest.raises(ConflictError, match="items go on drafts only"):
        await ask.add_item(asker(world), AskedItem(None, invoice_id, None, amount(1)))


async def test_items_wait_for_the_next_invoice_and_are_invoiced_now(world: World) -> None:
    customer_id = await world.customer()
    for minor in (4900, -900):
        item = AskedItem(customer_id, None, None, amount(minor), "EUR")
        made = await ask.add_item(asker(world), item)
        assert (made.made["amount_minor"], made.made["invoice_id"]) == (minor, None)
    invoice_id = await make(world, customer_id, include_pending=True)
    assert (await in_stripe(world, invoice_id)).total == 4000
    with pytest.raises(BadRequest) as refused:
        await make(world, customer_id, include_pending=True)
    assert refused.value.code == "nothing_to_invoice"
    assert await in_stripe(world, await make(world, customer_id, amount(7), currency="EUR"))


async def test_the_prorations_of_an_upgrade_are_invoiced_now(world: World) -> None:
    customer_id = await world.customer(None)
    v1 = world.means.stripe.client.v1
    small, big = [await monthly(world, minor) for minor in (1000, 2000)]
    subscription = await v1.subscriptions.create_async(
        {
            "customer": customer_id,
            "items": [{"price": small}],
            "collection_method": "send_invoice",
            "days_until_due": 30,
        }
    )
    item_id = subscription.to_dict()["items"]["data"][0]["id"]
    await v1.subscriptions.update_async(subscription.id, {"items": [{"id": item_id, "price": big}]})
    invoice_id = await make(world, customer_id, include_pending=True, currency=None)
    shown = await in_stripe(world, invoice_id)
    assert (shown.total, shown.parent, len(shown.lines.data)) == (1000, None, 2)


async def monthly(world: World, minor: int) -> str:
    product = await ask.make_product(asker(world), NewProduct("Plan"))
    wanted = NewPrice(product.made["id"], "EUR", minor, "month")
    return str((await ask.make_price(asker(world), wanted)).made["id"])


async def test_an_item_is_changed_and_taken_away_while_it_waits(world: World) -> None:
    customer_id = await world.customer()
    item = AskedItem(customer_id, None, None, amount(4900), "EUR")
    item_id = (await ask.add_item(asker(world), item)).made["id"]
    changed = await ask.change_item(asker(world), item_id, ItemChanges(amount_minor=1900))
    assert changed.made["amount_minor"] == 1900
    await ask.remove_item(asker(world), item_id)
    with pytest.raises(NotFoundError):
        await ask.remove_item(asker(world), item_id)


async def test_below_zero_goes_to_the_balance_and_the_answer_says_so(world: World) -> None:
    customer_id = await world.customer()
    made = await ask.make_invoice(asker(world), NewInvoice(customer_id, (amount(-500),), "EUR"))
    assert (made.made["total_minor"], await world.status(str(made.invoice_id))) == (-500, "paid")
    assert "5.00 EUR on the customer's balance" in made.made["note"]
    await make(world, customer_id, amount(4900))
    await world.work()
    assert [charge["amount"] for charge in await world.charges()] == [4400]


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"items": [amount(1)] * 251}, "too_many_items"),
        ({"items": []}, "nothing_to_invoice"),
        ({"items": [amount(150)], "currency": "ISK"}, "amount_invalid"),
        ({"items": [amount(1)], "currency": None}, "currency_missing"),
    ],
)
async def test_a_rule_that_is_broken_is_named_and_nothing_is_made(
    world: World, wanted: dict[str, Any], code: str
) -> None:
    customer_id = await a_stranger(world)
    with pytest.raises(BadRequest) as refused:
        await ask.make_invoice(
            asker(world), NewInvoice(**{"customer_id": customer_id, "currency": "EUR", **wanted})
        )
    assert refused.value.code == code
    assert not (await world.means.stripe.client.v1.invoices.list_async({})).data


async def test_another_currency_than_the_customers_is_refused(world: World) -> None:
    waits, billed = await world.customer(), await world.customer()
    await ask.add_item(asker(world), AskedItem(waits, None, None, amount(9), "EUR"))
    await make(world, billed, amount(4900))
    for customer_id in (waits, billed):
        with pytest.raises(BadRequest, match="billed in eur") as refused:
            await make(world, customer_id, amount(1), currency="USD")
        assert refused.value.code == "currency_differs"


async def test_what_stripe_refuses_is_taken_back_and_told_in_its_words(world: World) -> None:
    """A price of another currency; and an address without which there is no tax."""
    customer_id = await world.customer()
    item = AskedItem(customer_id, None, None, amount(900), "EUR")
    waits = (await ask.add_item(asker(world), item)).made["id"]
    dollars = NewLine(None, price_id=await price(world, currency="USD"))
    with pytest.raises(StripeRefused, match="usd"):
        await make(world, customer_id, dollars, include_pending=True)
    with pytest.raises(StripeRefused, match="location"):
        await make(world, customer_id, amount(4900), automatic_tax=True, include_pending=True)
    assert not (await world.means.stripe.client.v1.invoices.list_async({})).data
    left, _ = await world.means.stripe.list_items(customer_id=customer_id)
    assert [(item.id, item.invoice_id) for item in left] == [(waits, None)]


async def test_the_251st_item_on_a_draft_is_refused(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, *[amount(1)] * 250, finalize=False)
    with pytest.raises(BadRequest, match="it has 250"):
        await ask.add_item(asker(world), AskedItem(None, invoice_id, None, amount(1)))
    assert (await in_stripe(world, invoice_id)).total == 250


async def test_voided_before_a_charge_the_payment_ends_at_once(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await make(world, customer_id, amount(4900))
    await world.work()
    assert (await world.payment(invoice_id)).reason is Reason.RETRY
    await act(world, invoice_id, Step.VOID)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)
    assert (await mirrored(world, invoice_id)).status == "void"
    assert (await deeds(world, invoice_id))[-1] == ("voided", "api:shop")


async def test_written_off_then_voided(world: World) -> None:
    customer_id = await world.customer("card_declined")
    invoice_id = await make(world, customer_id, amount(4900))
    await world.work()
    await act(world, invoice_id, Step.MARK_UNCOLLECTIBLE)
    payment = await world.payment(invoice_id)
    assert (payment.state, payment.reason) == (State.EXHAUSTED, Reason.UNCOLLECTIBLE)
    await act(world, invoice_id, Step.VOID)
    assert (await world.payment(invoice_id)).reason is Reason.INVOICE_VOID


@pytest.mark.parametrize("deed", [Step.VOID, Step.MARK_UNCOLLECTIBLE])
async def test_while_a_charge_is_out_it_stays_as_it_is(world: World, deed: Step) -> None:
    customer_id = await world.customer("debit_ok")
    invoice_id = await make(world, customer_id, amount(4900))
    await world.work()
    assert (await world.payment(invoice_id)).state is State.PENDING
    with pytest.raises(ConflictError) as refused:
        await act(world, invoice_id, deed)
    assert refused.value.code == "charge_out"
    assert await world.status(invoice_id) == "open"


async def test_while_money_waits_for_its_report_it_stays_as_it_is(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, amount(4900))
    await world.break_stripe("/pay", "reset_before", times=9)
    await world.work()
    assert (await world.payment(invoice_id)).state is State.COLLECTED
    with pytest.raises(ConflictError) as refused:
        await act(world, invoice_id, Step.VOID)
    assert refused.value.code == "being_reported"


async def test_while_a_worker_holds_the_payment_nothing_is_begun(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, amount(4900))
    async with world.db() as db:
        assert await work.hold(db, PAYMENTS, SCOPE, payment_id(SCOPE, invoice_id))
    with pytest.raises(ConflictError) as refused:
        await act(world, invoice_id, Step.VOID)
    assert refused.value.code == "payment_busy"
    assert await world.status(invoice_id) == "open"


async def test_a_request_that_was_refused_makes_nobody_known(world: World) -> None:
    customer_id = await a_stranger(world)
    with pytest.raises(BadRequest):
        await make(world, customer_id, amount(150), currency="ISK")
    async with world.db() as db:
        assert not await mirror.customer_is_known(db, SCOPE, customer_id)


async def test_a_paid_invoice_is_not_voided_says_stripe(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, amount(4900))
    await world.work()
    with pytest.raises(StripeRefused):
        await act(world, invoice_id, Step.VOID)
    assert (await world.payment(invoice_id)).state is State.REPORTED


async def test_a_deleted_draft_takes_its_own_items_along_and_no_others(world: World) -> None:
    customer_id = await world.customer()
    item = AskedItem(customer_id, None, None, amount(900), "EUR")
    waits = (await ask.add_item(asker(world), item)).made["id"]
    invoice_id = await make(world, customer_id, amount(4900), include_pending=True, finalize=False)
    await act(world, invoice_id, Step.DELETE)
    assert (await mirrored(world, invoice_id)).status == "deleted"
    left, _ = await world.means.stripe.list_items(customer_id=customer_id)
    assert [(item.id, item.invoice_id) for item in left] == [(waits, None)]


async def test_an_open_invoice_is_not_deleted(world: World) -> None:
    customer_id = await world.customer()
    invoice_id = await make(world, customer_id, amount(4900))
    with pytest.raises(ConflictError) as refused:
        await act(world, invoice_id, Step.DELETE)
    assert refused.value.code == "invoice_not_a_draft"


async def test_an_invoice_of_the_dashboard_is_acted_on_too(world: World) -> None:
    customer_id = await a_stranger(world)
    invoice_id = await world.invoice(customer_id)
    await act(world, invoice_id, Step.VOID)
    assert await world.status(invoice_id) == "void"
    assert (await mirrored(world, invoice_id)).status == "void"


async def test_what_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError):
        await act(world, "in_nothing", Step.VOID)
    with pytest.raises(NotFoundError):
        await make(world, "cus_nothing", amount(1))
    async with world.db() as db:
        assert (await db.execute(select(customers))).all() == []


async def test_numbers_begin_with_the_customers_prefix(world: World) -> None:
    customer_id = await world.customer()
    await ask.set_prefix(asker(world), customer_id, "ACME")
    invoice_id = await make(world, customer_id, amount(4900))
    assert (await mirrored(world, invoice_id)).number == "ACME-0001"
    with pytest.raises(StripeRefused, match="already used"):
        await ask.set_prefix(asker(world), await world.customer(), "ACME")
