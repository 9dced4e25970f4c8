"""Invoices as people read them: the mirrored rows, each with its payment's row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.invoice import InvoiceStatus
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import invoices, payments


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """None: any. `parked`: whether its payment waits for a person."""

    customer_id: str | None = None
    subscription_id: str | None = None
    status: InvoiceStatus | None = None
    parked: bool | None = None
    created: Created = field(default_factory=Created)


async def list_invoices(
    db: AsyncConnection, scope: Scope, page: Page, only: InvoiceFilter
) -> tuple[list[Any], bool]:
    """(rows, whether there are more)."""
    c = invoices.c
    where = only.created.where(c.created_at)
    if only.customer_id is not None:
        where.append(c.customer_id == only.customer_id)
    if only.subscription_id is not None:
        where.append(c.subscription_id == only.subscription_id)
    if only.status is not None:
        where.append(c.status == only.status.value)
    if only.parked is not None:
        where.append(_has_parked_payment() if only.parked else ~_has_parked_payment())
    return await read_page(db, scope, invoices, "invoice_id", page, *where)


async def read_invoice(db: AsyncConnection, scope: Scope, invoice_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(
        select(invoices).where(mine(invoices, scope), invoices.c.invoice_id == invoice_id)
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
