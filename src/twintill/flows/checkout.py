"""The checkout: the customer chooses a method, sees the final amount, agrees; then it is collected.

These are steps of an operation, walked by whoever holds it, so a browser that never comes back,
comes back twice or too late changes nothing. What doors call is in `setups` and `consent`.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.facts import (
    AmountAgreed,
    CheckoutExpired,
    MethodAdded,
)
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.domain.payment import Payment, Reason, State
from twintill.domain.signup import Step, is_agreed
from twintill.domain.switching import KIND as SWITCH
from twintill.errors import ConflictError, ProcessorRefused, StripeRefused
from twintill.flows import removing, setups, tax
from twintill.flows.consequences import REVOKED
from twintill.flows.learn import learn_within
from twintill.flows.operating import Operating
from twintill.processors import SetupResult, SetupStatus
from twintill.store import checkouts, methods, mirror, operations
from twintill.store.checkouts import NEXT_SETUP, Checkout, CheckoutState, Purpose
from twintill.store.methods import NewMethod

METHOD_DONE = "done"
# Stripe cannot compute the tax without a better address.
ADDRESS_CODES = frozenset(("customer_tax_location_invalid",))
_LOOK_SOON, _LOOK_LATE = timedelta(seconds=30), timedelta(hours=1)
_A_DAY = timedelta(days=1)


async def await_customer(operating: Operating) -> Operating | None:
    """The customer's turn: see what he did on our page and at the processor, or call it off."""
    its = await read_its(operating)
    match its.state:
        case CheckoutState.EXPIRED:
            return await _go(operating, Step.DROP_SETUP)
        case CheckoutState.COMPLETE:
            return await _go(operating, Step.COLLECT)
        case CheckoutState.COMPLETING:
            return await _go(operating, Step.WRITE_METHOD)
        case CheckoutState.OPEN if its.payment_method_id is not None and its.problem is None:
            return await _take_address(operating, its)
    if its.state is CheckoutState.OPEN:
        done = await _done_at_processor(operating, its)
        if done is not None:
            return await _take(operating, its, done)
    if operating.now >= its.expires_at:
        return await _expire(operating, its)
    wait = _until_next_look(operating, its.setup_session_id)
    await operating.pause(min(its.expires_at - operating.now, wait))
    return None


async def write_method(operating: Operating) -> Operating | None:
    """The processor's ids into the customer's metadata, as Stripe's guide asks."""
    its, scope = await read_its(operating), operating.scope
    async with operating.means.database.connect() as db:
        method = await methods.read(db, scope, str(its.payment_method_id))
    if method.status == "active":
        token = methods.open_token(operating.means.vault, scope, method)
        await operating.means.stripe.write_method_ids(
            its.customer_id, method.processor_customer_id, token
        )
    if its.purpose is Purpose.METHOD:
        async with operating.means.database.begin() as db:
            await operating.end(db, METHOD_DONE)
            await operations.ring_of_customer(db, scope, its.customer_id, SWITCH)
        return None
    agreed = its.state is CheckoutState.COMPLETE
    return await _go(operating, Step.COLLECT if agreed else Step.FINALIZE)


async def finalize(operating: Operating) -> Operating | None:
    """Without waiting for the hour; what Stripe then asks for is the final amount."""
    its = await read_its(operating)
    stripe, invoice_id = operating.means.stripe, str(its.invoice_id)
    try:
        look = await stripe.finalize(invoice_id, operating.key)
    except StripeRefused as refused:
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.DRAFT:
            if refused.code not in ADDRESS_CODES:
                raise
            return await _ask_for_address(operating, its)
    return await _compare(operating, its, look)


async def help_to_pay(operating: Operating, its: Checkout, payment: Payment) -> Operating | None:
    """The payment is not there yet: ask again for a yes, or take another method."""
    if payment.state is State.WAITING and payment.reason is Reason.CONSENT:
        look = await operating.means.stripe.read_invoice(payment.invoice_id)
        return await _compare(operating, its, look)
    done = await _done_at_processor(operating, its)
    if done is not None:
        return await _take(operating, its, done)
    await operating.pause(_until_next_look(operating, its.setup_session_id))
    return None


