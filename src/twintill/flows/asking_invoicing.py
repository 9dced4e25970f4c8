"""Asking for an invoice, an item, a product: checked, committed as an operation, walked at once.

What a rule forbids is refused before anything is committed; what Stripe refuses is taken back, and
told with Stripe's reason. Asked again under the same id, the first answer is found.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar

from twintill.domain import invoicing as rules
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.invoicing import KIND, Step
from twintill.errors import (
    BadRequest,
    ConflictError,
    NotFoundError,
    StripeRefused,
    StripeUnreadable,
)
from twintill.flows import operations as flow
from twintill.flows.invoicing import saw
from twintill.flows.means import Means
from twintill.flows.review_queue import require_not_held
from twintill.ids import Scope
from twintill.store import clock, mirror, operations
from twintill.store.operations import Operation
from twintill.stripe_billing.catalog import NewPrice, NewProduct
from twintill.stripe_billing.customers import CustomerLook
from twintill.stripe_billing.invoice_items import ItemChanges, NewItem
from twintill.stripe_billing.invoices import RESOURCE_MISSING
from twintill.stripe_billing.invoicing import DraftChanges, Made, NewLine

T = TypeVar("T")
_PATIENCE_S = 20  # for a worker that walks it already


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, under which id, and why; the id is the same for a repetition."""

    means: Means
    scope: Scope
    operation_id: str
    by: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class NewInvoice:
    """Of `days_until_due` and `due_at` at most one; neither: 30 days."""

    customer_id: str
    items: Sequence[NewLine] = ()
    currency: str | None = None
    include_pending: bool = False
    days_until_due: int | None = None
    due_at: datetime | None = None
    memo: str | None = None
    footer: str | None = None
    number: str | None = None
    automatic_tax: bool = False
    finalize: bool = True


