"""What somebody asks to be invoiced, for the crash tests: begun, and its right end."""

from dataclasses import asdict
from typing import Any

from tests.flows.world import SCOPE, World
from twintill.domain.invoicing import KIND, Step
from twintill.domain.payment import Reason, State
from twintill.ids import new_id, payment_id
from twintill.store import invoice_actions, operations, payments
from twintill.store.operations import Operation
from twintill.stripe_billing.catalog import NewPrice, NewProduct
from twintill.stripe_billing.invoice_items import NewItem
from twintill.stripe_billing.invoicing import NewLine


async def make(world: World) -> str:
    return await _begin(world, Step.MAKE, await _invoice(world))


async def made_once(world: World, ended: Operation) -> None:
    """One invoice with its one line, collected once; each deed is noted once."""
    assert ended.step == Step.DONE
    (invoice,) = await _invoices(world)
    assert (invoice.id, invoice.total, len(invoice.lines.data)) == (
        ended.data["invoice_id"],
        4900,
        1,
    )
    await world.work()
    assert [charge["amount"] for charge in await world.charges()] == [4900]
    async with world.db() as db:
        rows = await invoice_actions.of_invoice(db, SCOPE, invoice.id)
    assert [row.action for row in rows] == ["created", "finalized"]


async def make_what_is_refused(world: World) -> str:
    """Without an address there is no tax: Stripe refuses to finalize it."""
    return await _begin(world, Step.MAKE, {**await _invoice(world), "automatic_tax": True})


async def nothing_is_left(world: World, ended: Operation) -> None:
    assert ended.step == Step.FAILED
    assert ended.data["failed"]["code"] == "customer_tax_location_invalid"
    assert await _invoices(world) == []
    items = await world.means.stripe.client.v1.invoice_items.list_async({})
    assert items.data == []


async def void_while_it_waits(world: World) -> str:
    customer_id = await world.customer("card_declined")
    invoice_id = await world.collect(customer_id)
    asked = {"customer_id": customer_id}
    return await _begin(world, Step.VOID, asked, invoice_id=invoice_id)


async def voided_once(world: World, ended: Operation) -> None:
    assert await world.status(ended.data["invoice_id"]) == "void"
    async with world.db() as db:
        its = payment_id(SCOPE, ended.data["invoice_id"])
        payment = await payments.read(db, SCOPE, its)
    assert (payment.state, payment.reason) == (State.CANCELED, Reason.INVOICE_VOID)


async def add_an_item(world: World) -> str:
    item = NewItem(await world.customer(None), "EUR", amount_minor=900, description="Setup")
    return await _begin(
        world, Step.ADD_ITEM, {"customer_id": item.customer_id, "item": asdict(item)}
    )


async def one_item_waits(world: World, ended: Operation) -> None:
    (item,) = (await world.means.stripe.client.v1.invoice_items.list_async({})).data
    assert (item.id, item.amount, item.invoice) == (ended.data["made"]["id"], 900, None)


async def make_a_product(world: World) -> str:
    return await _begin(world, Step.PRODUCT, {"product": asdict(NewProduct("Lamp"))})


async def one_product(world: World, ended: Operation) -> None:
    (product,) = (await world.means.stripe.client.v1.products.list_async({})).data
    assert product.id == ended.data["made"]["id"]


async def make_a_price(world: World) -> str:
    product = await world.means.stripe.create_product(NewProduct("Lamp"), "op_x", "key_x")
    return await _begin(world, Step.PRICE, {"price": asdict(NewPrice(product.id, "EUR", 1500))})


async def one_price(world: World, ended: Operation) -> None:
    (price,) = (await world.means.stripe.client.v1.prices.list_async({})).data
    assert price.id == ended.data["made"]["id"]


async def _invoice(world: World) -> dict[str, Any]:
    return {
        "customer_id": await world.customer(),
        "currency": "EUR",
        "items": [asdict(NewLine("Setup", amount_minor=4900))],
        "days_until_due": 30,
        "due_at": None,
        "memo": None,
        "footer": None,
        "number": None,
        "automatic_tax": False,
        "include_pending": False,
        "finalize": True,
    }


async def _invoices(world: World) -> Any:
    return (await world.means.stripe.client.v1.invoices.list_async({})).data


async def _begin(world: World, deed: Step, asked: dict[str, Any], **found: Any) -> str:
    operation_id = new_id("op")
    async with world.db() as db:
        await operations.add(
            db,
            SCOPE,
            operation_id=operation_id,
            kind=KIND,
            customer_id=asked.get("customer_id"),
            step=deed,
            data={"asked": {**asked, "deed": deed, "by": "api:shop", "why": None}, **found},
            ring=False,
        )
    return operation_id