async def read_its(operating: Operating) -> Checkout:
    async with operating.means.database.connect() as db:
        return await checkouts.read(db, operating.scope, operating.data["checkout_id"])


def _until_next_look(operating: Operating, setup_session_id: str | None) -> timedelta:
    """While a set-up is out, look after the customer who may not come back; ever more rarely."""
    if setup_session_id is None:
        return _A_DAY
    age = operating.now - operating.operation.created_at
    return max(_LOOK_SOON, min(_LOOK_LATE, age / 4))


async def _done_at_processor(operating: Operating, its: Checkout) -> SetupResult | None:
    """The result of a set-up that is complete there; one that is closed is forgotten."""
    if its.setup_session_id is None:
        return None
    try:
        result = await operating.means.processor(its.processor).get_setup(its.setup_session_id)
    except ProcessorRefused as refused:
        if refused.code != "not_found":
            raise
        result = SetupResult(SetupStatus.EXPIRED)
    if result.status is SetupStatus.COMPLETE:
        return result
    if result.status is not SetupStatus.OPEN:
        await setups.forget(operating.means, operating.scope, its, problem="setup_closed")
    return None


async def _take(operating: Operating, its: Checkout, done: SetupResult) -> Operating:
    """Store the method; a set-up that belongs to another customer counts as none."""
    try:
        return await _store(operating, its, done)
    except ConflictError:
        await setups.forget(operating.means, operating.scope, its, problem="setup_closed")
        return await _go(operating, operating.operation.step)


async def _store(operating: Operating, its: Checkout, done: SetupResult) -> Operating:
    """The method is the customer's default from here on. Locks: checkout, method, payment."""
    new = _new_method(operating, its, done)
    async with operating.means.database.begin() as db:
        now = await checkouts.lock(db, operating.scope, its.id)
        if (now.state, now.setup_session_id) != (its.state, its.setup_session_id):
            return await operating.moved(db, operating.operation.step)
        method_id = await methods.add(db, operating.means.vault, operating.scope, new)
        changes = {**NEXT_SETUP, "payment_method_id": method_id, "problem": None}
        if now.state is CheckoutState.OPEN:
            at_once = now.purpose is Purpose.METHOD
            changes["state"] = CheckoutState.COMPLETE if at_once else CheckoutState.COMPLETING
        await checkouts.change(db, operating.scope, its.id, **changes)
        if now.charges_due:
            await _charge_with(db, operating, its.customer_id, method_id)
        await _former_methods_go(db, operating, now, method_id)
        await operations.ring_of_customer(db, operating.scope, its.customer_id, REVOKED)
        return await operating.moved(db, Step.WRITE_METHOD)


def _new_method(operating: Operating, its: Checkout, done: SetupResult) -> NewMethod:
    method = done.method
    assert method is not None, "a complete set-up has one"
    return NewMethod(
        setup_session_id=str(its.setup_session_id),
        customer_id=its.customer_id,
        processor=its.processor,
        processor_account_id=operating.means.processor(its.processor).account_id,
        processor_customer_id=method.processor_customer_id,
        token=method.token,
        kind=method.kind,
        display=done.display,
    )


async def _charge_with(
    db: AsyncConnection, operating: Operating, customer_id: str, method_id: str
) -> None:
    """Whatever of this customer's waits for a method, or was declined, is tried at once."""
    for payment_id in await methods.payments_it_may_help(db, operating.scope, customer_id):
        await learn_within(db, operating.means, operating.scope, payment_id, MethodAdded(method_id))


async def _former_methods_go(
    db: AsyncConnection, operating: Operating, its: Checkout, method_id: str
) -> None:
    """A replaced method goes; a sign-up only replaces the one that was declined in it."""
    scope = operating.scope
    if operating.data.get("keeps_others"):
        return
    for method in await methods.list_of_customer(db, scope, its.customer_id):
        replaced = its.purpose is Purpose.METHOD or method.id == its.payment_method_id
        if replaced and method.id != method_id and method.status != "removing":
            await removing.ask(db, scope, its.customer_id, method.id)


