"""The queue of drafts that wait for a review: into it, out of it, and what is told of it.

While an operation has a draft (`doing`), only that one says what becomes of it. What is done in
Stripe by somebody else is followed: its events are hints, and a worker looks.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.draft_events import DRAFT_HELD, REVIEW_ENDED
from twintill.domain.drafting import DEED, Draft, Verb
from twintill.domain.invoice import InvoiceLook, InvoiceStatus
from twintill.errors import ConflictError, StripeRefused
from twintill.flows.means import Means
from twintill.flows.operating import Operating
from twintill.ids import Scope, derived_id
from twintill.store import invoice_actions, mirror, operations, outgoing, reviews
from twintill.store.invoice_actions import Action
from twintill.store.reviews import Held, Review

DONE, REFUSED = "done", "refused"
STRIPE = "stripe"  # somebody there, by the Dashboard or the API
_LEFT = {
    InvoiceStatus.VOID: "voided_elsewhere",
    InvoiceStatus.DELETED: "deleted",
}


async def require_not_held(db: AsyncConnection, scope: Scope, invoice_id: str) -> None:
    """For who would change or finalize it past the queue. Raises ConflictError."""
    review = await reviews.find(db, scope, invoice_id)
    if review is not None and review.waits:
        raise ConflictError(
            f"{invoice_id} waits for a review ({review.id}): change, release or void it there.",
            code="held_for_review",
            param="invoice",
        )


async def left(
    db: AsyncConnection,
    means: Means,
    scope: Scope,
    invoice_id: str,
    status: InvoiceStatus,
    actor: str,
) -> None:
    """In the intake's transaction: it is no draft any more, and not by our hand."""
    state = _LEFT.get(status, "finalized_elsewhere")
    review = await reviews.left(db, scope, invoice_id, state, STRIPE)
    if review is not None:
        await _ended_elsewhere(db, means, scope, review, actor)


async def follow(db: AsyncConnection, scope: Scope, invoice_id: str, customer_id: str) -> None:
    """In the intake's transaction: its event is a hint, a worker looks."""
    its_id = derived_id("dfl", scope, invoice_id)
    data = {"invoice_id": invoice_id, "verb": Verb.FOLLOW.value}
    new = await operations.add(
        db,
        scope,
        operation_id=its_id,
        kind=DEED,
        customer_id=customer_id,
        step=Verb.FOLLOW.value,
        data=data,
    )
    if not new:
        await operations.ask_again(db, scope, its_id, first=Verb.FOLLOW.value)


async def follow_it(operating: Operating) -> Operating | None:
    """Into the queue, or out of it, as it is in Stripe now."""
    scope, invoice_id = operating.scope, operating.data["invoice_id"]
    draft = await operating.means.stripe.read_draft(invoice_id)
    async with operating.means.database.begin() as db:
        if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
            became = status_of(draft)
            await left(db, operating.means, scope, invoice_id, became, operating.id)
        elif draft.auto_advance:
            review = await reviews.left(db, scope, invoice_id, "released_elsewhere", STRIPE)
            if review is not None:
                await _ended_elsewhere(db, operating.means, scope, review, operating.id)
        elif await reviews.hold(db, scope, _held_elsewhere(operating, draft)):
            await _tell_held(db, operating)
    return await operating.end_or_again(DONE, Verb.FOLLOW.value)


