"""/v1/signups: one call makes customer, subscription and a page to send the customer to."""

from typing import Annotated

from starlette.requests import Request

from twintill.domain.signup import SignupState, Step
from twintill.errors import BadRequest, NotFoundError, StripeUnreadable
from twintill.flows import operations as flow
from twintill.flows import signup
from twintill.flows.means import Means
from twintill.flows.signup import Signup, SignupRequest
from twintill.ids import Scope
from twintill.store import operations
from twintill.store.operations import Operation
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds
from twintill.web.places import checked_address, checked_ip
from twintill.web.signup_shapes import CheckoutStub, FirstInvoiceShape, SignupParams, SignupShape

router = api_router("signups")


@router.post("/v1/signups", status_code=201, summary="Sign a customer up")
async def create(params: SignupParams, doors: TheDoors, caller: Collector) -> SignupShape:
    """Makes a `send_invoice` subscription and a checkout. Send the customer to `checkout.url`;
    give access when the state is `active`, or at the event `signup.access_granted`.
    """
    means = doors.means
    signup_id = caller.new_id("sgn")
    await signup.begin(means, caller.scope, signup_id, _request(means, params))
    await flow.drive(means, caller.scope, signup_id, patience_s=20)
    doors.waker.ring()
    shown = await _read(means, caller.scope, signup_id)
    if shown.state in (SignupState.CREATING, SignupState.FAILED):
        _refuse(shown.operation)
    return shape(means, caller.scope, shown)


@router.get("/v1/signups", summary="List sign-ups")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    customer: Annotated[str | None, only("Of this customer.")] = None,
) -> ListShape[SignupShape]:
    """Newest first."""
    async with means.database.connect() as db:
        found, more = await operations.page(db, caller.scope, signup.KIND, page, customer)
        shown = await signup.show_all(db, caller.scope, found)
    rows = [shape(means, caller.scope, one) for one in shown]
    return as_list(request, rows, has_more=more)


@router.get("/v1/signups/{signup}", summary="One sign-up")
async def get_one(signup: str, means: TheMeans, caller: Reader) -> SignupShape:
    """How it stands: give access when its state is `active`."""
    return shape(means, caller.scope, await _read(means, caller.scope, signup))


def shape(means: Means, scope: Scope, shown: Signup) -> SignupShape:
    operation, its, data = shown.operation, shown.checkout, shown.operation.data
    return SignupShape(
        id=operation.id,
        livemode=scope.livemode,
        created=seconds(operation.created_at) or 0,
        state=shown.state.value,
        access_granted_at=seconds(operation.ended_at) if _is_active(shown) else None,
        customer=operation.customer_id,
        subscription=its.subscription_id if its else None,
        first_invoice=_first_invoice(shown),
        checkout=_stub(means, shown),
        payment=its.payment_id if its else None,
        metadata=data["asked"]["metadata"],
        failure=data.get("failed_why") or operation.parked_why,
    )


def only_processor(means: Means, named: str | None) -> str:
    """The one that is named, or the only one that there is."""
    if named is not None:
        return named
    if len(means.processors) == 1:
        return next(iter(means.processors))
    known = ", ".join(sorted(means.processors))
    raise BadRequest(f"Name a processor: one of {known}.", param="processor")


def _request(means: Means, params: SignupParams) -> SignupRequest:
    return SignupRequest(
        items=tuple((item.price, item.quantity) for item in params.items),
        success_url=params.success_url,
        cancel_url=params.cancel_url,
        processor=only_processor(means, params.processor),
        days_until_due=params.days_until_due,
        customer_id=params.customer.id,
        email=params.customer.email,
        name=params.customer.name,
        address=checked_address(params.customer.address),
        ip_address=checked_ip(params.customer.ip_address),
        customer_metadata=params.customer.metadata,
        metadata=params.metadata,
        trial_period_days=params.trial_period_days,
        trial_end=params.trial_end,
        automatic_tax=params.automatic_tax,
        description=params.description,
    )


async def _read(means: Means, scope: Scope, signup_id: str) -> Signup:
    async with means.database.connect() as db:
        operation = await operations.read(db, scope, signup_id)
        if operation.kind != signup.KIND:
            raise NotFoundError(f"No such sign-up: {signup_id}", param="signup")
        return await signup.show(db, scope, operation)


def _refuse(operation: Operation) -> None:
    """Stripe said no: the caller's to mend. Stripe said nothing: the same key asks again."""
    if operation.step == Step.FAILED:
        raise BadRequest(
            f"Stripe refused: {operation.data['failed_why']}",
            code=operation.data.get("failed_code") or "stripe_refused",
        )
    raise StripeUnreadable(
        f"{(operation.error or 'no answer yet').rstrip('.')}. {operation.id} goes on by itself; "
        "ask again with the same Idempotency-Key for its checkout."
    )


def _is_active(shown: Signup) -> bool:
    return shown.state is SignupState.ACTIVE


def _first_invoice(shown: Signup) -> FirstInvoiceShape | None:
    its = shown.checkout
    if its is None or its.invoice_id is None:
        return None
    return FirstInvoiceShape(
        id=its.invoice_id,
        amount_due=its.shown_minor,
        currency=its.currency.lower(),
        final=its.final_minor,
    )


def _stub(means: Means, shown: Signup) -> CheckoutStub | None:
    its = shown.checkout
    if its is None:
        return None
    return CheckoutStub(
        id=its.id,
        url=f"{means.public_url}/checkout/{its.id}",
        expires_at=seconds(its.expires_at) or 0,
    )
