"""What is done to a draft that waits for a review: each an operation, in Stripe and in the queue.

    hold                          a person's; a rule's goes the same way (`draft_window`)
    release -> open               what was approved, and nothing else, is finalized
    void -> finalize_held -> close   nobody opens a payment for it in between
    void -> strip -> delete       of a one-off
    change -> add -> remove -> changed   all items to add in one call; an approval is taken back
    follow                        somebody switched `auto_advance` in Stripe

Meanwhile the row of the queue says which operation has it (`doing`), and nobody else does anything.
"""

from collections.abc import Mapping
from datetime import timedelta

from twintill.domain.drafting import Verb
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused
from twintill.flows import review_changes
from twintill.flows.operating import Operating, Walk
from twintill.flows.review_queue import (
    DONE,
    act,
    conclude,
    follow_it,
    gone,
    hold_in_stripe,
    is_held,
    its_review,
    refuse,
    refuse_as_stripe,
    status_of,
)
from twintill.store import reviews

_OPEN, _FINALIZE_HELD, _CLOSE = "open", "finalize_held", "close"
_STRIP, _DELETE = "strip", "delete"
_AT_THE_BANK = timedelta(hours=1)


async def hold(operating: Operating) -> Operating | None:
    """It is in the queue already, by the commit that asked for this."""
    if not await hold_in_stripe(operating):
        return None
    async with operating.means.database.begin() as db:
        await act(db, operating, "held")
        await is_held(db, operating)
        await operating.end(db, DONE)
    return None


async def release(operating: Operating) -> Operating | None:
    """Only what was approved: somebody may have changed it in Stripe since."""
    draft = await operating.means.stripe.read_draft(operating.data["invoice_id"])
    if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
        return await gone(operating, status_of(draft))
    async with operating.means.database.begin() as db:
        review = await reviews.read(db, operating.scope, its_review(operating), lock=True)
        if not review.needs_approval or review.total_minor == draft.total_minor:
            return await operating.moved(db, _OPEN)
        await reviews.unapproved(db, operating.scope, review.id, draft.total_minor)
    what = f"{review.total_minor} {review.currency} was approved; it is {draft.total_minor} now"
    return await refuse(operating, "changed_since_approval", f"{what} (minor units).")


async def open_it(operating: Operating) -> Operating | None:
    """From here on an invoice like any other: its event opens its payment."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        look = await stripe.release_draft(invoice_id, operating.key)
    except StripeRefused as refused:
        draft = await stripe.read_draft(invoice_id)
        if draft is None or draft.look.status is InvoiceStatus.VOID:
            return await gone(operating, status_of(draft))
        if draft.look.status is InvoiceStatus.DRAFT:
            return await refuse_as_stripe(operating, refused)
        look = draft.look
    return await conclude(operating, "released", look)


async def void(operating: Operating) -> Operating | None:
    """A subscription's draft cannot be deleted; Stripe voids only what is finalized."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    draft = await stripe.read_draft(invoice_id)
    if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
        return await gone(operating, status_of(draft))
    if draft.subscription_id is None:
        async with operating.means.database.begin() as db:
            return await operating.moved(db, _STRIP)
    if draft.look.amount_due_minor == 0:
        why = "Nothing is due on it: finalized, it is paid at once and cannot be voided. Release it"
        return await refuse(operating, "nothing_to_void", f"{why}, or add what is missing.")
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _FINALIZE_HELD)


async def strip(operating: Operating) -> Operating | None:
    """What was made for a one-off goes with it; what waits again for the next one is named."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    items = await stripe.list_items_of_draft(invoice_id)
    if items:
        await stripe.delete_item(items[0])
        async with operating.means.database.begin() as db:
            return await operating.moved(db, _STRIP)
    rest = sorted(await stripe.items_on(invoice_id))
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _DELETE, detail={"wait_for_the_next_invoice": rest})


async def delete(operating: Operating) -> Operating | None:
    """Refused where somebody finalized it just now."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    try:
        await stripe.delete_draft(invoice_id)
    except StripeRefused as refused:
        draft = await stripe.read_draft(invoice_id)
        if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
            return await gone(operating, status_of(draft))
        return await refuse_as_stripe(operating, refused)
    return await conclude(operating, "voided", None)


async def finalize_held(operating: Operating) -> Operating | None:
    """Open for a moment: `voiding` keeps everybody from collecting it."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        await stripe.finalize(invoice_id, operating.key)
    except StripeRefused as refused:
        look = await stripe.read_invoice(invoice_id)
        if look.status is InvoiceStatus.DRAFT:
            return await refuse_as_stripe(operating, refused)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _CLOSE)


async def close(operating: Operating) -> Operating | None:
    """Paid on Stripe's own page in that moment, or below Stripe's least amount, it stays paid."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    if operating.key_is_doubtful:
        operating = await operating.with_next_key()
    try:
        look = await stripe.void(invoice_id, operating.key)
    except StripeRefused:
        look = await stripe.read_invoice(invoice_id)
    if look.status is InvoiceStatus.VOID:
        return await conclude(operating, "voided", look)
    if look.closed:
        return await gone(operating, look.status)
    await operating.with_next_key()
    await operating.pause(_AT_THE_BANK)
    return None


STEPS: Mapping[str, Walk] = {
    Verb.HOLD: hold,
    Verb.RELEASE: release,
    _OPEN: open_it,
    Verb.VOID: void,
    _STRIP: strip,
    _DELETE: delete,
    _FINALIZE_HELD: finalize_held,
    _CLOSE: close,
    Verb.FOLLOW: follow_it,
    **review_changes.STEPS,
}
