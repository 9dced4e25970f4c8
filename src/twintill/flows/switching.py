"""The steps that every switch has: the method, the subscription, its drafts, and the end.

Each changes one thing in Stripe to a value, so that repeating it after a crash changes nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.decision import ended
from twintill.domain.event_types import SWITCH_FAILED, SWITCHED
from twintill.domain.facts import MethodAdded
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.payment import Reason, State
from twintill.domain.switching import (
    KIND,
    Did,
    OpenInvoices,
    Step,
    SwitchState,
    To,
    first_step,
    next_invoice,
)
from twintill.domain.tax import KIND as TAX
from twintill.errors import StripeRefused
from twintill.flows import drop_tokens, invoices, methods, removing
from twintill.flows.learn import learn_within
from twintill.flows.methods import ReplaceRequest
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope, derived_id
from twintill.store import checkouts, mirror, outgoing, payments
from twintill.store import methods as stored
from twintill.store.checkouts import Checkout, CheckoutState
from twintill.store.subscription_history import Told
from twintill.store.work import NO_LANE
from twintill.stripe_billing.subscriptions import SubscriptionLook
from twintill.stripe_billing.switching import SubscriptionInvoice, is_gone

_BESIDE = timedelta(seconds=5)
_LOOK_AGAIN = timedelta(hours=1)  # the end of its page rings before that


def page_id(scope: Scope, switch_id: str) -> str:
    """The operation behind the page of a switch, where the customer chooses a method."""
    return derived_id("op", scope, KIND, switch_id)


def direction(operating: Operating) -> To:
    return To(operating.data["asked"]["to"])


async def choose_method(operating: Operating) -> Operating | None:
    """The method that is to be charged from now on becomes the default, and is tried at once.

    A payment with an attempt out at the former processor goes on there until that has its end.
    """
    method_id = operating.data["asked"]["payment_method_id"]
    if method_id is None:
        its = await _page(operating)
        if its.state is CheckoutState.EXPIRED:
            await fail(operating, "The customer chose no payment method in time.")
            return None
        if its.state is not CheckoutState.COMPLETE:
            await operating.pause(_LOOK_AGAIN)
            return None
        method_id = str(its.payment_method_id)
    async with operating.means.database.begin() as db:
        method = await stored.make_default(db, operating.scope, method_id)
        if method is None:
            why = f"{method_id} was removed, or revoked at its processor."
            await end(db, operating, Step.FAILED, why=why)
            return None
        for payment_id in await stored.payments_it_may_help(
            db, operating.scope, method.customer_id
        ):
            added = MethodAdded(method_id)
            await learn_within(db, operating.means, operating.scope, payment_id, added)
        return await operating.moved(db, Step.SUBSCRIPTION, payment_method_id=method_id)


async def change_subscription(operating: Operating) -> Operating | None:
    """From here on new invoices are the new side's; refused, and nothing was changed."""
    operating = await operating.with_good_key()
    stripe, subscription_id = operating.means.stripe, operating.data["subscription_id"]
    try:
        look = await _change(operating)
    except StripeRefused as refused:
        try:
            look = await stripe.read_subscription(subscription_id)
        except StripeRefused as gone:
            if not is_gone(gone):
                raise
            await fail(operating, f"{subscription_id} is gone.")
            return None
        if look.collection_method != direction(operating).collection_method or look.ended:
            await fail(operating, str(refused), code=refused.code)
            return None
    async with operating.means.database.begin() as db:
        await _mirror(db, operating, look)
        return await operating.moved(db, Step.LIST)


async def list_invoices(operating: Operating) -> Operating | None:
    """Its drafts and open invoices that the former side collects; until there is none left."""
    to = direction(operating)
    found = await operating.means.stripe.list_unfinished(
        operating.data["subscription_id"], to.former_collection_method
    )
    entries = dict(operating.data["invoices"])
    async with operating.means.database.begin() as db:
        for one in found:
            before = entries.get(one.invoice.id, {})
            if "did" not in before:
                seen = await _see(db, operating, one)
                entries[one.invoice.id] = {**before, **seen}
        if next_invoice(entries) is not None:
            return await go_on(db, operating, entries)
        there = Step.FINISH if to is To.STRIPE else Step.FORGET
        return await operating.moved(db, there, invoices=entries, at=None)


