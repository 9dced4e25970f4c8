"""A subscription that is switched: set up, asked for, and what the two sides' books say of it."""

from dataclasses import replace
from typing import Any

from tests.flows.signing_up import price, work
from tests.flows.world import PROCESSOR_KEY, SCOPE, World
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.switching import OpenInvoices, To
from twintill.flows import invoices, switches
from twintill.flows import operations as flow
from twintill.flows.switches import SwitchRequest
from twintill.ids import new_id
from twintill.processors.sandbox import SandboxProcessor
from twintill.store import mirror, operations
from twintill.store.operations import Operation
from twintill.store.subscription_history import Told
from twintill.stripe_billing.shapes import InvoiceShape

OTHER_ACCOUNT = "acct_other"


async def subscription(world: World, customer_id: str, **terms: Any) -> str:
    """A monthly one, as Stripe has it; its first invoice is a draft where it is sent."""
    asked: Any = {"collection_method": "send_invoice", "days_until_due": 30, **terms}
    asked |= {"customer": customer_id, "items": [{"price": await price(world)}]}
    made = await world.means.stripe.client.v1.subscriptions.create_async(asked)
    async with world.db() as db:
        await mirror.add_customer(db, SCOPE, customer_id)
        await mirror.saw_subscription(
            db,
            SCOPE,
            subscription_id=made.id,
            customer_id=customer_id,
            status=made.status,
            collection_method=made.collection_method,
            by=Told("test"),
        )
    return str(made.id)


async def latest(world: World, subscription_id: str) -> str:
    return str((await world.means.stripe.read_subscription(subscription_id)).latest_invoice_id)


async def open_invoice(world: World, subscription_id: str) -> str:
    """Its latest one, finalized, and seen as by its event; nobody has looked at it yet."""
    invoice_id = await latest(world, subscription_id)
    if await world.status(invoice_id) == "draft":
        await world.means.stripe.finalize(invoice_id, f"finalize-{invoice_id}")
    await arrive(world, invoice_id)
    return invoice_id


async def arrive(world: World, invoice_id: str) -> None:
    """Its event, as intake takes it."""
    raw = await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)
    shape = InvoiceShape.model_validate(raw.to_dict(for_json=True))
    async with world.db() as db:
        status = InvoiceStatus(str(shape.status))
        await invoices.saw_invoice(
            db, world.means, SCOPE, shape, status, what=f"invoice.{status}", actor="evt_test"
        )


async def card(world: World, customer_id: str, method_id: str = "pm_1Card") -> str:
    """A payment method at Stripe; what its name says becomes of it (see the sandbox)."""
    v1 = world.means.stripe.client.v1
    await v1.payment_methods.attach_async(
        await _named(world, customer_id, method_id), {"customer": customer_id}
    )
    return method_id


async def _named(world: World, customer_id: str, method_id: str) -> str:
    """The sandbox remembers a method when somebody names it."""
    await world.means.stripe.client.v1.customers.update_async(
        customer_id, {"invoice_settings": {"default_payment_method": method_id}}
    )
    await world.means.stripe.client.v1.customers.update_async(
        customer_id, {"invoice_settings": {"default_payment_method": ""}}
    )
    return method_id


def to_stripe(subscription_id: str, method_id: str, open_invoices: str = "finish") -> SwitchRequest:
    return SwitchRequest(subscription_id, To.STRIPE, OpenInvoices(open_invoices), method_id)


def to_processor(
    subscription_id: str, method_id: str | None, open_invoices: str = "leave", **more: Any
) -> SwitchRequest:
    choice = OpenInvoices(open_invoices)
    return SwitchRequest(subscription_id, To.PROCESSOR, choice, method_id, **more)


async def begin(world: World, request: SwitchRequest) -> str:
    """Asked for, and nothing done yet."""
    switch_id = new_id("swi")
    await switches.begin(world.means, SCOPE, switch_id, request)
    return switch_id


async def switch(world: World, request: SwitchRequest) -> Operation:
    """As the door does it, and then whatever is due."""
    switch_id = await begin(world, request)
    await flow.drive(world.means, SCOPE, switch_id)
    await work(world)
    return await read(world, switch_id)


async def read(world: World, switch_id: str) -> Operation:
    async with world.db() as db:
        return await operations.read(db, SCOPE, switch_id)


def with_other_processor(world: World) -> World:
    """A second account at the same processor, configured under another name."""
    url = str(world.processor.base_url)
    other = SandboxProcessor(url, PROCESSOR_KEY, ("whsec_1",), OTHER_ACCOUNT, world.processor)
    means = replace(world.means, processors={**world.means.processors, "other": other})
    return replace(world, means=means)


async def stripes_charges(world: World, invoice_id: str) -> list[dict[str, Any]]:
    """Each time that Stripe was asked to charge this invoice with a method of its own."""
    calls = (await world.stripe.get("/_sandbox/requests")).json()["data"]
    path = f"/v1/invoices/{invoice_id}/pay"
    return [c for c in calls if c["path"] == path and "payment_method" in c["params"]]
