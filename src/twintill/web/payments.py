"""GET /v1/payments: our collecting of each invoice, and everything that happened to it."""

from itertools import groupby
from typing import Annotated, Any

from fastapi import Depends, Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from twintill.domain.overrides import overlay
from twintill.domain.payment import State
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import clock, payments
from twintill.store.payment_pages import (
    Amounts,
    PaymentFilter,
    WholePayment,
    amounts_of,
    list_payments,
    read_whole,
)
from twintill.web.api import Reader, api_router
from twintill.web.doors import TheMeans
from twintill.web.dunning import dunning_shape
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, only, seconds
from twintill.web.shapes import (
    AttemptShape,
    CreditNoteShape,
    DisputeShape,
    DunningShape,
    FollowOnShape,
    HistoryShape,
    LedgerTransactionShape,
    PaymentShape,
    PostingShape,
    ReceiptShape,
    RefundShape,
    WholePaymentShape,
)

router = api_router("payments")


def payment_filter(
    created: CreatedRange,
    customer: Annotated[str | None, only("Of this customer.")] = None,
    invoice: Annotated[str | None, only("Of this invoice of Stripe's.")] = None,
    state: Annotated[State | None, Query(description="In this state.")] = None,
    parked: Annotated[bool | None, Query(description="Whether it waits for a person.")] = None,
) -> PaymentFilter:
    """A dependency: what the list may be narrowed to."""
    return PaymentFilter(customer, invoice, state, parked, created)


@router.get("/v1/payments", summary="List payments")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    only: Annotated[PaymentFilter, Depends(payment_filter)],
) -> ListShape[PaymentShape]:
    """Newest first."""
    async with means.database.connect() as db:
        rows, has_more = await list_payments(db, caller.scope, page, only)
        amounts = await amounts_of(db, caller.scope, [row.payment_id for row in rows])
    shown = [_payment(row, amounts.get(row.payment_id, Amounts())) for row in rows]
    return as_list(request, shown, has_more=has_more)


@router.get("/v1/payments/{payment}", summary="One payment with its whole history")
async def get_one(payment: str, means: TheMeans, caller: Reader) -> WholePaymentShape:
    """Its attempts at the processor, the money that came, each fact, each ledger posting.

    `dunning`: when it is tried next, with which method, why, and how many tries are left.
    """
    async with means.database.connect() as db:
        return await show_whole(db, means, caller.scope, payment)


async def show_whole(
    db: AsyncConnection, means: Means, scope: Scope, payment_id: str
) -> WholePaymentShape:
    """All of it, in the words of the API. Raises NotFoundError."""
    whole = await read_whole(db, scope, payment_id)
    payment, now = await payments.read(db, scope, payment_id), await clock.now(db)
    policy = overlay(means.policy, payment.overrides)
    return _whole(whole, dunning_shape(payment, policy, now))


def _whole(whole: WholePayment, dunning: DunningShape) -> WholePaymentShape:
    return WholePaymentShape(
        **_payment(whole.payment, whole.amounts).model_dump(),
        attempts=[attempt_shape(row) for row in whole.attempts],
        receipts=[_receipt(row) for row in whole.receipts],
        history=[_fact(row) for row in whole.history],
        ledger=_ledger(whole.postings),
        dunning=dunning,
        continues=whole.payment.continues,
        followed_by=[follow_on_shape(row) for row in whole.follow_ons],
        refunds=[refund_shape(row) for row in whole.refunds],
        credit_notes=[_note(row) for row in whole.notes],
        disputes=[dispute_shape(row) for row in whole.disputes],
    )


def _note(row: Any) -> CreditNoteShape:
    return CreditNoteShape(
        id=row.credit_note_id,
        purpose=row.purpose,
        state=row.state,
        amount=row.amount_minor,
        out_of_band_amount=row.out_of_band_minor,
        detail=row.detail,
        created=seconds(row.started_at) or 0,
    )


def dispute_shape(row: Any) -> DisputeShape:
    """Of a row of `store.dispute_pages`."""
    return DisputeShape(
        id=row.dispute_id,
        livemode=row.livemode,
        payment=row.payment_id,
        receipt=row.receipt_id,
        processor=row.processor,
        processor_dispute=row.processor_dispute_id,
        amount=row.amount_minor,
        currency=row.currency.lower(),
        stage=row.stage,
        withheld=row.withheld,
        fee=row.fee_minor,
        reason=row.reason,
        created=seconds(row.created_at) or 0,
    )