async def change_draft(operating: Operating) -> Operating | None:
    """One that is finalized meanwhile stays what it is, and counts as an open one."""
    if await operating.is_beside(TAX):  # it finalizes drafts
        await operating.pause(_BESIDE)
        return None
    operating = await operating.with_good_key()
    stripe, invoice_id, to = operating.means.stripe, operating.data["at"], direction(operating)
    key = f"{operating.key}:{invoice_id}"
    try:
        if to is To.STRIPE:
            look = await stripe.draft_for_stripe(invoice_id, key)
        else:
            days = operating.data["asked"]["days_until_due"]
            look = await stripe.draft_to_send(invoice_id, days, key)
    except StripeRefused as refused:
        if is_gone(refused):
            return await done(operating, Did.CLOSED)
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.DRAFT:
            raise
    if look.collection_method == to.collection_method:
        return await done(operating, Did.CHANGED, look=look)
    if look.status is not InvoiceStatus.OPEN:
        return await done(operating, Did.CLOSED, look=look)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.LIST)


async def forget_default(operating: Operating) -> Operating | None:
    """Stripe keeps no method for the subscription; what it still collects has one of its own."""
    if operating.data["was"]["collection_method"] == To.STRIPE.collection_method:
        operating = await operating.with_good_key()
        try:
            await operating.means.stripe.forget_default_method(
                operating.data["subscription_id"], operating.key
            )
        except StripeRefused as refused:
            if not is_gone(refused) and not await _has_ended(operating):
                raise
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.WRITE_METHOD)


async def write_method(operating: Operating) -> Operating | None:
    """The processor's ids into the customer's metadata, as Stripe's guide asks."""
    async with operating.means.database.connect() as db:
        method = await stored.read(db, operating.scope, operating.data["payment_method_id"])
    if method.status == "active":
        token = stored.open_token(operating.means.vault, operating.scope, method)
        await operating.means.stripe.write_method_ids(
            method.customer_id, method.processor_customer_id, token
        )
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.FINISH)


async def finish(operating: Operating) -> Operating | None:
    """What is not needed any more goes, each in an operation of its own that waits for its time."""
    scope, customer_id = operating.scope, str(operating.operation.customer_id)
    async with operating.means.database.begin() as db:
        if direction(operating) is To.STRIPE:
            await drop_tokens.ask(db, scope, customer_id)
        else:
            await _former_processors_go(db, operating, customer_id)
        await end(db, operating, Step.DONE)
    return None


async def go_on(db: AsyncConnection, operating: Operating, entries: Mapping[str, Any]) -> Operating:
    """With the next invoice; after the last one the list is read once more."""
    following = next_invoice(entries)
    if following is None:
        return await operating.moved(db, Step.LIST, invoices=entries, at=None)
    choice = OpenInvoices(operating.data["asked"]["open_invoices"])
    step = first_step(str(entries[following]["status"]), choice)
    return await operating.moved(db, step, invoices=entries, at=following)


async def done(
    operating: Operating, did: Did, *, look: InvoiceLook | None = None, **more: Any
) -> Operating:
    """With this invoice; a transaction of its own."""
    async with operating.means.database.begin() as db:
        if look is not None:
            await mirror.saw_look(db, operating.scope, look)
        return await go_on(db, operating, with_entry(operating, did=did.value, **more))


def with_entry(operating: Operating, **changes: Any) -> dict[str, Any]:
    """All invoices, with these changes to the one that it is at."""
    entries, at = operating.data["invoices"], operating.data["at"]
    return {**entries, at: {**entries[at], **changes}}


async def fail(operating: Operating, why: str, *, code: str | None = None) -> None:
    async with operating.means.database.begin() as db:
        await end(db, operating, Step.FAILED, why=why, code=code)


async def end(
    db: AsyncConnection,
    operating: Operating,
    step: Step,
    *,
    why: str | None = None,
    code: str | None = None,
) -> None:
    """The last step, and the one event that tells it, in the caller's transaction."""
    await operating.end(db, step, failed_why=why, failed_code=code)
    if operating.means.tells_app and step is not Step.UNDONE:
        state = SwitchState.DONE if step is Step.DONE else SwitchState.FAILED
        event = SWITCHED if step is Step.DONE else SWITCH_FAILED
        told = {
            "id": operating.id,
            "object": "switch",
            "state": state.value,
            "to": operating.data["asked"]["to"],
            "customer": operating.operation.customer_id,
            "subscription": operating.data["subscription_id"],
            "seen_in_stripe": operating.data["asked"].get("seen", False),
            "why": why,
        }
        await outgoing.add(db, operating.scope, event, operating.id, told)


