"""Removing a payment method: no new charge, then revoked at the processor, then wiped.

    check -> revoke -> wipe -> done

It waits for what is out: a request without an answer may need the method to be found again.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import StripeRefused
from twintill.flows.operating import Operating
from twintill.ids import Scope, derived_id
from twintill.processors import StoredMethod
from twintill.store import methods, operations
from twintill.store.methods import MethodRow

KIND = "remove_method"
_WAIT = timedelta(hours=6)  # a payment that ends rings before that
_GONE = "resource_missing"


async def ask(db: AsyncConnection, scope: Scope, customer_id: str, method_id: str) -> None:
    """In the caller's transaction; asking twice is harmless."""
    await operations.add(
        db,
        scope,
        operation_id=derived_id("op", scope, KIND, method_id),
        kind=KIND,
        customer_id=customer_id,
        step="check",
        data={"payment_method_id": method_id},
    )


async def check(operating: Operating) -> Operating | None:
    """From here on no charge begins with it; one that is out is waited for."""
    method = await _method(operating)
    if not await hold(operating, method):
        await operating.pause(_WAIT)
        return None
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "revoke")


async def revoke(operating: Operating) -> Operating | None:
    await revoke_there(operating, await _method(operating))
    async with operating.means.database.begin() as db:
        return await operating.moved(db, "wipe")


async def wipe(operating: Operating) -> Operating | None:
    """Out of Stripe's metadata, if it is this one that stands there; then out of the database."""
    method = await _method(operating)
    if method.sealed_token is not None:
        await _clear(operating, method)
    async with operating.means.database.begin() as db:
        await methods.mark_removed(db, operating.scope, method.id)
        await operating.end(db, "done")
    return None


async def hold(operating: Operating, method: MethodRow) -> bool:
    """Take it out of use; False while a request made with it has no definite answer."""
    async with operating.means.database.begin() as db:
        await methods.mark_removing(db, operating.scope, method.id)
    async with operating.means.database.connect() as db:
        return not await methods.in_use(db, operating.scope, method.id)


async def revoke_there(operating: Operating, method: MethodRow) -> None:
    """At the processor; one that is gone there is revoked already."""
    if method.sealed_token is None:
        return
    token = methods.open_token(operating.means.vault, operating.scope, method)
    if await lives_on(operating, method.processor_account_id, token):
        return
    stored = StoredMethod(method.processor_customer_id, token, method.kind)
    processor = operating.means.processor(method.processor, method.processor_account_id)
    await processor.revoke_method(stored)


async def lives_on(operating: Operating, processor_account_id: str, token: str) -> bool:
    """The customer may have chosen the same agreement again, and got the same token for it."""
    fingerprint = operating.means.vault.fingerprint(token)
    async with operating.means.database.connect() as db:
        return await methods.lives_on(db, operating.scope, processor_account_id, fingerprint)


async def _clear(operating: Operating, method: MethodRow) -> None:
    stripe = operating.means.stripe
    token = methods.open_token(operating.means.vault, operating.scope, method)
    if await lives_on(operating, method.processor_account_id, token):
        return
    try:
        look = await stripe.read_customer(method.customer_id)
        if not look.deleted and look.processor_payment_method_id == token:
            await stripe.clear_method_ids(method.customer_id)
    except StripeRefused as refused:
        if refused.code != _GONE:
            raise


async def _method(operating: Operating) -> MethodRow:
    async with operating.means.database.connect() as db:
        return await methods.read(db, operating.scope, operating.data["payment_method_id"])


STEPS = {"check": check, "revoke": revoke, "wipe": wipe}
