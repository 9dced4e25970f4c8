"""What-if: the invoice that a change of a subscription would bring, before anybody makes it."""

from dataclasses import dataclass, replace

from twintill.errors import BadRequest
from twintill.flows.means import Means
from twintill.store import clock
from twintill.stripe_billing.preview import Change, ItemChange, Preview, WhatIf


@dataclass(frozen=True, slots=True)
class Previewed:
    """With the date of proration that it was computed for: the change is to take the same."""

    preview: Preview
    proration_date: int


async def preview(means: Means, what: WhatIf, only_item: ItemChange | None = None) -> Previewed:
    """Nothing is created or changed. Raises BadRequest, and StripeRefused with Stripe's reason.

    `only_item`: a change of the one item that the subscription has, whatever its id.
    """
    change = what.change
    moves = only_item is not None or change.items or change.trial_end is not None
    if change.proration_date is not None and not moves:
        raise BadRequest(
            "A date of proration is of items or a trial that change; a cancellation is as of now.",
            param="proration_date",
        )
    if only_item is not None:
        if what.subscription_id is None:
            change = replace(change, items=(only_item,))
        else:
            change = await with_only_item(means, what.subscription_id, change, only_item)
    if change.proration_date is None:
        change = replace(change, proration_date=await now_s(means))
    shown = await means.stripe.preview(replace(what, change=change))
    return Previewed(shown, change.proration_date or 0)


async def with_only_item(
    means: Means, subscription_id: str, change: Change, only: ItemChange
) -> Change:
    """The change with its item named. Raises BadRequest where there are several."""
    found = (await means.stripe.read_changeable(subscription_id)).items
    if len(found) != 1:
        named = ", ".join(f"{item} ({price} × {quantity})" for item, price, quantity in found)
        raise BadRequest(
            f"{subscription_id} has {len(found)} items: say in `items` which one: {named}.",
            param="items",
        )
    return replace(change, items=(replace(only, id=found[0][0]),))


async def now_s(means: Means) -> int:
    async with means.database.connect() as db:
        return int((await clock.now(db)).timestamp())