async def _page(operating: Operating) -> Checkout:
    """Opened once, however often this is walked."""
    asked, scope = operating.data["asked"], operating.scope
    operation_id = page_id(scope, operating.id)
    async with operating.means.database.connect() as db:
        its = await checkouts.of_operation(db, scope, operation_id)
    if its is not None:
        return its
    customer_id, url = str(operating.operation.customer_id), asked["return_url"]
    replacing = ReplaceRequest(customer_id, asked["processor"], url, url)
    return await methods.replace(operating.means, scope, operation_id, replacing)


async def _change(operating: Operating) -> SubscriptionLook:
    asked, stripe = operating.data["asked"], operating.means.stripe
    subscription_id = operating.data["subscription_id"]
    if direction(operating) is To.STRIPE:
        method_id = asked["payment_method_id"]
        return await stripe.collect_by_stripe(subscription_id, method_id, operating.key)
    if operating.data["was"]["collection_method"] == To.PROCESSOR.collection_method:
        return await stripe.read_subscription(subscription_id)  # only the processor changes
    days = asked["days_until_due"]
    return await stripe.collect_by_invoice(subscription_id, days, operating.key)


async def _mirror(db: AsyncConnection, operating: Operating, look: SubscriptionLook) -> None:
    await mirror.saw_subscription(
        db,
        operating.scope,
        subscription_id=look.id,
        customer_id=str(operating.operation.customer_id),
        status=look.status,
        collection_method=look.collection_method or "unknown",
        by=Told(operating.id),
    )


async def _see(
    db: AsyncConnection, operating: Operating, one: SubscriptionInvoice
) -> dict[str, Any]:
    """What is known of it; an open one of ours that has no payment yet gets one.

    One that its customer pays by wire gets one, too, that is handed over already: whatever shows
    it later must find it so.
    """
    invoice, scope = one.invoice, operating.scope
    entry: dict[str, Any] = {"status": invoice.status, "pinned": one.default_payment_method_id}
    if direction(operating) is not To.STRIPE or invoice.status != InvoiceStatus.OPEN:
        return entry
    await invoices.saw_invoice(
        db,
        operating.means,
        scope,
        invoice,
        InvoiceStatus.OPEN,
        what=operating.operation.kind,
        actor=operating.id,
    )
    entry["ours"] = await mirror.payment_of_invoice(db, scope, invoice.id) is not None
    if operating.data["asked"]["open_invoices"] == OpenInvoices.FINISH:
        entry["did"] = (Did.WITH_US if entry["ours"] else Did.NOT_OURS).value
    elif not entry["ours"]:
        made = invoices.new_payment(
            scope, invoice, str(operating.operation.customer_id), operating.now
        )
        handed = ended(made, State.CANCELED, Reason.HANDED_TO_STRIPE)
        await payments.add(db, scope, handed, NO_LANE, operating.now)
    return entry


async def _has_ended(operating: Operating) -> bool:
    look = await operating.means.stripe.read_subscription(operating.data["subscription_id"])
    return look.ended


async def _former_processors_go(
    db: AsyncConnection, operating: Operating, customer_id: str
) -> None:
    """Tokens at other processors: out of use at once, dropped when nothing of theirs is out."""
    now = await stored.read(db, operating.scope, operating.data["payment_method_id"])
    if now.status != "active":
        return
    for method in await stored.list_of_customer(db, operating.scope, customer_id):
        elsewhere = method.processor_account_id != now.processor_account_id
        if elsewhere and method.status != "removing":
            await stored.mark_removing(db, operating.scope, method.id)
            await removing.ask(db, operating.scope, customer_id, method.id)


STEPS: Mapping[str, Walk] = {
    Step.METHOD: choose_method,
    Step.SUBSCRIPTION: change_subscription,
    Step.LIST: list_invoices,
    Step.DRAFT: change_draft,
    Step.FORGET: forget_default,
    Step.WRITE_METHOD: write_method,
    Step.FINISH: finish,
}
