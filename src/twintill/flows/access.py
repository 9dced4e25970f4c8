"""Granting access: the end of a sign-up, told once."""

from typing import Any

from twintill.domain.signup import SignupState, Step
from twintill.flows.operating import Operating
from twintill.store import outgoing
from twintill.store.checkouts import Checkout


async def grant(operating: Operating, its: Checkout) -> None:
    """The end of it, and the one event that says so, in one commit."""
    async with operating.means.database.begin() as db:
        await operating.end(db, Step.ACTIVE)
        if operating.means.tells_app:
            await outgoing.add(
                db,
                operating.scope,
                "signup.access_granted",
                operating.id,
                told(operating, its, SignupState.ACTIVE),
            )


def told(operating: Operating, its: Checkout, state: SignupState) -> dict[str, Any]:
    return {
        "id": operating.id,
        "object": "signup",
        "state": state.value,
        "customer": its.customer_id,
        "subscription": its.subscription_id,
        "first_invoice": its.invoice_id,
        "payment": its.payment_id,
        "metadata": operating.data["asked"]["metadata"],
    }
