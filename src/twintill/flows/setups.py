"""Set-ups: sending the customer to the processor to choose a payment method, once at a time.

The key of a set-up is made of its checkout and of how many came before it, both committed, so that
pressing twice, or in two tabs, leads to the same page at the processor.
"""

from twintill.domain.signup import needs_method
from twintill.errors import ConflictError, ProcessorRefused
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.processors import Processor, SetupRequest, SetupSession, SetupStatus
from twintill.store import checkouts, operations, payments
from twintill.store.checkouts import NEXT_SETUP, Checkout, CheckoutState


async def start(means: Means, scope: Scope, checkout_id: str) -> str | None:
    """Where to send the customer; None when the checkout has no use for another method now.

    Raises ProcessorError.
    """
    async with means.database.connect() as db:
        its = await checkouts.read(db, scope, checkout_id)
    if not await wants_method(means, scope, its):
        return None
    processor = means.processor(its.processor)
    if its.setup_session_id is not None:
        status = await _status(processor, its.setup_session_id)
        if status is SetupStatus.COMPLETE:
            return None
        if status is not SetupStatus.OPEN:
            its = await forget(means, scope, its)
    session = await _start(means, scope, processor, its)
    return session.url if await _remember(means, scope, its, session) else None


async def use(means: Means, scope: Scope, checkout_id: str, session_id: str) -> None:
    """A set-up that the user's app started on a page of its own. Raises ConflictError."""
    async with means.database.begin() as db:
        its = await checkouts.lock(db, scope, checkout_id)
        if its.setup_session_id == session_id or its.state is CheckoutState.COMPLETE:
            return
        if its.state is not CheckoutState.OPEN:
            raise ConflictError(f"This checkout is {its.state}.", code=f"checkout_{its.state}")
        await checkouts.change(db, scope, its.id, setup_session_id=session_id, problem=None)


async def wants_method(means: Means, scope: Scope, its: Checkout) -> bool:
    """An open checkout does, and one whose payment was declined."""
    if its.state is CheckoutState.OPEN:
        return True
    if its.state is not CheckoutState.COMPLETE or its.payment_id is None:
        return False
    async with means.database.connect() as db:
        return needs_method(await payments.read(db, scope, its.payment_id))


async def forget(
    means: Means, scope: Scope, its: Checkout, *, problem: str | None = None
) -> Checkout:
    """This set-up is over; the next one is a new one. What another tab has begun stays."""
    async with means.database.begin() as db:
        now = await checkouts.lock(db, scope, its.id)
        if (now.setups, now.setup_session_id) == (its.setups, its.setup_session_id):
            await checkouts.change(db, scope, its.id, problem=problem, **NEXT_SETUP)
        return await checkouts.read(db, scope, its.id)


async def _status(processor: Processor, session_id: str) -> SetupStatus:
    try:
        return (await processor.get_setup(session_id)).status
    except ProcessorRefused as refused:
        if refused.code != "not_found":
            raise
        return SetupStatus.EXPIRED


async def _start(means: Means, scope: Scope, processor: Processor, its: Checkout) -> SetupSession:
    offered = processor.capabilities.currencies
    if offered is not None and its.currency not in offered:
        # Said before the customer chooses a method that could never be charged.
        raise ProcessorRefused(
            f"{processor.capabilities.display_name} does not take {its.currency}: bill in another "
            "currency, or collect through another processor."
        )
    page = f"{means.public_url}/checkout/{its.id}"
    request = SetupRequest(
        idempotency_key=f"{its.id}:{its.setups}",
        customer_reference=its.customer_id,
        return_url=f"{page}/return",
        cancel_url=page,
        currency=its.currency,
        description=its.description,
    )
    try:
        return await processor.start_setup(request)
    except ProcessorRefused:
        await forget(means, scope, its)  # its key would be answered the same
        raise


async def _remember(means: Means, scope: Scope, its: Checkout, session: SetupSession) -> bool:
    """From here on a worker looks after it, too."""
    async with means.database.begin() as db:
        now = await checkouts.lock(db, scope, its.id)
        if now.setups != its.setups or now.state is not its.state:
            return False
        await checkouts.change(db, scope, its.id, setup_session_id=session.session_id, problem=None)
        await operations.ring(db, scope, its.operation_id)
        return True
