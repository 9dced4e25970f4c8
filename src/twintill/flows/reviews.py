"""The queue of drafts, as its doors use it: hold, approve, release, void, change.

Whatever changes something in Stripe is an operation (`review_deeds`); `begin` commits it, and
`flows.operations.drive` makes it happen. An approval is by a second person, of what Stripe shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.drafting import DEED, Draft, Item, Verb, may_not_approve
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import BadRequest, ConflictError, NotFoundError, StripeRefused
from twintill.flows.means import Means
from twintill.flows.review_queue import REFUSED, left, status_of
from twintill.ids import Scope
from twintill.store import invoice_actions, mirror, operations, reviews
from twintill.store.draft_rules import item_json
from twintill.store.invoice_actions import Action
from twintill.store.operations import Operation
from twintill.store.reviews import Held, Review

_SAID = {"released": "already_released", "voided": "already_voided"}


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody asks for; `add` and `remove` (invoice items) of a change only."""

    verb: Verb
    by: str
    why: str | None = None
    add: Sequence[Item] = ()
    remove: Sequence[str] = ()


async def hold(
    means: Means, scope: Scope, operation_id: str, invoice_id: str, *, by: str, why: str
) -> None:
    """Begin to hold a draft. Raises NotFoundError, ConflictError."""
    async with means.database.connect() as db:
        if await operations.find(db, scope, operation_id) is not None:
            return
    draft = await means.stripe.read_draft(invoice_id)
    if draft is None or draft.customer_id is None:
        raise NotFoundError(f"No such invoice: {invoice_id}", param="invoice")
    async with means.database.begin() as db:
        await _require_ours(db, scope, draft)
        held = _held(draft, operation_id, by, why)
        if not await reviews.hold(db, scope, held):
            raise ConflictError(f"{draft.id} is held already.", code="already_held")
        await _add(db, scope, operation_id, held.customer_id, draft.id, Deed(Verb.HOLD, by, why))


async def begin(means: Means, scope: Scope, operation_id: str, wanted: str, deed: Deed) -> str:
    """Begin to release, void or change one; its id. `wanted`: that, or its invoice's.

    Raises NotFoundError, BadRequest, and ConflictError with nothing changed: it waits no more,
    something is being done with it, or it is not approved.
    """
    if deed.verb is Verb.CHANGE and not (deed.add or deed.remove):
        raise BadRequest("Nothing to change: name what to add or to remove.")
    async with means.database.begin() as db:
        review = await reviews.read(db, scope, wanted, lock=True)
        if await operations.find(db, scope, operation_id) is not None:
            return review.id
        await _require_waiting(db, scope, review, deed.verb)
        if deed.verb is Verb.RELEASE and review.needs_approval and review.state != "approved":
            raise ConflictError(
                f"{review.invoice_id} is not approved: a second person has to.", code="not_approved"
            )
        voiding = deed.verb is Verb.VOID
        if voiding and await mirror.payment_of_invoice(db, scope, review.invoice_id) is not None:
            raise ConflictError(
                f"{review.invoice_id} has a payment already, which must end first.",
                code="payment_exists",
            )
        await reviews.begin(db, scope, review.id, operation_id, voiding=voiding)
        await _add(db, scope, operation_id, review.customer_id, review.invoice_id, deed)
        return review.id


async def approve(
    means: Means, scope: Scope, action_id: str, wanted: str, *, by: str, why: str | None = None
) -> Review:
    """By another person than who held or changed it, of the total that Stripe shows now."""
    async with means.database.connect() as db:
        review = await reviews.read(db, scope, wanted)
    draft = await means.stripe.read_draft(review.invoice_id)
    async with means.database.begin() as db:
        review = await reviews.read(db, scope, review.id, lock=True)
        if review.state == "approved" and review.approved_by == by:
            return review
        await _require_waiting(db, scope, review, None)
        rule = may_not_approve(by, review.held_by, review.changed_by)
        if rule is not None:
            raise ConflictError(
                f"{by} {rule}: somebody else has to approve it.", code="second_person_needed"
            )
        if draft is not None and draft.look.status is InvoiceStatus.DRAFT:
            await reviews.approved(db, scope, review.id, by, draft.total_minor)
            await _approved(db, scope, action_id, review, by, why, draft.total_minor)
            return await reviews.read(db, scope, review.id)
        await left(db, means, scope, review.invoice_id, status_of(draft), action_id)
    raise ConflictError(f"It is no draft any more: {status_of(draft)}.", code="invoice_not_a_draft")


