"""Invoice items that somebody asks for: onto a draft, or for the customer's next invoice."""

from collections.abc import Mapping
from typing import Any

from twintill.domain.invoicing import Step
from twintill.errors import StripeRefused
from twintill.flows.invoicing import asked, fail, note, saw, stripes
from twintill.flows.making_invoices import EARLIER
from twintill.flows.operating import Operating, Walk
from twintill.stripe_billing.invoice_items import ItemChanges, ItemShape, NewItem


async def add(operating: Operating) -> Operating | None:
    """One call, found again where its answer was lost."""
    try:
        item, operating = await _add(operating)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    return await _went(operating, "item_added", item)


async def change(operating: Operating) -> Operating | None:
    """Refused by Stripe once its invoice is finalized."""
    values = asked(operating)
    changes = ItemChanges(**values["changes"])
    operating = await operating.with_good_key()
    try:
        item = await operating.means.stripe.change_item(values["item_id"], changes, operating.key)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    return await _went(operating, "item_changed", item)


async def remove(operating: Operating) -> Operating | None:
    """Refused by Stripe once its invoice is finalized."""
    try:
        await operating.means.stripe.delete_item(asked(operating)["item_id"])
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    return await _went(operating, "item_removed", None)


async def look(operating: Operating) -> Operating | None:
    """What the draft comes to now."""
    seen = await operating.means.stripe.read_made(operating.data["invoice_id"])
    async with operating.means.database.begin() as db:
        await saw(db, operating.means, operating.scope, seen, asked(operating)["by"])
        await operating.end(db, Step.DONE)
    return None


async def _add(operating: Operating) -> tuple[ItemShape, Operating]:
    stripe, values = operating.means.stripe, asked(operating)
    if operating.key_is_doubtful:
        since = operating.operation.created_at - EARLIER
        customer_id = values["item"]["customer_id"]
        found = await stripe.find_item_by_op(customer_id, operating.id, since)
        if found is not None:
            return found, operating
        operating = await operating.with_next_key()
    wanted = NewItem(**values["item"])
    return await stripe.create_item(wanted, operating.id, operating.key), operating


async def _went(operating: Operating, did: str, item: ItemShape | None) -> Operating | None:
    invoice_id = operating.data.get("invoice_id")
    made = None if item is None else item_shown(item)
    told: dict[str, Any] = {"item": asked(operating).get("item_id")}
    if item is not None:
        told = {"item": item.id, "amount_minor": item.amount_minor, "currency": item.currency}
    async with operating.means.database.begin() as db:
        await note(db, operating, did, invoice_id, **told)
        if invoice_id is not None:
            return await operating.moved(db, Step.LOOK, made=made)
        await operating.end(db, Step.DONE, made=made)
    return None


def item_shown(item: ItemShape) -> dict[str, Any]:
    """As JSON, for the answer."""
    return item.model_dump(mode="json", exclude={"metadata"})


STEPS: Mapping[str, Walk] = {
    Step.ADD_ITEM: add,
    Step.CHANGE_ITEM: change,
    Step.REMOVE_ITEM: remove,
    Step.LOOK: look,
}
