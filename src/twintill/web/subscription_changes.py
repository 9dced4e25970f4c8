"""POST /v1/subscriptions/{subscription}/change: other prices, quantities, a coupon, a trial."""

from typing import Literal

from pydantic import BaseModel, Field

from twintill.domain.changing import Step, state_of
from twintill.errors import NotFoundError, StripeRefused
from twintill.flows import changing
from twintill.flows import operations as flow
from twintill.flows.changing import ChangeRequest
from twintill.ids import Scope
from twintill.store import operations
from twintill.store.operations import Operation
from twintill.web import examples
from twintill.web.api import Collector, Reader, api_router
from twintill.web.change_shapes import ChangeParams
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import seconds
from twintill.web.shapes import Seconds

router = api_router("subscriptions")


class SubscriptionChangeParams(ChangeParams):
    """`POST /v1/subscriptions/{subscription}/change`."""

    model_config = examples.shown(
        price="price_1Pgaf2B7WZ01zgkWyearly00",
        proration_behavior="always_invoice",
        proration_date=1796548800,
    )


class SubscriptionChangeShape(BaseModel):
    """One request to change a subscription."""

    id: str
    object: Literal["subscription_change"] = "subscription_change"
    livemode: bool
    subscription: str
    customer: str
    state: str = Field(description="changing, done, failed or needs_person")
    proration_date: Seconds | None = Field(description="As if the change were made then.")
    invoice: str | None = Field(description="The invoice that it made at once, if it made one.")
    failure: str | None = Field(description="Why it failed, or what a person has to decide.")
    asked_by: str
    created: Seconds

    model_config = examples.shown(
        id="sch_4Yk9n2bT7xQz1LmN8vRc3WpD",
        livemode=False,
        subscription="sub_1PgafmB7WZ01zgkWcn5Zr0ZI",
        customer="cus_QXg1o8vcGmoR32",
        state="done",
        proration_date=1796548800,
        invoice="in_1PgafmB7WZ01zgkW6dKueIc5",
        failure=None,
        asked_by="api:shop backend",
        created=1796548860,
    )


@router.post("/v1/subscriptions/{subscription}/change", summary="Change a subscription")
async def change(
    subscription: str, params: SubscriptionChangeParams, doors: TheDoors, caller: Collector
) -> SubscriptionChangeShape:
    """In Stripe, under one idempotency key.

    What it bills at once (`always_invoice`, or a trial that begins) is an invoice like any other:
    collected when it is finalized, by whoever collects the subscription.

    What Stripe refuses is 400 `stripe_refused`, and nothing was changed. Refused too (409): a
    subscription that has ended, whose first invoice or sign-up has no end, or that is being
    cancelled, switched or changed. `changing` in the answer: Stripe could not be asked; a worker
    goes on with it.
    """
    request = ChangeRequest(subscription, params.change(), caller.actor, params.only_item())
    means, scope, operation_id = doors.means, caller.scope, caller.new_id("sch")
    await changing.begin(means, scope, operation_id, request)
    await flow.drive(means, scope, operation_id, patience_s=20)
    doors.waker.ring()
    async with means.database.connect() as db:
        row = await operations.read(db, scope, operation_id)
    if row.step == Step.FAILED:
        raise StripeRefused(row.data["failed_why"], code=row.data["failed_code"])
    return _shape(scope, row)


@router.get("/v1/subscription_changes/{change}", summary="One change of a subscription")
async def get_one(change: str, means: TheMeans, caller: Reader) -> SubscriptionChangeShape:
    """How far it is, and what it made."""
    async with means.database.connect() as db:
        found = await operations.find(db, caller.scope, change)
    if found is None or found.kind != changing.KIND:
        raise NotFoundError(f"No such change of a subscription: {change}", param="change")
    return _shape(caller.scope, found)


def _shape(scope: Scope, row: Operation) -> SubscriptionChangeShape:
    return SubscriptionChangeShape(
        id=row.id,
        livemode=scope.livemode,
        subscription=row.data["subscription_id"],
        customer=str(row.customer_id),
        state=state_of(Step(row.step), parked=row.parked_why is not None),
        proration_date=row.data["change"]["proration_date"],
        invoice=row.data.get("invoice_id"),
        failure=row.data.get("failed_why") or row.parked_why,
        asked_by=row.data["asked"]["by"],
        created=seconds(row.created_at) or 0,
    )