@dataclass(frozen=True, slots=True)
class AskedItem:
    """On a draft, or (without an invoice) for the customer's next one."""

    customer_id: str | None
    invoice_id: str | None
    subscription_id: str | None
    line: NewLine
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What was done: the ids found, and what the answer shows of it."""

    invoice_id: str | None
    made: Mapping[str, Any]


async def make_invoice(asker: Asker, wanted: NewInvoice) -> Ended:
    """A one-off invoice: a draft, or finalized and collected like any other.

    Raises BadRequest or ConflictError (nothing was made), StripeRefused (it was taken back).
    """
    if not await _is_known(asker):
        wanted = await _checked(asker, wanted)
        days = wanted.days_until_due
        if days is None and wanted.due_at is None:
            days = rules.DAYS_UNTIL_DUE
        values = {**asdict(wanted), "items": [asdict(line) for line in wanted.items]}
        values |= {"days_until_due": days, "due_at": _iso(wanted.due_at)}
        await _begin(asker, Step.MAKE, wanted.customer_id, None, values)
    return await _walk(asker)


async def change_draft(asker: Asker, invoice_id: str, changes: DraftChanges) -> Ended:
    if not await _is_known(asker):
        async with asker.means.database.connect() as db:
            rules.require_due_after(changes.due_at, await clock.now(db))
        values = {"changes": {**asdict(changes), "due_at": None}, "due_at": _iso(changes.due_at)}
        await _begin(asker, Step.CHANGE, await _payer(asker, invoice_id), invoice_id, values)
    return await _walk(asker)


async def act_on(asker: Asker, invoice_id: str, deed: Step) -> Ended:
    """FINALIZE, VOID, MARK_UNCOLLECTIBLE or DELETE.

    Raises ConflictError while a charge is out or money waits for its report (law: nothing in
    flight is dropped), StripeRefused with Stripe's reason.
    """
    if not await _is_known(asker):
        await _begin(asker, deed, await _payer(asker, invoice_id), invoice_id, {})
    return await _walk(asker)


async def add_item(asker: Asker, item: AskedItem) -> Ended:
    """Positive or negative, onto a draft or for the next invoice, also before the first one."""
    if not await _is_known(asker):
        wanted = await _checked_item(asker, item)
        values = {"item": asdict(wanted)}
        await _begin(asker, Step.ADD_ITEM, wanted.customer_id, wanted.invoice_id, values)
    return await _walk(asker)


async def change_item(asker: Asker, item_id: str, changes: ItemChanges) -> Ended:
    if not await _is_known(asker):
        item = await _found(asker.means.stripe.read_item(item_id), "invoice_item")
        if changes.amount_minor is not None:
            rules.require_amount(changes.amount_minor, item.currency, "amount")
        values = {"item_id": item_id, "changes": asdict(changes)}
        await _begin(asker, Step.CHANGE_ITEM, item.customer_id, item.invoice_id, values)
    return await _walk(asker)


async def remove_item(asker: Asker, item_id: str) -> Ended:
    if not await _is_known(asker):
        item = await _found(asker.means.stripe.read_item(item_id), "invoice_item")
        values = {"item_id": item_id}
        await _begin(asker, Step.REMOVE_ITEM, item.customer_id, item.invoice_id, values)
    return await _walk(asker)


async def make_product(asker: Asker, product: NewProduct) -> Ended:
    if not await _is_known(asker):
        await _begin(asker, Step.PRODUCT, None, None, {"product": asdict(product)})
    return await _walk(asker)


async def make_price(asker: Asker, price: NewPrice) -> Ended:
    if not await _is_known(asker):
        rules.require_amount(price.unit_amount_minor, price.currency, "unit_amount")
        await _begin(asker, Step.PRICE, None, None, {"price": asdict(price)})
    return await _walk(asker)


async def set_prefix(asker: Asker, customer_id: str, prefix: str) -> Ended:
    rules.require_prefix(prefix)
    if not await _is_known(asker):
        await _customer(asker, customer_id)
        await _begin(asker, Step.PREFIX, customer_id, None, {"prefix": prefix})
    return await _walk(asker)


async def _checked(asker: Asker, wanted: NewInvoice) -> NewInvoice:
    """With the currency, and with pending items only if there are any."""
    async with asker.means.database.connect() as db:
        rules.require_due_after(wanted.due_at, await clock.now(db))
    rules.require_room(0, len(wanted.items), "items")
    customer = await _customer(asker, wanted.customer_id)
    currency = rules.currency_of(wanted.currency, customer.currency)
    for n, line in enumerate(wanted.items):
        if line.amount_minor is not None:
            rules.require_amount(line.amount_minor, currency, f"items[{n}][amount]")
    pending = wanted.include_pending and await _has_pending(asker, customer.id)
    if wanted.finalize and not wanted.items and not pending:
        waits = ", and none waits for this customer's next one" if wanted.include_pending else ""
        raise BadRequest(
            f"An invoice that is finalized needs an item{waits}.",
            code="nothing_to_invoice",
            param="items",
        )
    return NewInvoice(
        **{**_fields(wanted), "currency": currency, "include_pending": pending},
    )


async def _checked_item(asker: Asker, item: AskedItem) -> NewItem:
    draft = await _draft(asker, item.invoice_id) if item.invoice_id is not None else None
    customer_id = item.customer_id or (draft.invoice.customer_id if draft else None)
    if customer_id is None:
        raise BadRequest("Say for which customer, or on which draft.", param="customer")
    customer = await _customer(asker, customer_id)
    its = draft.invoice.currency if draft else customer.currency
    if item.line.amount_minor is not None:
        currency = rules.currency_of(item.currency, its)
        rules.require_amount(item.line.amount_minor, currency, "amount")
    else:  # the price has its own, which Stripe compares
        currency = item.currency or its or ""
    return NewItem(
        customer_id=customer.id,
        currency=currency,
        invoice_id=item.invoice_id,
        subscription_id=item.subscription_id,
        amount_minor=item.line.amount_minor,
        price_id=item.line.price_id,
        quantity=item.line.quantity,
        description=item.line.description,
    )


async def _draft(asker: Asker, invoice_id: str) -> Made:
    """One that has room. Raises NotFoundError, ConflictError, BadRequest."""
    stripe = asker.means.stripe
    seen = await _found(stripe.read_made(invoice_id), "invoice")
    if seen.look.status is not InvoiceStatus.DRAFT:
        raise ConflictError(
            f"{invoice_id} is {seen.look.status}: items go on drafts only.",
            code="invoice_not_a_draft",
            param="invoice",
        )
    rules.require_room(await stripe.count_lines(invoice_id), 1, "invoice")
    return seen


async def _has_pending(asker: Asker, customer_id: str) -> bool:
    items, _ = await asker.means.stripe.list_items(customer_id=customer_id, pending=True, limit=1)
    return bool(items)


async def _customer(asker: Asker, customer_id: str) -> CustomerLook:
    """Of this mode, and alive. Raises NotFoundError."""
    customer = await _found(asker.means.stripe.read_customer(customer_id), "customer")
    if customer.deleted:
        raise NotFoundError(f"{customer_id} was deleted in Stripe.", param="customer")
    return customer


async def _payer(asker: Asker, invoice_id: str) -> str:
    """Of an invoice that was made elsewhere, and never seen here, too."""
    async with asker.means.database.connect() as db:
        customer_id = await mirror.customer_of_invoice(db, asker.scope, invoice_id)
    if customer_id is not None:
        return customer_id
    return await _meet(asker, await _found(asker.means.stripe.read_made(invoice_id), "invoice"))


async def _meet(asker: Asker, seen: Made) -> str:
    """Its customer and itself are followed from now on."""
    customer_id = seen.invoice.customer_id
    if customer_id is None:
        raise NotFoundError(f"{seen.invoice.id} has no customer in Stripe.", param="invoice")
    async with asker.means.database.begin() as db:
        await mirror.add_customer(db, asker.scope, customer_id)
        await saw(db, asker.means, asker.scope, seen, asker.by)
    return customer_id


async def _found(reading: Awaitable[T], param: str) -> T:
    """What is missing in Stripe is a 404 here."""
    try:
        return await reading
    except StripeRefused as refused:
        if refused.code != RESOURCE_MISSING:
            raise
        raise NotFoundError(str(refused), param=param) from None


async def _is_known(asker: Asker) -> bool:
    async with asker.means.database.connect() as db:
        return await operations.find(db, asker.scope, asker.operation_id) is not None


async def _begin(
    asker: Asker,
    deed: Step,
    customer_id: str | None,
    invoice_id: str | None,
    values: Mapping[str, Any],
) -> None:
    """Who is not known yet becomes so: his invoices are followed, and can be paid by hand.

    Nothing of his is charged as long as he gave us no method.
    """
    asked = {**values, "deed": deed, "by": asker.by, "why": asker.why}
    data: dict[str, Any] = {"asked": {**asked, "customer_id": customer_id}}
    if invoice_id is not None:
        data["invoice_id"] = invoice_id
    async with asker.means.database.begin() as db:
        if invoice_id is not None:
            await require_not_held(db, asker.scope, invoice_id)
        if customer_id is not None:
            await mirror.add_customer(db, asker.scope, customer_id)
        await operations.add(
            db,
            asker.scope,
            operation_id=asker.operation_id,
            kind=KIND,
            customer_id=customer_id,
            step=deed,
            data=data,
            ring=False,
        )


async def _walk(asker: Asker) -> Ended:
    await flow.drive(asker.means, asker.scope, asker.operation_id, patience_s=_PATIENCE_S)
    async with asker.means.database.connect() as db:
        return _ended(await operations.read(db, asker.scope, asker.operation_id))


def _ended(its: Operation) -> Ended:
    if its.step == Step.DONE:
        return Ended(its.data.get("invoice_id"), its.data.get("made") or {})
    if its.step == Step.FAILED:
        raise _refusal(its.data["failed"])
    if its.parked_why is not None:
        raise ConflictError(f"{its.id} waits for a person: {its.parked_why}", code="needs_person")
    raise StripeUnreadable(
        f"{its.error or 'a worker is at it'}. Twintill goes on with it ({its.id}): ask again "
        "under the same key to see its end."
    )


def _refusal(failed: Mapping[str, Any]) -> Exception:
    if failed["by"] == "twintill":
        return ConflictError(failed["message"], code=failed["code"])
    if failed["code"] == RESOURCE_MISSING:
        return NotFoundError(failed["message"])
    return StripeRefused(failed["message"], code=failed["code"], request_id=failed["request_id"])


def _fields(wanted: NewInvoice) -> dict[str, Any]:
    return {name: getattr(wanted, name) for name in NewInvoice.__slots__}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
