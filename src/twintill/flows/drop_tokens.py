"""Dropping tokens: when a customer's last subscription has ended, his payment methods go.

    check -> revoke -> clear -> dropped (or: kept)

As Stripe's guide asks: out of the metadata and the database; and at the processor as well. The
event of the last invoice may still be on its way: what Stripe lists as open is collected first.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused
from twintill.flows import invoices, removing
from twintill.flows.operating import Operating
from twintill.ids import Scope, derived_id
from twintill.store import methods, mirror, operations, switches

KIND = "drop_tokens"
_WAIT = timedelta(hours=6)  # a payment that ends rings before that
_SOON = timedelta(minutes=10)
_GONE = "resource_missing"


async def ask(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """In the caller's transaction: a subscription of this customer has ended."""
    operation_id = derived_id("op", scope, KIND, customer_id)
    new = await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind=KIND,
        customer_id=customer_id,
        step="check",
        data={},
    )
    if not new:
        await operations.ask_again(db, scope, operation_id, first="check")


async def check(operating: Operating) -> Operating | None:
    """Not while a subscription needs them, nor while money is on its way."""
    customer_id = str(operating.operation.customer_id)
    if await _is_needed(operating, customer_id):
        return await operating.end_or_again("kept", "check")
    more_is_to_come = await _take_up_last_invoices(operating, customer_id)
    async with operating.means.database.connect() as db:
        busy = await mirror.open_payments_of(db, operating.scope, customer_id)
        found = await methods.list_of_customer(db, operating.scope, customer_id)
    if busy or more_is_to_come:
        await operating.pause(_WAIT)
        return None
    if not await _put_out_of_use(operating, customer_id, [method.id for method in found]):
        await operating.pause(_SOON)
        return None
    held = [await removing.hold(operating, method) for method in found]
    if not all(held):
        await operating.pause(_WAIT)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "revoke", methods=[method.id for method in found])


async def revoke(operating: Operating) -> Operating | None:
    for method_id in operating.data["methods"]:
        async with operating.means.database.connect() as db:
            method = await methods.read(db, operating.scope, method_id)
        await removing.revoke_there(operating, method)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "clear")


async def clear(operating: Operating) -> Operating | None:
    customer_id = str(operating.operation.customer_id)
    try:
        if operating.data["methods"]:
            await operating.means.stripe.clear_method_ids(customer_id)
    except StripeRefused as refused:
        if refused.code != _GONE:  # the customer was deleted, and the metadata with him
            raise
    async with operating.means.database.begin() as db:
        for method_id in operating.data["methods"]:
            await methods.mark_removed(db, operating.scope, method_id)
    return await operating.end_or_again("dropped", "check")


async def _is_needed(operating: Operating, customer_id: str) -> bool:
    """Stripe is asked, not the mirror: a subscription may have begun a moment ago."""
    try:
        live = await operating.means.stripe.list_live_subscriptions(customer_id)
    except StripeRefused as refused:
        if refused.code != _GONE:
            raise
        return False
    return any(one.collection_method == "send_invoice" for one in live)


async def _put_out_of_use(operating: Operating, customer_id: str, method_ids: list[str]) -> bool:
    """False when a switch to a processor may need one of them, whatever Stripe said before.

    Either it sees that they go, or we see it: both hold the customer.
    """
    async with operating.means.database.begin() as db:
        await switches.lock_customer(db, operating.scope, customer_id)
        if await switches.to_a_processor_since(db, operating.scope, customer_id, operating.now):
            return False
        for method_id in method_ids:
            await methods.mark_removing(db, operating.scope, method_id)
    return True


async def _take_up_last_invoices(operating: Operating, customer_id: str) -> bool:
    """A payment for each open one that is ours; whether a draft will become another.

    Asked before the methods are held: without a method, nobody would know that it is ours.
    """
    means, scope = operating.means, operating.scope
    try:
        found = await means.stripe.list_unsettled_invoices(customer_id)
    except StripeRefused as refused:
        if refused.code != _GONE:
            raise
        return False
    for invoice in found:
        if invoice.known_status is InvoiceStatus.OPEN:
            async with means.database.begin() as db:
                await invoices.saw_invoice(
                    db, means, scope, invoice, InvoiceStatus.OPEN, what=KIND, actor=KIND
                )
    # Stripe leaves other drafts alone, and so may they lie for ever.
    return any(i.known_status is InvoiceStatus.DRAFT and i.auto_advance for i in found)


STEPS = {"check": check, "revoke": revoke, "clear": clear}
