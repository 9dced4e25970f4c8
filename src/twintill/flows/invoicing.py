"""What the steps of `invoicing` share: what was asked for, a good end, and an end with a reason."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoicing import Step, note_on
from twintill.errors import StripeRefused
from twintill.flows.invoices import saw_invoice
from twintill.flows.means import Means
from twintill.flows.operating import Operating
from twintill.ids import Scope, derived_id
from twintill.store import invoice_actions, mirror
from twintill.store.invoice_actions import Action
from twintill.stripe_billing.invoicing import Made


def asked(operating: Operating) -> Any:
    """The values of the request, as the door committed them."""
    return operating.data["asked"]


async def saw(db: AsyncConnection, means: Means, scope: Scope, made: Made, actor: str) -> None:
    """Stripe's answer into the mirror, whole; an open one is collected like any other."""
    what = "invoice.updated"
    status = made.look.status
    await saw_invoice(db, means, scope, made.invoice, status, what=what, actor=actor)
    await mirror.saw_look(db, scope, made.look)


async def note(
    db: AsyncConnection, operating: Operating, did: str, invoice_id: str | None, **detail: Any
) -> None:
    """Who did it and why, in the commit of the deed."""
    action = Action(
        id=derived_id("act", operating.scope, operating.id, did),
        did=did,
        actor=asked(operating)["by"],
        invoice_id=invoice_id,
        customer_id=operating.operation.customer_id,
        why=asked(operating).get("why"),
        detail={name: value for name, value in detail.items() if value is not None},
    )
    await invoice_actions.add(db, operating.scope, action)


async def done(operating: Operating, did: str, made: Made) -> None:
    """The right end of what was done to an invoice."""
    async with operating.means.database.begin() as db:
        await saw(db, operating.means, operating.scope, made, asked(operating)["by"])
        await note(db, operating, did, made.invoice.id)
        await operating.end(db, Step.DONE, invoice_id=made.invoice.id, made=shown(made))


async def fail(operating: Operating, failure: dict[str, Any]) -> None:
    """The end; what was refused first is what is told."""
    first = operating.data.get("failed", failure)
    async with operating.means.database.begin() as db:
        await operating.end(db, Step.FAILED, failed=first)


def stripes(refused: StripeRefused) -> dict[str, Any]:
    """Stripe's reason, to be told as it is."""
    return {
        "by": "stripe",
        "code": refused.code,
        "message": str(refused),
        "request_id": refused.request_id,
    }


def ours(code: str, message: str) -> dict[str, Any]:
    """A reason of ours: the present state forbids it."""
    return {"by": "twintill", "code": code, "message": message}


def shown(made: Made) -> dict[str, Any]:
    """What the answer tells beside the mirror."""
    before, after = made.starting_balance_minor, made.ending_balance_minor
    invoice = made.invoice
    return {
        "total_minor": invoice.total_minor,
        "memo": made.memo,
        "footer": made.footer,
        "note": None
        if after is None
        else note_on(invoice.total_minor, before, after, invoice.currency),
    }