def require_done(operation: Operation) -> None:
    """Raises what the operation was refused with: ConflictError, or Stripe's own StripeRefused."""
    if operation.step != REFUSED:
        return
    code, why = operation.data["refused"]
    if code == "stripe_refused":
        stripe_code, request_id = operation.data["stripe"]
        raise StripeRefused(why, code=stripe_code, request_id=request_id)
    raise ConflictError(why, code=code)


async def _require_ours(db: AsyncConnection, scope: Scope, draft: Draft) -> None:
    if not await mirror.customer_is_known(db, scope, draft.customer_id or ""):
        raise NotFoundError(f"{draft.id} is not of a customer of ours.", param="invoice")
    if draft.look.status is not InvoiceStatus.DRAFT:
        raise ConflictError(
            f"It is no draft any more: {draft.look.status}.", code="invoice_not_a_draft"
        )
    if draft.look.collection_method != "send_invoice":
        raise ConflictError("Stripe collects this invoice itself.", code="collected_by_stripe")
    if await mirror.payment_of_invoice(db, scope, draft.id) is not None:
        raise ConflictError(
            f"{draft.id} has a payment already: it is finalized by Twintill itself.",
            code="payment_exists",
        )


async def _require_waiting(
    db: AsyncConnection, scope: Scope, review: Review, verb: Verb | None
) -> None:
    if not review.waits:
        raise ConflictError(
            f"{review.invoice_id} waits no more: {review.state}, by {review.ended_by}.",
            code=_SAID.get(review.state, "review_ended"),
        )
    if review.doing is None:
        return
    running = await operations.find(db, scope, review.doing)
    again = running is not None and running.data.get("verb") == Verb.RELEASE == verb
    raise ConflictError(
        f"{review.doing} does something with it just now.",
        code="already_released" if again else "review_busy",
    )


async def _approved(
    db: AsyncConnection,
    scope: Scope,
    action_id: str,
    review: Review,
    by: str,
    why: str | None,
    total_minor: int,
) -> None:
    action = Action(
        id=action_id,
        did="approved",
        actor=by,
        invoice_id=review.invoice_id,
        customer_id=review.customer_id,
        why=why,
        detail={"total": total_minor, "currency": review.currency.lower()},
    )
    await invoice_actions.add(db, scope, action)


async def _add(
    db: AsyncConnection,
    scope: Scope,
    operation_id: str,
    customer_id: str,
    invoice_id: str,
    deed: Deed,
) -> None:
    data: dict[str, Any] = {
        "invoice_id": invoice_id,
        "verb": deed.verb.value,
        "by": deed.by,
        "why": deed.why,
    }
    if deed.verb is Verb.CHANGE:
        data["add"] = [item_json(item) for item in deed.add]
        data["remove"] = data["asked_to_remove"] = list(deed.remove)
    await operations.add(
        db,
        scope,
        operation_id=operation_id,
        kind=DEED,
        customer_id=customer_id,
        step=deed.verb.value,
        data=data,
        ring=False,
    )


def _held(draft: Draft, operation_id: str, by: str, why: str) -> Held:
    return Held(
        invoice_id=draft.id,
        customer_id=draft.customer_id or "",
        subscription_id=draft.subscription_id,
        currency=draft.currency,
        total_minor=draft.total_minor,
        by=by,
        why=why,
        doing=operation_id,
    )
