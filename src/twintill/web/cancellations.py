"""/v1/subscriptions/{subscription}: how one stands, cancelling it, and taking that back."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from twintill.domain.cancelling import At, Step, state_of
from twintill.errors import NotFoundError
from twintill.flows import cancelling
from twintill.flows import operations as flow
from twintill.flows.cancelling import CancelRequest
from twintill.ids import Scope
from twintill.store import operations, subscriptions
from twintill.store.operations import Operation
from twintill.web.api import Collector, Reader, api_router
from twintill.web.auth import Caller
from twintill.web.doors import Doors, TheDoors, TheMeans
from twintill.web.pagination import seconds
from twintill.web.shapes import Seconds
from twintill.web.signup_shapes import Asked

router = api_router("subscriptions")
_ONE = "/v1/subscriptions/{subscription}"
_CANCELLATION: dict[str, str | int | bool | None] = {
    "id": "can_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "object": "cancellation",
    "livemode": False,
    "subscription": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
    "customer": "cus_QXg1o8vcGmoR32",
    "at": "now",
    "state": "done",
    "refund": "rfd_4Yk9n2bT7xQz1LmN8vRc3WpD",
    "payment": "pay_1f7f6a0c9f0f5c7d8f1b2a3c4d5e6f70",
    "failure": None,
    "created": 1795339200,
}


class CancelParams(Asked):
    """`POST /v1/subscriptions/{subscription}/cancel`."""

    at: Literal["now", "period_end"] = Field(
        "period_end", description="At once, or at the end of what is paid for."
    )
    refund_last_payment: bool = Field(
        False,
        description="Give back what was collected last for it, once a charge that is out has an "
        "answer.",
    )

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"at": "now", "refund_last_payment": True}]},
    )


class SubscriptionShape(BaseModel):
    """A subscription as last seen; Stripe remains the source of truth."""

    id: str
    object: Literal["subscription"] = "subscription"
    livemode: bool
    customer: str
    status: str = Field(description="Stripe's word")
    collection_method: str
    cancels_at_period_end: bool
    created: Seconds
    ended_at: Seconds | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
                    "object": "subscription",
                    "livemode": False,
                    "customer": "cus_QXg1o8vcGmoR32",
                    "status": "active",
                    "collection_method": "send_invoice",
                    "cancels_at_period_end": True,
                    "created": 1795339200,
                    "ended_at": None,
                }
            ]
        }
    )


class CancellationShape(BaseModel):
    """One request to end a subscription, or to let it go on."""

    id: str
    object: Literal["cancellation"] = "cancellation"
    livemode: bool
    subscription: str
    customer: str
    at: str = Field(description="now, period_end, or never: it goes on")
    state: str = Field(
        description="canceling, waiting_for_charge, refunding, done, failed or needs_person"
    )
    refund: str | None = Field(description="The refund that was asked for with it.")
    payment: str | None = Field(description="Whose money goes back.")
    failure: str | None = Field(description="Why it failed, or what a person has to decide.")
    created: Seconds

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_CANCELLATION)]})


@router.get(_ONE, summary="One subscription")
async def get_one(subscription: str, means: TheMeans, caller: Reader) -> SubscriptionShape:
    """Only those of customers that we collect from."""
    async with means.database.connect() as db:
        its = await subscriptions.read(db, caller.scope, subscription)
    return SubscriptionShape(
        id=its.id,
        livemode=caller.scope.livemode,
        customer=its.customer_id,
        status=its.status,
        collection_method=its.collection_method,
        cancels_at_period_end=its.cancels_at_period_end,
        created=seconds(its.created_at) or 0,
        ended_at=seconds(its.ended_at),
    )


@router.post(_ONE + "/cancel", summary="Cancel a subscription")
async def cancel(
    subscription: str, params: CancelParams, doors: TheDoors, caller: Collector
) -> CancellationShape:
    """In Stripe at once; then, where asked for, the last payment is given back.

    `waiting_for_charge` in the answer: a charge is out, and what becomes of it is waited for.
    Refused (409), with nothing changed: it has ended (`subscription_ended`), another cancellation
    of it runs (`cancellation_runs`), nothing was ever collected (`nothing_to_refund`). A refund
    needs a key with the scope `refund` (403).
    """
    at, refund = At(params.at), params.refund_last_payment
    if refund:
        caller.require("refund")
    return await _ask(doors, caller, CancelRequest(subscription, at, caller.actor, refund))


@router.post(_ONE + "/uncancel", summary="Let a subscription go on")
async def uncancel(subscription: str, doors: TheDoors, caller: Collector) -> CancellationShape:
    """Takes back a cancellation at the end of the period, until it has come (409)."""
    return await _ask(doors, caller, CancelRequest(subscription, At.NEVER, caller.actor))


@router.get("/v1/cancellations/{cancellation}", summary="One cancellation")
async def get_cancellation(cancellation: str, means: TheMeans, caller: Reader) -> CancellationShape:
    """How far it is, and what became of the refund that was asked for with it."""
    async with means.database.connect() as db:
        found = await operations.find(db, caller.scope, cancellation)
    if found is None or found.kind != cancelling.KIND:
        raise NotFoundError(f"No such cancellation: {cancellation}", param="cancellation")
    return _shape(caller.scope, found)


async def _ask(doors: Doors, caller: Caller, request: CancelRequest) -> CancellationShape:
    means, scope, operation_id = doors.means, caller.scope, caller.new_id("can")
    await cancelling.begin(means, scope, operation_id, request)
    await flow.drive(means, scope, operation_id, patience_s=20)
    doors.waker.ring()
    async with means.database.connect() as db:
        return _shape(scope, await operations.read(db, scope, operation_id))


def _shape(scope: Scope, row: Operation) -> CancellationShape:
    return CancellationShape(
        id=row.id,
        livemode=scope.livemode,
        subscription=row.data["subscription_id"],
        customer=str(row.customer_id),
        at=row.data["asked"]["at"],
        state=state_of(Step(row.step), parked=row.parked_why is not None),
        refund=row.data.get("refund_id"),
        payment=row.data.get("payment_id"),
        failure=row.data.get("failed_why") or row.parked_why,
        created=seconds(row.created_at) or 0,
    )