def refund_shape(row: Any) -> RefundShape:
    """Of a row of `store.refund_pages`."""
    return RefundShape(
        id=row.refund_ask_id,
        livemode=row.livemode,
        payment=row.payment_id,
        amount=row.amount_minor,
        currency=row.currency.lower(),
        state=row.state,
        why=row.why,
        asked_by=row.asked_by,
        processor_refund=row.processor_payment_id,
        outcome=row.outcome,
        detail=row.detail,
        created=seconds(row.created_at) or 0,
    )


def _payment(row: Any, amounts: Amounts) -> PaymentShape:
    return PaymentShape(
        id=row.payment_id,
        livemode=row.livemode,
        invoice=row.invoice_id,
        customer=row.customer_id,
        currency=row.currency.lower(),
        state=row.state,
        reason=row.reason,
        needs_person=row.parked_why if row.parked_at else None,
        collected=amounts.collected_minor,
        reported=amounts.reported_minor,
        stranded=amounts.stranded_minor,
        refunded=amounts.refunded_minor,
        limit=row.limit_minor,
        due_date=seconds(row.due_at),
        next_look_at=None if row.parked_at or row.ended_at else seconds(row.next_look_at),
        created=seconds(row.created_at) or 0,
        ended_at=seconds(row.ended_at),
    )


def attempt_shape(row: Any) -> AttemptShape:
    """Of a row of attempts."""
    return AttemptShape(
        id=row.attempt_id,
        kind=row.kind,
        n=row.n,
        payment_method=row.payment_method_id,
        processor=row.processor,
        processor_account=row.processor_account_id,
        amount=row.amount_minor,
        currency=row.currency.lower(),
        reference=row.reference,
        outcome=row.outcome,
        finality=row.finality,
        processor_payment=row.processor_payment_id,
        decline_kind=row.decline_kind,
        code=row.code,
        detail=row.detail,
        action_url=row.action_url,
        sendings=row.sendings,
        asked=row.asked,
        first_sent_at=seconds(row.first_sent_at) or 0,
        answered_at=seconds(row.answered_at),
        expected_at=seconds(row.expected_at),
    )


def _receipt(row: Any) -> ReceiptShape:
    return ReceiptShape(
        id=row.receipt_id,
        source=row.source,
        attempt=row.attempt_id,
        processor_account=row.processor_account_id,
        currency=row.currency.lower(),
        finality=row.finality,
        collected=row.collected_minor,
        reported=row.reported_minor,
        stranded=row.stranded_minor,
        refunded=row.refunded_minor,
        settled=row.settled_minor,
        failed=row.failed,
        collected_at=seconds(row.collected_at) or 0,
    )


def _fact(row: Any) -> HistoryShape:
    return HistoryShape(
        seq=row.seq,
        at=seconds(row.at) or 0,
        fact=row.fact,
        detail=row.detail,
        state_before=row.state_before,
        state_after=row.state_after,
        reason_after=row.reason_after,
        attempt=row.attempt_id,
        actor=row.actor,
    )


def follow_on_shape(row: Any) -> FollowOnShape:
    """Of an operation that invoices a part anew."""
    return FollowOnShape(
        id=row.operation_id,
        why=row.data["why"],
        amount=row.data["amount_minor"],
        currency=row.data["currency"].lower(),
        invoice=row.data.get("new_invoice_id"),
        payment=row.data.get("new_payment_id"),
        needs_person=row.parked_why if row.parked_at else None,
    )


def _ledger(rows: list[Any]) -> list[LedgerTransactionShape]:
    return [
        _ledger_transaction(list(legs))
        for _, legs in groupby(rows, key=lambda row: row.ledger_transaction_id)
    ]


def _ledger_transaction(legs: list[Any]) -> LedgerTransactionShape:
    first = legs[0]
    return LedgerTransactionShape(
        id=first.ledger_transaction_id,
        kind=first.kind,
        cause=first.cause,
        at=seconds(first.at) or 0,
        postings=[
            PostingShape(
                account=leg.account,
                currency=leg.currency.lower(),
                amount=leg.amount_minor,
                receipt=leg.receipt_id,
            )
            for leg in legs
        ],
    )
