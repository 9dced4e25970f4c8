"""Changing the items of a draft that waits for a review.

    change -> add -> remove -> changed     judged as a whole first; all to add in one call

Whoever approved it approved something else: the approval is taken back.
"""

from collections.abc import Mapping

from twintill.domain.draft_answers import why_not_added
from twintill.domain.drafting import Item, Verb
from twintill.domain.invoice import InvoiceStatus
from twintill.errors import StripeRefused
from twintill.flows.operating import Operating, Walk
from twintill.flows.review_queue import (
    DONE,
    act,
    gone,
    its_review,
    refuse,
    refuse_as_stripe,
    status_of,
)
from twintill.store import mirror, reviews

_ADD, _REMOVE, _CHANGED = "add", "remove", "changed"


async def change(operating: Operating) -> Operating | None:
    """Judged as a whole before anything of it is done."""
    stripe, data = operating.means.stripe, operating.data
    draft = await stripe.read_draft(data["invoice_id"])
    if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
        return await gone(operating, status_of(draft))
    wrong = why_not_added(_items(operating), draft.currency, draft.lines - len(data["remove"]))
    if wrong is not None:
        return await refuse(operating, "items_refused", f"{wrong}.")
    there = await stripe.items_on(draft.id) if data["remove"] else set()
    missing = next((one for one in data["remove"] if one not in there), None)
    if missing is not None:
        return await refuse(
            operating,
            "item_not_there",
            f"{missing} is no invoice item on this draft (what a subscription bills is no item).",
        )
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _ADD if data["add"] else _REMOVE)


async def add(operating: Operating) -> Operating | None:
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    there = False
    if operating.key_is_doubtful:
        there = await stripe.has_lines_of(invoice_id, operating.id)
        operating = operating if there else await operating.with_next_key()
    if not there:
        try:
            added = _items(operating)
            await stripe.add_items(invoice_id, added, operating.id, operating.key)
        except StripeRefused as refused:
            return await refuse_as_stripe(operating, refused)
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _REMOVE)


async def remove(operating: Operating) -> Operating | None:
    """One after the other; one that is gone is done."""
    left_over = operating.data["remove"]
    async with operating.means.database.begin() as db:
        if not left_over:
            return await operating.moved(db, _CHANGED)
    await operating.means.stripe.delete_item(left_over[0])
    async with operating.means.database.begin() as db:
        return await operating.moved(db, _REMOVE, remove=left_over[1:])


async def changed(operating: Operating) -> Operating | None:
    """What it comes to now is what has to be approved."""
    data, scope = operating.data, operating.scope
    draft = await operating.means.stripe.read_draft(data["invoice_id"])
    if draft is None or draft.look.status is not InvoiceStatus.DRAFT:
        return await gone(operating, status_of(draft))
    detail = {"added": data["add"], "removed": data["asked_to_remove"], "total": draft.total_minor}
    async with operating.means.database.begin() as db:
        await mirror.saw_look(db, scope, draft.look)
        its_id = its_review(operating)
        await reviews.changed(db, scope, its_id, data["by"], draft.total_minor)
        await reviews.rest(db, scope, its_id)
        await act(db, operating, "items_changed", detail)
        await operating.end(db, DONE)
    return None


def _items(operating: Operating) -> list[Item]:
    return [Item(**item) for item in operating.data["add"]]


STEPS: Mapping[str, Walk] = {
    Verb.CHANGE: change,
    _ADD: add,
    _REMOVE: remove,
    _CHANGED: changed,
}
