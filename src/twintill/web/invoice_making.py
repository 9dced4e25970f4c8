"""Making, changing and ending invoices by request; each is collected like any other."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, status

from twintill.domain.invoicing import Step
from twintill.flows import asking_invoicing as flow
from twintill.flows.asking_invoicing import Asker, Ended, NewInvoice
from twintill.stripe_billing.invoicing import DraftChanges
from twintill.web import invoices
from twintill.web.api import Collector, api_router
from twintill.web.auth import Caller
from twintill.web.doors import Doors, TheDoors
from twintill.web.invoicing_shapes import (
    DraftParams,
    InvoiceParams,
    MadeInvoiceShape,
    PrefixParams,
    PrefixShape,
    ReasonParams,
    due_at,
)
from twintill.web.shapes import InvoiceShape

router = api_router("invoices")
_ONE = "/v1/invoices/{invoice}"
_Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,255}$")]


@router.post("/v1/invoices", status_code=status.HTTP_201_CREATED, summary="Make an invoice")
async def make(params: InvoiceParams, doors: TheDoors, caller: Collector) -> MadeInvoiceShape:
    """A one-off `send_invoice` invoice with its items, finalized at once or left as a draft.

    All or nothing: what Stripe refuses on the way is taken back (400, `stripe_refused`, with its
    reason). Finalized, it is collected like any other when the customer gave a payment method;
    without one nothing of his is ever charged. `auto_advance` is false: Stripe neither finalizes
    a draft by itself nor writes to the customer. A total below zero goes to his balance: see
    `note`.
    """
    wanted = NewInvoice(
        customer_id=params.customer,
        items=[item.line for item in params.items],
        currency=params.currency,
        include_pending=params.include_pending,
        days_until_due=params.days_until_due,
        due_at=due_at(params.due_date),
        memo=params.memo,
        footer=params.footer,
        number=params.number,
        automatic_tax=params.automatic_tax,
        finalize=params.finalize,
    )
    return await _show(doors, caller, await flow.make_invoice(asker(doors, caller), wanted))


@router.patch(_ONE, summary="Change a draft")
async def change(
    invoice: _Id, params: DraftParams, doors: TheDoors, caller: Collector
) -> MadeInvoiceShape:
    """Only while it is a draft; afterwards Stripe refuses it (400, `stripe_refused`)."""
    changes = DraftChanges(
        days_until_due=params.days_until_due,
        due_at=due_at(params.due_date),
        memo=params.memo,
        footer=params.footer,
        number=params.number,
        automatic_tax=params.automatic_tax,
    )
    ended = await flow.change_draft(asker(doors, caller), invoice, changes)
    return await _show(doors, caller, ended)


@router.post(_ONE + "/finalize", summary="Finalize a draft")
async def finalize(invoice: _Id, doors: TheDoors, caller: Collector) -> MadeInvoiceShape:
    """From now on it is open and collected like any other; the answer does not wait for that."""
    ended = await flow.act_on(asker(doors, caller), invoice, Step.FINALIZE)
    return await _show(doors, caller, ended)


@router.post(_ONE + "/void", summary="Void an invoice")
async def void(
    invoice: _Id, doors: TheDoors, caller: Collector, params: ReasonParams | None = None
) -> InvoiceShape:
    """For good: nobody owes it any more, and its payment ends.

    Refused (409), with nothing changed, while a charge is out (`charge_out`) or collected money
    waits for its report (`being_reported`): nothing in flight is dropped. A paid one is refused by
    Stripe; refund it instead.
    """
    return await _close(doors, caller, invoice, Step.VOID, params)


@router.post(_ONE + "/mark_uncollectible", summary="Write an invoice off")
async def mark_uncollectible(
    invoice: _Id, doors: TheDoors, caller: Collector, params: ReasonParams | None = None
) -> InvoiceShape:
    """It is still owed and can still be paid, but Twintill asks nobody for it any more.

    Refused while a charge is out or money waits for its report, as for voiding.
    """
    return await _close(doors, caller, invoice, Step.MARK_UNCOLLECTIBLE, params)


@router.delete(_ONE, summary="Delete a draft")
async def delete(invoice: _Id, doors: TheDoors, caller: Collector) -> InvoiceShape:
    """Of a one-off invoice. The items that were made for it go too; what had waited before waits
    again for the customer's next invoice.

    Refused (409): it is finalized (`invoice_not_a_draft`), or a subscription's
    (`invoice_of_subscription`).
    """
    return await _close(doors, caller, invoice, Step.DELETE, None)


@router.put(
    "/v1/customers/{customer}/invoice_prefix",
    summary="Say what a customer's invoice numbers begin with",
)
async def set_prefix(
    customer: _Id, params: PrefixParams, doors: TheDoors, caller: Collector
) -> PrefixShape:
    """Of the invoices from now on. Stripe refuses one that another customer has."""
    ended = await flow.set_prefix(asker(doors, caller), customer, params.invoice_prefix)
    return PrefixShape(customer=customer, invoice_prefix=ended.made["invoice_prefix"])


def asker(doors: Doors, caller: Caller) -> Asker:
    """Who asks; the id is the same for a repetition under the same Idempotency-Key."""
    return Asker(doors.means, caller.scope, caller.new_id("op"), caller.actor)


async def _close(
    doors: Doors, caller: Caller, invoice: str, deed: Step, params: ReasonParams | None
) -> InvoiceShape:
    asks = replace(asker(doors, caller), why=params.why if params else None)
    await flow.act_on(asks, invoice, deed)
    doors.waker.ring()
    return await invoices.get_one(invoice, doors.means, caller)


async def _show(doors: Doors, caller: Caller, ended: Ended) -> MadeInvoiceShape:
    doors.waker.ring()
    seen = await invoices.get_one(str(ended.invoice_id), doors.means, caller)
    made = ended.made
    return MadeInvoiceShape(
        **seen.model_dump(), memo=made["memo"], footer=made["footer"], note=made["note"]
    )
