"""Money by hand: recording it, taking it back, the files that prove it."""

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request

from twintill.domain.hand import HandKind
from twintill.flows import by_hand
from twintill.flows.by_hand import Word
from twintill.ids import Scope
from twintill.store import evidence, hand_payments
from twintill.store.hand_payments import Recorded
from twintill.web.api import Reader, Refunder, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.hand_shapes import (
    HandPaymentParams,
    HandPaymentShape,
    TakeBackParams,
    hand_shape,
)
from twintill.web.pagination import ListShape, as_list

router = api_router("payments by hand")


@router.post(
    "/v1/invoices/{invoice}/hand_payments", status_code=201, summary="Record money by hand"
)
async def record(
    invoice: str, params: HandPaymentParams, doors: TheDoors, caller: Refunder
) -> HandPaymentShape:
    """A cheque, cash, a transfer that you have. It is put on the invoice, and Stripe is told.

    While a charge of the invoice is out it waits, and no other begins: declined, it pays instead
    of a retry; approved, it is the customer's credit. More than is due leaves credit, less is
    treated by your setting `partial`. Of an invoice that is void or paid, all of it is credit:
    where somebody else paid it, only with `as_credit` (it may be the very money). An
    invoice that Twintill does not collect (its customer pays by wire) is taken as well. Needs the
    scope `refund`: who may record money can end what a customer owes.
    """
    word = Word(
        HandKind(params.kind),
        params.amount,
        params.currency,
        params.received_on,
        params.reference,
        caller.actor,
        params.note,
        params.as_credit,
    )
    made = await by_hand.record(doors.means, caller.scope, invoice, caller.new_id("hp"), word)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return (await show(db, caller.scope, [made]))[0]


@router.get("/v1/invoices/{invoice}/hand_payments", summary="Money by hand for an invoice")
async def of_invoice(
    invoice: str, request: Request, means: TheMeans, caller: Reader
) -> ListShape[HandPaymentShape]:
    """All of it, the oldest first; none for an invoice that is not known here."""
    async with means.database.connect() as db:
        found = await hand_payments.of_invoice(db, caller.scope, invoice)
        return as_list(request, await show(db, caller.scope, found), has_more=False)


@router.get("/v1/hand_payments/{hand_payment}", summary="One payment by hand")
async def get_one(hand_payment: str, means: TheMeans, caller: Reader) -> HandPaymentShape:
    """How it stands, and the files that prove it."""
    async with means.database.connect() as db:
        found = await hand_payments.read(db, caller.scope, hand_payment)
        return (await show(db, caller.scope, [found]))[0]


@router.post("/v1/hand_payments/{hand_payment}/undo", summary="Undo a payment by hand")
async def undo(
    hand_payment: str, params: TakeBackParams, doors: TheDoors, caller: Refunder
) -> HandPaymentShape:
    """It was recorded by mistake. Only before Stripe is told of it; after that, correct it.

    The invoice is collected again as before. Repeated it answers what is known.
    """
    done = await by_hand.undo(doors.means, caller.scope, hand_payment, params.why, caller.actor)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return (await show(db, caller.scope, [done]))[0]


@router.post("/v1/hand_payments/{hand_payment}/correct", summary="Correct a payment by hand")
async def correct(
    hand_payment: str, params: TakeBackParams, doors: TheDoors, caller: Refunder
) -> HandPaymentShape:
    """It was wrong, or the cheque came back, after Stripe was told: a credit note is made.

    Then a new invoice takes the place of the old one, or a person decides, as your setting
    `failed_after_report` says. Refused (`credit_used`) while what it left is used for other
    invoices. Repeated it answers what is known.
    """
    done = await by_hand.correct(doors.means, caller.scope, hand_payment, params.why, caller.actor)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return (await show(db, caller.scope, [done]))[0]


async def show(db: AsyncConnection, scope: Scope, found: list[Recorded]) -> list[HandPaymentShape]:
    files = await evidence.of_hand(db, scope, *(of.hand.id for of in found))
    return [hand_shape(of, files) for of in found]