async def hold_in_stripe(operating: Operating) -> bool:
    """False: it is no draft any more; then the queue says so, and the operation has ended."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    try:
        draft: Draft | None = await stripe.hold_draft(invoice_id)
    except StripeRefused:
        draft = await stripe.read_draft(invoice_id)
        if draft is not None and draft.look.status is InvoiceStatus.DRAFT:
            raise
    if draft is not None and draft.look.status is InvoiceStatus.DRAFT:
        return True
    await gone(operating, status_of(draft))
    return False


async def is_held(db: AsyncConnection, operating: Operating) -> None:
    """Nothing is done to it for the moment: it waits for a person."""
    await reviews.rest(db, operating.scope, its_review(operating))
    await _tell_held(db, operating)


async def gone(operating: Operating, status: InvoiceStatus) -> Operating | None:
    """Somebody else was faster: the queue says what it became."""
    scope, its_id = operating.scope, its_review(operating)
    async with operating.means.database.begin() as db:
        await reviews.rest(db, scope, its_id)
        invoice_id = operating.data["invoice_id"]
        await left(db, operating.means, scope, invoice_id, status, operating.id)
        why = f"It is no draft any more: {status}."
        await operating.end(db, REFUSED, refused=["invoice_not_a_draft", why], ended=why)
    return None


async def refuse(operating: Operating, code: str, why: str) -> Operating | None:
    """Nothing was done, and it waits as before."""
    async with operating.means.database.begin() as db:
        await reviews.rest(db, operating.scope, its_review(operating))
        await operating.end(db, REFUSED, refused=[code, why])
    return None


async def refuse_as_stripe(operating: Operating, refused: StripeRefused) -> Operating | None:
    async with operating.means.database.begin() as db:
        await reviews.rest(db, operating.scope, its_review(operating))
        says = [refused.code, refused.request_id]
        await operating.end(db, REFUSED, refused=["stripe_refused", str(refused)], stripe=says)
    return None


async def conclude(operating: Operating, state: str, look: InvoiceLook | None) -> Operating | None:
    """Out of the queue, by the one who asked; `look` None: there is no such invoice any more."""
    scope, by = operating.scope, operating.data["by"]
    async with operating.means.database.begin() as db:
        if look is not None:
            await mirror.saw_look(db, scope, look)
        await reviews.ended(db, scope, its_review(operating), state, by)
        await act(db, operating, state, operating.data.get("detail"))
        if operating.means.tells_app:
            review = await reviews.read(db, scope, its_review(operating))
            await outgoing.add(db, scope, REVIEW_ENDED, review.invoice_id, review_told(review))
        await operating.end(db, DONE)
    return None


async def act(
    db: AsyncConnection, operating: Operating, did: str, detail: Mapping[str, Any] | None = None
) -> None:
    data = operating.data
    action = Action(
        id=operating.id,
        did=did,
        actor=data["by"],
        invoice_id=data["invoice_id"],
        customer_id=operating.operation.customer_id,
        why=data["why"],
        detail=detail or {},
    )
    await invoice_actions.add(db, operating.scope, action)


def status_of(draft: Draft | None) -> InvoiceStatus:
    return InvoiceStatus.DELETED if draft is None else draft.look.status


def its_review(operating: Operating) -> str:
    return reviews.review_id(operating.scope, operating.data["invoice_id"])


def review_told(review: Review) -> dict[str, Any]:
    """In the words of the API: what the app hears."""
    period = review.period_ends_at
    return {
        "id": review.id,
        "object": "invoice_review",
        "invoice": review.invoice_id,
        "customer": review.customer_id,
        "subscription": review.subscription_id,
        "state": review.state,
        "currency": review.currency.lower(),
        "total": review.total_minor,
        "why": review.why,
        "held_by": review.held_by,
        "held_at": int(review.held_at.timestamp()),
        "approved_by": review.approved_by,
        "ended_by": review.ended_by,
        "period_ends_at": None if period is None else int(period.timestamp()),
    }


async def _ended_elsewhere(
    db: AsyncConnection, means: Means, scope: Scope, review: Review, cause: str
) -> None:
    action = Action(
        id=f"{review.id}:{review.round}:{review.state}",
        did=review.state,
        actor=STRIPE,
        invoice_id=review.invoice_id,
        customer_id=review.customer_id,
        detail={"seen_in": cause},
    )
    await invoice_actions.add(db, scope, action)
    if means.tells_app:
        await outgoing.add(db, scope, REVIEW_ENDED, review.invoice_id, review_told(review))


async def _tell_held(db: AsyncConnection, operating: Operating) -> None:
    if operating.means.tells_app:
        review = await reviews.read(db, operating.scope, its_review(operating))
        told = review_told(review)
        await outgoing.add(db, operating.scope, DRAFT_HELD, review.invoice_id, told)


def _held_elsewhere(operating: Operating, draft: Draft) -> Held:
    return Held(
        invoice_id=draft.id,
        customer_id=str(operating.operation.customer_id),
        subscription_id=draft.subscription_id,
        currency=draft.currency,
        total_minor=draft.total_minor,
        by=STRIPE,
        why="auto_advance was switched off in Stripe",
    )
