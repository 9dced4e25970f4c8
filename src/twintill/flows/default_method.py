"""Showing in Stripe which method a customer is collected with: the processor's ids, in metadata.

    write -> shown

Asked for whenever another stored method becomes the default; what stands then is what is written.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import StripeRefused
from twintill.flows.operating import Operating, Walk
from twintill.ids import Scope, derived_id
from twintill.store import methods, operations

KIND = "show_default_method"
_GONE = "resource_missing"


async def show(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """In the caller's transaction."""
    operation_id = derived_id("op", scope, KIND, customer_id)
    new = await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind=KIND,
        customer_id=customer_id,
        step="write",
        data={},
    )
    if not new:
        await operations.ask_again(db, scope, operation_id, first="write")


async def write(operating: Operating) -> Operating | None:
    customer_id, scope = str(operating.operation.customer_id), operating.scope
    async with operating.means.database.connect() as db:
        default = await methods.active_default(db, scope, customer_id)
    try:
        if default is not None:
            token = methods.open_token(operating.means.vault, scope, default)
            there = default.processor_customer_id
            await operating.means.stripe.write_method_ids(customer_id, there, token)
    except StripeRefused as refused:
        if refused.code != _GONE:  # the customer was deleted, and the metadata with him
            raise
    return await operating.end_or_again("shown", "write")


STEPS: Mapping[str, Walk] = {"write": write}