async def _take_address(operating: Operating, its: Checkout) -> Operating:
    """The method is here already, only the address was wrong: go on."""
    async with operating.means.database.begin() as db:
        now = await checkouts.lock(db, operating.scope, its.id)
        if now.state is not CheckoutState.OPEN or now.problem is not None:
            return await operating.moved(db, operating.operation.step)
        await checkouts.change(db, operating.scope, its.id, state=CheckoutState.COMPLETING)
        return await operating.moved(db, Step.FINALIZE)


async def _ask_for_address(operating: Operating, its: Checkout) -> Operating:
    async with operating.means.database.begin() as db:
        await checkouts.lock(db, operating.scope, its.id)
        changes = {"state": CheckoutState.OPEN, "problem": checkouts.ADDRESS}
        await checkouts.change(db, operating.scope, its.id, **changes)
        await tax.ask(db, operating.scope, its.customer_id)
        return await operating.moved(db, Step.CHECKOUT, key_n=operating.next_key_n)


async def _compare(operating: Operating, its: Checkout, look: InvoiceLook) -> Operating:
    """Not more than was shown, or agreed to: collect it. More: ask."""
    final = look.amount_remaining_minor
    async with operating.means.database.begin() as db:
        await checkouts.lock(db, operating.scope, its.id)
        await mirror.saw_look(db, operating.scope, look)
        changes: dict[str, Any] = {"final_minor": final, "problem": None}
        if not is_agreed(final, max(its.shown_minor, its.agreed_minor or 0)):
            changes["state"] = CheckoutState.CONFIRMING
            changes["expires_at"] = operating.now + operating.means.checkout_expires_after
            await checkouts.change(db, operating.scope, its.id, **changes)
            return await operating.moved(db, Step.CHECKOUT)
        changes |= {"state": CheckoutState.COMPLETE, "agreed_minor": final}
        await checkouts.change(db, operating.scope, its.id, **changes)
        await learn_within(
            db, operating.means, operating.scope, str(its.payment_id), AmountAgreed(final)
        )
        return await operating.moved(db, Step.COLLECT)


async def _expire(operating: Operating, its: Checkout) -> Operating | None:
    """Either this or the customer's return: both begin with the lock of the checkout."""
    async with operating.means.database.begin() as db:
        now = await checkouts.lock(db, operating.scope, its.id)
        if (now.state, now.expires_at) != (its.state, its.expires_at):
            return await operating.moved(db, Step.CHECKOUT)
        if its.payment_id is not None and not await _call_off(db, operating, its.payment_id):
            return await _stay(db, operating, its)
        await checkouts.change(db, operating.scope, its.id, state=CheckoutState.EXPIRED)
        return await operating.moved(db, Step.DROP_SETUP)


async def _call_off(db: AsyncConnection, operating: Operating, payment_id: str) -> bool:
    """False when something was attempted on it already."""
    decision = await learn_within(
        db, operating.means, operating.scope, payment_id, CheckoutExpired()
    )
    return decision.payment.state is State.CANCELED


async def _stay(db: AsyncConnection, operating: Operating, its: Checkout) -> Operating:
    """Money may be on its way: never expire what was attempted; see how it ends."""
    if its.state is CheckoutState.CONFIRMING:
        later = operating.now + operating.means.checkout_expires_after
        await checkouts.change(db, operating.scope, its.id, expires_at=later)
        return await operating.moved(db, Step.CHECKOUT)
    await checkouts.change(db, operating.scope, its.id, state=CheckoutState.COMPLETE)
    return await operating.moved(db, Step.COLLECT)


async def _go(operating: Operating, step: str) -> Operating:
    async with operating.means.database.begin() as db:
        return await operating.moved(db, step)
