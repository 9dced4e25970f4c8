"""A one-off invoice that somebody asks for, and what is done to drafts (kind `invoicing`).

draft -> lines -> finalize -> done
refused on the way: strip -> discard (`closing_invoices`), so that nothing is left half-done
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from twintill.domain.invoice import InvoiceStatus
from twintill.domain.invoicing import Step
from twintill.errors import StripeRefused
from twintill.flows.invoicing import asked, done, fail, note, ours, saw, shown, stripes
from twintill.flows.operating import Operating, Walk
from twintill.stripe_billing.invoices import RESOURCE_MISSING
from twintill.stripe_billing.invoicing import DraftChanges, Made, NewDraft, NewLine

EARLIER = timedelta(hours=1)  # Stripe's clock and ours need not agree
_STRIPPED_AT_ONCE = 20  # items, under one lease


async def draft(operating: Operating) -> Operating | None:
    """Empty, or with what waited for the customer's next invoice."""
    try:
        made, operating = await _draft(operating)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    values, invoice_id = asked(operating), made.invoice.id
    async with operating.means.database.begin() as db:
        await saw(db, operating.means, operating.scope, made, values["by"])
        await note(db, operating, "created", invoice_id, items=len(values["items"]) or None)
        if values["items"]:
            return await operating.moved(db, Step.LINES, invoice_id=invoice_id)
        if values["finalize"]:
            return await operating.moved(db, Step.FINALIZE, invoice_id=invoice_id)
        await operating.end(db, Step.DONE, invoice_id=invoice_id, made=shown(made))
    return None


async def lines(operating: Operating) -> Operating | None:
    """All of them in one call."""
    try:
        made, operating = await _lines(operating)
    except StripeRefused as refused:
        return await _take_back(operating, refused)
    async with operating.means.database.begin() as db:
        await saw(db, operating.means, operating.scope, made, asked(operating)["by"])
        if asked(operating)["finalize"]:
            return await operating.moved(db, Step.FINALIZE)
        await operating.end(db, Step.DONE, made=shown(made))
    return None


async def finalize(operating: Operating) -> Operating | None:
    """Open from now on, and collected like any other; or paid at once, where nothing is due."""
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    operating = await operating.with_good_key()
    doubtful = operating.next_key_n > 1  # under a former key it may be done already
    try:
        made = await stripe.finalize_draft(invoice_id, operating.key)
    except StripeRefused as refused:
        if refused.code == RESOURCE_MISSING:
            await fail(operating, stripes(refused))
            return None
        made = await stripe.read_made(invoice_id)
        if made.look.status is InvoiceStatus.DRAFT and _is_made_here(operating):
            return await _take_back(operating, refused)
        if made.look.status is InvoiceStatus.DRAFT or not (doubtful or _is_made_here(operating)):
            await fail(operating, stripes(refused))
            return None
    await done(operating, "finalized", made)
    return None


async def change(operating: Operating) -> Operating | None:
    """Only a draft can be changed: Stripe says so, and why."""
    values, invoice_id = asked(operating), operating.data["invoice_id"]
    due_at = values["due_at"] and datetime.fromisoformat(values["due_at"])
    changes = DraftChanges(**{**values["changes"], "due_at": due_at})
    operating = await operating.with_good_key()
    try:
        made = await operating.means.stripe.change_draft(invoice_id, changes, operating.key)
    except StripeRefused as refused:
        await fail(operating, stripes(refused))
        return None
    await done(operating, "changed", made)
    return None


async def strip(operating: Operating) -> Operating | None:
    """What was made for this draft goes first: it would wait for the customer's next invoice.

    What had waited before waits again.
    """
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    try:
        seen = await stripe.read_made(invoice_id)
        if seen.look.status is not InvoiceStatus.DRAFT or seen.invoice.subscription_id is not None:
            await fail(operating, _not_to_be_deleted(seen))
            return None
        items = await stripe.list_items_of_draft(invoice_id)
        for item_id in items[:_STRIPPED_AT_ONCE]:
            await stripe.delete_item(item_id)
    except StripeRefused as refused:
        if refused.code != RESOURCE_MISSING:
            await fail(operating, stripes(refused))
            return None
        items = []
    next_step = Step.DELETE if len(items) > _STRIPPED_AT_ONCE else Step.DISCARD
    async with operating.means.database.begin() as db:
        return await operating.moved(db, next_step)


async def _draft(operating: Operating) -> tuple[Made, Operating]:
    stripe, values = operating.means.stripe, asked(operating)
    if operating.key_is_doubtful:
        since = operating.operation.created_at - EARLIER
        found = await stripe.find_one_off_by_op(values["customer_id"], operating.id, since)
        if found is not None:
            return await stripe.read_made(found), operating
        operating = await operating.with_next_key()
    wanted = NewDraft(
        customer_id=values["customer_id"],
        currency=values["currency"],
        days_until_due=values["days_until_due"],
        due_at=values["due_at"] and datetime.fromisoformat(values["due_at"]),
        memo=values["memo"],
        footer=values["footer"],
        number=values["number"],
        automatic_tax=values["automatic_tax"],
        include_pending=values["include_pending"],
    )
    return await stripe.create_draft(wanted, operating.id, operating.key), operating


async def _lines(operating: Operating) -> tuple[Made, Operating]:
    stripe, invoice_id = operating.means.stripe, operating.data["invoice_id"]
    if operating.key_is_doubtful:
        if await stripe.count_lines(invoice_id, operating.id):
            return await stripe.read_made(invoice_id), operating
        operating = await operating.with_next_key()
    wanted = [NewLine(**line) for line in asked(operating)["items"]]
    return await stripe.add_lines(invoice_id, wanted, operating.id, operating.key), operating


async def _take_back(operating: Operating, refused: StripeRefused) -> Operating:
    """Nothing is left half-done: the draft goes too."""
    async with operating.means.database.begin() as db:
        return await operating.moved(db, Step.DELETE, failed=stripes(refused))


def _is_made_here(operating: Operating) -> bool:
    return bool(asked(operating)["deed"] == Step.MAKE)


def _not_to_be_deleted(seen: Made) -> dict[str, str]:
    if seen.look.status is not InvoiceStatus.DRAFT:
        return ours("invoice_not_a_draft", f"It is {seen.look.status}: void it instead.")
    return ours(
        "invoice_of_subscription",
        "Stripe made this draft for a subscription, and deletes none of these: finalize it, "
        "then void it.",
    )


STEPS: Mapping[str, Walk] = {
    Step.MAKE: draft,
    Step.LINES: lines,
    Step.FINALIZE: finalize,
    Step.CHANGE: change,
    Step.DELETE: strip,
}
