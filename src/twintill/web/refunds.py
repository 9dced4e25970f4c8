"""Refunds of collected money: asking for one, and what became of each."""

from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.requests import Request

from twintill.flows import money_back
from twintill.flows.money_back import Wish
from twintill.store.refund_pages import list_refunds, read_refund
from twintill.web.api import Reader, Refunder, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import CreatedRange, ListShape, ThePage, as_list, only
from twintill.web.payments import refund_shape
from twintill.web.shapes import RefundShape
from twintill.web.signup_shapes import Asked

router = api_router("refunds")


class _AmountParams(Asked):
    amount: Annotated[
        int | None, Field(gt=0, le=2**53, description="Minor units, as Stripe counts them.")
    ] = None
    currency: Annotated[
        str | None, Field(pattern="^[A-Za-z]{3}$", description="Must be the payment's.")
    ] = None
    why: Annotated[str, Field(min_length=1, max_length=500, description="Kept in its history.")]


class RefundParams(_AmountParams):
    """Without an amount: all that is left."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"amount": 1900, "currency": "eur", "why": "Ordered by mistake"}]
        },
    )
    over_the_cap: Annotated[
        bool, Field(description="A person has looked: no cap holds it. Needs the scope `admin`.")
    ] = False


@router.post("/v1/payments/{payment}/refunds", status_code=201, summary="Give collected money back")
async def ask(payment: str, params: RefundParams, doors: TheDoors, caller: Refunder) -> RefundShape:
    """The processor gives it back, then the credit note is made in Stripe: a worker does both.

    Works after the payment method is gone. Refused (409, the rule as `code`), with nothing
    changed: more than is left, while another refund or a dispute has no end, while somebody
    does it by hand, of a bank debit that may still fail, and what breaks a cap of what may be asked
    for in an hour (`refund_cap`, `refund_over_cap`; `over_the_cap` is a person's word).
    """
    currency = None if params.currency is None else params.currency.upper()
    if params.over_the_cap:
        caller.require("admin")
    wish = Wish(payment, params.why, caller.actor, params.amount, currency, params.over_the_cap)
    made = await money_back.ask(doors.means, caller.scope, caller.new_id("rfd"), wish)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return refund_shape(await read_refund(db, caller.scope, made.id))


class PaidParams(_AmountParams):
    """Without an amount: all that is owed, else all that is left."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"reference": "SEPA 2026-11-20/0042", "why": "his card account is closed"}]
        },
    )
    reference: Annotated[
        str,
        Field(min_length=1, max_length=255, description="Of that payment, in your own books."),
    ]


@router.post(
    "/v1/payments/{payment}/refunds/paid-another-way",
    status_code=201,
    summary="Say that the customer has his money back",
)
async def paid_another_way(
    payment: str, params: PaidParams, doors: TheDoors, caller: Refunder
) -> RefundShape:
    """Outside the processor: by a transfer, a cheque. For money that it does not give back.

    Nothing is sent. What was owed is paid by it; of money that Stripe counts as paid, the credit
    note is made. Refused (409) while a request to the processor, a dispute or a comparison has no
    end, of money that goes back by itself, and of more than is owed. The same `reference` again
    answers what is known.
    """
    currency = None if params.currency is None else params.currency.upper()
    wish = Wish(payment, params.why, caller.actor, params.amount, currency)
    made = await money_back.paid_another_way(doors.means, caller.scope, wish, params.reference)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return refund_shape(await read_refund(db, caller.scope, made.id))


@router.get("/v1/refunds", summary="List refunds that were asked for")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    created: CreatedRange,
    payment: Annotated[str | None, only("Of this payment.")] = None,
) -> ListShape[RefundShape]:
    """Newest first."""
    async with means.database.connect() as db:
        rows, has_more = await list_refunds(db, caller.scope, page, payment, created)
    return as_list(request, [refund_shape(row) for row in rows], has_more=has_more)


@router.get("/v1/refunds/{refund}", summary="One refund")
async def get_one(refund: str, means: TheMeans, caller: Reader) -> RefundShape:
    """What became of it."""
    async with means.database.connect() as db:
        return refund_shape(await read_refund(db, caller.scope, refund))
