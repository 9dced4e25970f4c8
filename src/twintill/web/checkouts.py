"""/v1/checkouts: how a checkout stands, and completing one from a page of the app's own."""

from collections.abc import Sequence

from twintill.errors import BadRequest, ConflictError
from twintill.flows import consent, setups
from twintill.flows import operations as flow
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import checkouts, operations
from twintill.store.checkouts import Checkout, CheckoutState, Due, Purpose
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import seconds
from twintill.web.places import checked_address, checked_ip
from twintill.web.signup_shapes import CheckoutShape, CompleteParams, DueShape

router = api_router("checkouts")


@router.get("/v1/checkouts/{checkout}", summary="One checkout")
async def get_one(checkout: str, means: TheMeans, caller: Reader) -> CheckoutShape:
    """How it stands, and the page to send the customer to."""
    async with means.database.connect() as db:
        its = await checkouts.read(db, caller.scope, checkout)
        return shape(means, caller.scope, its, await checkouts.due(db, caller.scope, its))


@router.post("/v1/checkouts/{checkout}/complete", summary="Complete a checkout")
async def complete(
    checkout: str, params: CompleteParams, doors: TheDoors, caller: Collector
) -> CheckoutShape:
    """For an app with a page of its own: the set-up session is complete at the processor.

    State `confirming` in the answer: the final amount is higher than what was shown; nothing is
    charged before the customer says yes on the checkout's page.
    """
    means, scope = doors.means, caller.scope
    await _locate(means, scope, checkout, params)
    await setups.use(means, scope, checkout, params.setup_session)
    its = await _drive(means, scope, checkout)
    doors.waker.ring()
    if its.state is CheckoutState.OPEN and its.problem != "address":
        raise ConflictError(
            "The set-up session is not complete at the processor yet.",
            code="setup_incomplete",
            param="setup_session",
        )
    return shape(means, scope, its)


def shape(means: Means, scope: Scope, its: Checkout, due: Sequence[Due] = ()) -> CheckoutShape:
    return CheckoutShape(
        id=its.id,
        livemode=scope.livemode,
        purpose=its.purpose.value,
        state=its.state.value,
        url=f"{means.public_url}/checkout/{its.id}",
        customer=its.customer_id,
        signup=its.operation_id if its.purpose is Purpose.SIGNUP else None,
        subscription=its.subscription_id,
        invoice=its.invoice_id,
        payment=its.payment_id,
        payment_method=its.payment_method_id,
        currency=its.currency.lower(),
        amount_shown=its.shown_minor,
        amount_final=its.final_minor,
        amount_agreed=its.agreed_minor,
        processor=its.processor,
        problem=its.problem,
        due=[_due(one) for one in due],
        expires_at=seconds(its.expires_at) or 0,
        completed_at=seconds(its.completed_at),
    )


def _due(one: Due) -> DueShape:
    return DueShape(
        payment=one.payment_id,
        invoice=one.invoice_id,
        number=one.number,
        amount=one.amount_minor,
        currency=one.currency.lower(),
    )


async def _locate(means: Means, scope: Scope, checkout_id: str, params: CompleteParams) -> None:
    address, ip = checked_address(params.address), checked_ip(params.ip_address)
    if not await consent.locate(means, scope, checkout_id, address, ip):
        raise BadRequest(
            "Stripe does not know this place: check country and postal code.",
            code="customer_tax_location_invalid",
            param="address",
        )


async def _drive(means: Means, scope: Scope, checkout_id: str) -> Checkout:
    async with means.database.connect() as db:
        its = await checkouts.read(db, scope, checkout_id)
    await flow.drive(means, scope, its.operation_id, patience_s=20)
    async with means.database.connect() as db:
        operation = await operations.read(db, scope, its.operation_id)
        its = await checkouts.read(db, scope, checkout_id)
    if operation.parked_why is not None:
        raise ConflictError(operation.parked_why, code="needs_person")
    return its
