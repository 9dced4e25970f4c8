"""GET /v1/invoices: Stripe's invoices as last seen, each with how its collecting stands."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request

from twintill.domain.invoice_words import NextAttempt
from twintill.flows import invoice_standing
from twintill.flows.invoice_standing import WholeInvoice
from twintill.store.invoice_pages import (
    InvoiceFilter,
    list_invoices,
    payments_of_invoices,
)
from twintill.web.api import Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.invoice_filters import invoice_filter
from twintill.web.invoice_shapes import (
    ActionShape,
    NextAttemptShape,
    SubscriptionChangeShape,
    WholeInvoiceShape,
)
from twintill.web.pagination import ListShape, ThePage, as_list, seconds
from twintill.web.payments import attempt_shape, follow_on_shape
from twintill.web.shapes import InvoiceShape, PaymentStub

router = api_router("invoices")


@router.get("/v1/invoices", summary="List invoices")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    only: Annotated[InvoiceFilter, Depends(invoice_filter)],
) -> ListShape[InvoiceShape]:
    """Newest first, by the time at which Twintill first saw them.

    With `overdue=true` or `due_date[...]`, by due date, the latest first; otherwise with
    `amount_due[...]`, the largest first.
    """
    async with means.database.connect() as db:
        rows, has_more = await list_invoices(db, caller.scope, page, only)
        collecting = await payments_of_invoices(db, caller.scope, [r.invoice_id for r in rows])
    shown = [_invoice(row, collecting.get(row.invoice_id)) for row in rows]
    return as_list(request, shown, has_more=has_more)


@router.get("/v1/invoices/{invoice}", summary="One invoice, and how it stands")
async def get_one(invoice: str, means: TheMeans, caller: Reader) -> WholeInvoiceShape:
    """As Stripe last showed it; what was tried, what comes next and why then; who did what."""
    async with means.database.connect() as db:
        whole = await invoice_standing.read(db, caller.scope, means.policy, invoice)
    return _whole(whole)


def _whole(whole: WholeInvoice) -> WholeInvoiceShape:
    its, follows = whole.collecting, whole.follows
    subscription = whole.subscription
    return WholeInvoiceShape(
        **_invoice(whole.invoice, None if its is None else its.payment).model_dump(),
        state_in_words=whole.words,
        overdue=whole.overdue,
        attempts=[attempt_shape(row) for row in (its.attempts if its else [])],
        next_attempt=None if follows is None else _next(follows),
        subscription_status=None if subscription is None else subscription.status,
        subscription_history=[
            _change(row) for row in (subscription.changes if subscription else [])
        ],
        actions=[_action(row) for row in whole.actions],
        continues=whole.continues,
        followed_by=[follow_on_shape(row) for row in (its.follow_ons if its else [])],
    )


def _next(follows: NextAttempt) -> NextAttemptShape:
    return NextAttemptShape(
        at=seconds(follows.at) or 0, payment_method=follows.method_id, why=follows.why
    )


def _change(row: Any) -> SubscriptionChangeShape:
    return SubscriptionChangeShape(
        status_before=row.status_before,
        status_after=row.status_after,
        at=seconds(row.at) or 0,
        occurred_at=seconds(row.occurred_at),
        actor=row.actor,
    )


def _action(row: Any) -> ActionShape:
    return ActionShape(
        id=row.action_id,
        action=row.action,
        actor=row.actor,
        why=row.why,
        detail=row.detail,
        at=seconds(row.at) or 0,
    )


def _invoice(row: Any, payment: Any | None) -> InvoiceShape:
    return InvoiceShape(
        id=row.invoice_id,
        livemode=row.livemode,
        customer=row.customer_id,
        subscription=row.subscription_id,
        number=row.number,
        status=row.status,
        collection_method=row.collection_method,
        billing_reason=row.billing_reason,
        currency=row.currency.lower(),
        amount_due=row.amount_due_minor,
        amount_paid=row.amount_paid_minor,
        amount_remaining=row.amount_remaining_minor,
        total=row.total_minor,
        due_date=seconds(row.due_at),
        finalized_at=seconds(row.finalized_at),
        created=seconds(row.created_at) or 0,
        seen=seconds(row.seen_at) or 0,
        stale=row.stale,
        payment=None if payment is None else _stub(payment),
    )


def _stub(row: Any) -> PaymentStub:
    return PaymentStub(
        id=row.payment_id,
        state=row.state,
        reason=row.reason,
        needs_person=row.parked_why if row.parked_at else None,
    )
