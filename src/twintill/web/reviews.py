"""/v1/invoice_reviews: drafts that wait, and who lets them go; POST /v1/invoices/{id}/hold."""

from typing import Annotated, Literal

from fastapi import Query
from starlette.requests import Request

from twintill.domain.drafting import Verb
from twintill.flows import operations as operating
from twintill.flows import reviews as flow
from twintill.flows.reviews import Deed
from twintill.ids import Scope
from twintill.store import operations, reviews
from twintill.store.reviews import Review
from twintill.web.api import Collector, Reader, api_router
from twintill.web.auth import Caller
from twintill.web.doors import Doors, TheDoors, TheMeans
from twintill.web.draft_shapes import HoldParams, ItemsParams, ReviewShape, WhyParams
from twintill.web.pagination import ListShape, ThePage, as_list, only, seconds

router = api_router("drafts")
_ALL, _ONE = "/v1/invoice_reviews", "/v1/invoice_reviews/{review}"
_PATIENCE_S = 20
_State = Literal[
    "held",
    "approved",
    "released",
    "voided",
    "finalized_elsewhere",
    "voided_elsewhere",
    "released_elsewhere",
    "deleted",
]


@router.get(_ALL, summary="List drafts that wait for a review")
async def list_all(
    request: Request,
    means: TheMeans,
    caller: Reader,
    page: ThePage,
    state: Annotated[_State | None, Query(description="How it stands.")] = None,
    waiting: Annotated[
        bool | None, Query(description="Held or approved; false: those that wait no more.")
    ] = None,
    customer: Annotated[str | None, only("Of this customer.")] = None,
) -> ListShape[ReviewShape]:
    """Newest first; also those that wait no more."""
    async with means.database.connect() as db:
        found, more = await reviews.page(
            db, caller.scope, page, state=state, waiting=waiting, customer_id=customer
        )
    return as_list(request, [_shape(caller.scope, one) for one in found], has_more=more)


@router.get(_ONE, summary="One review")
async def get_one(review: str, means: TheMeans, caller: Reader) -> ReviewShape:
    """By its own id, or its invoice's."""
    async with means.database.connect() as db:
        return _shape(caller.scope, await reviews.read(db, caller.scope, review))


@router.post("/v1/invoices/{invoice}/hold", summary="Hold a draft")
async def hold(invoice: str, params: HoldParams, doors: TheDoors, caller: Collector) -> ReviewShape:
    """Stripe does not finalize it before somebody else approved it and it is released."""
    operation_id = caller.new_id("dee")
    await flow.hold(
        doors.means, caller.scope, operation_id, invoice, by=caller.actor, why=params.why
    )
    return await _done(doors, caller.scope, operation_id, invoice)


@router.post(_ONE + "/approve", summary="Approve a draft")
async def approve(
    review: str, means: TheMeans, caller: Collector, params: WhyParams | None = None
) -> ReviewShape:
    """With the total that Stripe shows now. Not by who held it by hand or changed it last (409,
    `second_person_needed`): people are told apart by the owner of their API key.
    """
    approved = await flow.approve(
        means, caller.scope, caller.new_id("act"), review, by=caller.actor, why=_why(params)
    )
    return _shape(caller.scope, approved)


@router.post(_ONE + "/release", summary="Release a draft")
async def release(
    review: str, doors: TheDoors, caller: Collector, params: WhyParams | None = None
) -> ReviewShape:
    """Finalized at once, and collected like any other. Refused (409): nobody approved it
    (`not_approved`), it was changed in Stripe since (`changed_since_approval`: the approval is
    gone), it was released before (`already_released`).
    """
    return await _do(doors, caller, review, Deed(Verb.RELEASE, caller.actor, _why(params)))


@router.post(_ONE + "/void", summary="Void a draft")
async def void(
    review: str, doors: TheDoors, caller: Collector, params: WhyParams | None = None
) -> ReviewShape:
    """A subscription's draft cannot be deleted: it is finalized and voided, and nobody collects it
    in between. A one-off's is deleted, with the items that were made for it.
    """
    return await _do(doors, caller, review, Deed(Verb.VOID, caller.actor, _why(params)))


@router.post(_ONE + "/items", summary="Change the items of a draft")
async def change(
    review: str, params: ItemsParams, doors: TheDoors, caller: Collector
) -> ReviewShape:
    """All of it or nothing. An approval is taken back: it was of something else."""
    items = [item.read() for item in params.add]
    deed = Deed(Verb.CHANGE, caller.actor, params.why, items, params.remove)
    return await _do(doors, caller, review, deed)


def _why(params: WhyParams | None) -> str | None:
    return None if params is None else params.why


async def _do(doors: Doors, caller: Caller, review: str, deed: Deed) -> ReviewShape:
    operation_id = caller.new_id("dee")
    review = await flow.begin(doors.means, caller.scope, operation_id, review, deed)
    return await _done(doors, caller.scope, operation_id, review)


async def _done(doors: Doors, scope: Scope, operation_id: str, review: str) -> ReviewShape:
    """As far as it came; `doing` in the answer: a worker goes on with it."""
    means = doors.means
    await operating.drive(means, scope, operation_id, patience_s=_PATIENCE_S)
    doors.waker.ring()
    async with means.database.connect() as db:
        flow.require_done(await operations.read(db, scope, operation_id))
        return _shape(scope, await reviews.read(db, scope, review))


def _shape(scope: Scope, review: Review) -> ReviewShape:
    return ReviewShape(
        id=review.id,
        livemode=scope.livemode,
        invoice=review.invoice_id,
        customer=review.customer_id,
        subscription=review.subscription_id,
        currency=review.currency.lower(),
        total=review.total_minor,
        state=review.state,
        why=review.why,
        held_by=review.held_by,
        held_at=seconds(review.held_at) or 0,
        rule=review.rule_id,
        rule_version=review.rule_version,
        needs_approval=review.needs_approval,
        doing=review.doing,
        changed_by=review.changed_by,
        changed_at=seconds(review.changed_at),
        approved_by=review.approved_by,
        approved_at=seconds(review.approved_at),
        ended_by=review.ended_by,
        ended_at=seconds(review.ended_at),
        period_ends_at=seconds(review.period_ends_at),
        announced=review.announced,
        created=seconds(review.created_at) or 0,
    )
