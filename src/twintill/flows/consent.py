"""The customer's word: where he is, yes to a higher amount, or no to all of it. Doors call these.

A yes is to one amount: said to another than the page now shows, it counts for nothing.
"""

from collections.abc import Mapping

from twintill.domain.facts import AmountAgreed
from twintill.errors import ConflictError, StripeRefused
from twintill.flows.checkout import ADDRESS_CODES
from twintill.flows.learn import learn_within
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import checkouts, operations
from twintill.store.checkouts import CheckoutState
from twintill.store.clock import NOW


async def locate(
    means: Means, scope: Scope, checkout_id: str, address: Mapping[str, str] | None, ip: str | None
) -> bool:
    """Tell Stripe where the customer is, for tax; False when Stripe does not know the place."""
    async with means.database.connect() as db:
        its = await checkouts.read(db, scope, checkout_id)
    if its.state is not CheckoutState.OPEN or not (address or ip):
        return True
    try:
        await means.stripe.write_location(its.customer_id, address, ip)
    except StripeRefused as refused:
        if refused.code not in ADDRESS_CODES:
            raise
        return False
    async with means.database.begin() as db:
        now = await checkouts.lock(db, scope, checkout_id)
        if now.state is CheckoutState.OPEN and now.problem is not None:
            await checkouts.change(db, scope, checkout_id, problem=None)
    return True


async def confirm(means: Means, scope: Scope, checkout_id: str, final_minor: int) -> None:
    """Yes to this amount. Raises ConflictError when another one is asked about by now."""
    async with means.database.begin() as db:
        its = await checkouts.lock(db, scope, checkout_id)
        if its.state is CheckoutState.COMPLETE and its.agreed_minor == final_minor:
            return
        if its.state is not CheckoutState.CONFIRMING or its.final_minor != final_minor:
            raise ConflictError(
                "This is not the amount that is asked about.", code="amount_changed", param="amount"
            )
        changes = {"state": CheckoutState.COMPLETE, "agreed_minor": final_minor}
        await checkouts.change(db, scope, its.id, **changes)
        await learn_within(
            db, means, scope, str(its.payment_id), AmountAgreed(final_minor), actor="customer"
        )
        await operations.ring(db, scope, its.operation_id)


async def give_up(means: Means, scope: Scope, checkout_id: str) -> None:
    """No: the checkout ends now, as if its time were over. What is complete already stays."""
    async with means.database.begin() as db:
        its = await checkouts.lock(db, scope, checkout_id)
        if its.state in (CheckoutState.OPEN, CheckoutState.CONFIRMING):
            await checkouts.change(db, scope, its.id, expires_at=NOW)
            await operations.ring(db, scope, its.operation_id)
