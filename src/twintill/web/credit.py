"""What a customer has left of money by hand: how much, putting it on an invoice, paying it out."""

from starlette.requests import Request

from twintill.flows import credit
from twintill.flows.credit import Use
from twintill.store import customer_pages, hand_payments
from twintill.web.api import Reader, Refunder, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.hand_payments import show
from twintill.web.hand_shapes import (
    ApplyParams,
    CreditShape,
    HandPaymentShape,
    PaidOutShape,
    PayOutParams,
    balance_shape,
)
from twintill.web.pagination import ListShape, as_list

router = api_router("payments by hand")


@router.get("/v1/customers/{customer}/credit", summary="A customer's credit")
async def get_one(customer: str, means: TheMeans, caller: Reader) -> CreditShape:
    """By currency, and what it is of."""
    async with means.database.connect() as db:
        await customer_pages.read_customer(db, caller.scope, customer)
        balances = await hand_payments.credit_of(db, caller.scope, customer)
        there = await hand_payments.with_credit(db, caller.scope, customer)
        return CreditShape(
            customer=customer,
            balances=[balance_shape(b) for b in balances],
            hand_payments=await show(db, caller.scope, there),
        )


@router.post("/v1/customers/{customer}/credit/apply", summary="Put credit on an invoice")
async def apply(
    customer: str, params: ApplyParams, request: Request, doors: TheDoors, caller: Refunder
) -> ListShape[HandPaymentShape]:
    """As if it had been received for that invoice today: it waits for a charge that is out.

    The oldest credit is used first; a payment by hand of kind `credit` stands for each part.
    """
    use = Use(customer, params.currency, params.why, caller.actor, params.amount)
    use_id = caller.new_id("use")
    made = await credit.apply(doors.means, caller.scope, use_id, use, params.invoice)
    doors.waker.ring()
    async with doors.means.database.connect() as db:
        return as_list(request, await show(db, caller.scope, made), has_more=False)


@router.post("/v1/customers/{customer}/credit/pay_out", summary="Say that credit was paid out")
async def pay_out(
    customer: str, params: PayOutParams, doors: TheDoors, caller: Refunder
) -> PaidOutShape:
    """You have paid it to the customer, by a transfer or in cash. Nothing is sent.

    The same `reference` again answers what is known.
    """
    use = Use(customer, params.currency, params.why, caller.actor, params.amount)
    minor, _ = await credit.pay_out(doors.means, caller.scope, use, params.reference)
    return PaidOutShape(
        customer=customer,
        amount=minor,
        currency=params.currency.lower(),
        reference=params.reference,
    )
