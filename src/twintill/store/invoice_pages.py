"""Invoices as people read them: the mirrored rows, each with its payment's row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store import clock
from twintill.store.invoice_search import invoices_of
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import invoices, payments

_I = invoices.c


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """None: any. `parked`: whether its payment waits for a person.

    `least_minor`, `most_minor`: of what is due, in minor units of `currency`. `id_of`: any id that
    is about it, whoever's.
    """

    customer_id: str | None = None
    subscription_id: str | None = None
    status: InvoiceStatus | None = None
    parked: bool | None = None
    created: Created = field(default_factory=Created)
    due: Created = field(default_factory=Created)
    overdue: bool | None = None
    currency: str | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    number: str | None = None
    id_of: str | None = None

    @property
    def order(self) -> str:
        """The column by which the list goes: the one that a range is asked of.

        Each has an index in its order: however few match, nothing else is read. To filter a list
        in another order can mean to read all of it.
        """
        if self.overdue or self.due != Created():
            return "due_at"
        by_amount = (self.least_minor, self.most_minor) != (None, None)
        return "amount_due_minor" if by_amount else "created_at"


async def list_invoices(
    db: AsyncConnection, scope: Scope, page: Page, only: InvoiceFilter
) -> tuple[list[Any], bool]:
    """(rows, whether there are more), in the filter's order, the latest or largest first."""
    where = [*only.created.where(_I.created_at), *only.due.where(_I.due_at), *_equal(only)]
    where += _amounts(only)
    if only.overdue is not None:
        late = _is_overdue(await clock.now(db))
        where.append(late if only.overdue else ~late)
    if only.parked is not None:
        where.append(_has_parked_payment() if only.parked else ~_has_parked_payment())
    if only.id_of is not None:
        where.append(await _about(db, scope, only.id_of))
    return await read_page(db, scope, invoices, "invoice_id", page, *where, by=only.order)


async def read_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(
        select(invoices).where(mine(invoices, scope), _I.invoice_id == invoice_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such invoice: {invoice_id}", param="invoice")
    return row


async def payments_of_invoices(
    db: AsyncConnection, scope: Scope, invoice_ids: Iterable[str]
) -> dict[str, Any]:
    """The payments' rows by invoice: at most one each."""
    c = payments.c
    found = await db.execute(
        select(payments).where(mine(payments, scope), c.invoice_id.in_(list(invoice_ids)))
    )
    return {row.invoice_id: row for row in found}


def _equal(only: InvoiceFilter) -> list[ColumnElement[bool]]:
    wanted = (
        (_I.customer_id, only.customer_id),
        (_I.subscription_id, only.subscription_id),
        (_I.status, None if only.status is None else only.status.value),
        (_I.currency, only.currency),
        (_I.number, only.number),
    )
    return [column == value for column, value in wanted if value is not None]


def _amounts(only: InvoiceFilter) -> list[ColumnElement[bool]]:
    limits = []
    if only.least_minor is not None:
        limits.append(_I.amount_due_minor >= only.least_minor)
    if only.most_minor is not None:
        limits.append(_I.amount_due_minor <= only.most_minor)
    return limits


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    """Time as a value: asked of a function, it would be asked for each row."""
    return and_(_I.status == InvoiceStatus.OPEN.value, _I.due_at.is_not(None), _I.due_at < now)


async def _about(db: AsyncConnection, scope: Scope, object_id: str) -> ColumnElement[bool]:
    """The invoices of this id; a customer's or a subscription's are all of his."""
    found = await invoices_of(db, scope, object_id)
    its = (_I.customer_id, _I.subscription_id, _I.number)
    return _I.invoice_id.in_(found) if found else or_(*(column == object_id for column in its))


def _has_parked_payment() -> ColumnElement[bool]:
    p, i = payments.c, invoices.c
    return exists(
        select(p.payment_id).where(
            p.stripe_account_id == i.stripe_account_id,
            p.livemode == i.livemode,
            p.invoice_id == i.invoice_id,
            p.parked_at.is_not(None),
        )
    )
