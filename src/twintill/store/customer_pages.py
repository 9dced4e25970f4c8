"""Customers as people read them: ids, what they are collected with, and when they came."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import customers, payment_methods, subscriptions


async def list_customers(
    db: AsyncConnection, scope: Scope, page: Page, created: Created
) -> tuple[list[Any], bool]:
    """(rows, whether there are more)."""
    where = created.where(customers.c.created_at)
    return await read_page(db, scope, customers, "customer_id", page, *where)


async def read_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(
        select(customers).where(mine(customers, scope), customers.c.customer_id == customer_id)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such customer: {customer_id}", param="customer")
    return row


async def defaults_of(
    db: AsyncConnection, scope: Scope, customer_ids: Iterable[str]
) -> Mapping[str, str]:
    """The payment method that each is collected with."""
    c = payment_methods.c
    found = await db.execute(
        select(c.customer_id, c.payment_method_id).where(
            mine(payment_methods, scope),
            c.customer_id.in_(list(customer_ids)),
            c.is_default,
            c.status == "active",
        )
    )
    return {row.customer_id: row.payment_method_id for row in found}


async def subscriptions_of(
    db: AsyncConnection, scope: Scope, customer_ids: Iterable[str]
) -> Mapping[str, list[str]]:
    """Ids of their subscriptions that have not ended, as far as we know."""
    c = subscriptions.c
    found = await db.execute(
        select(c.customer_id, c.subscription_id)
        .where(
            mine(subscriptions, scope),
            c.customer_id.in_(list(customer_ids)),
            c.ended_at.is_(None),
        )
        .order_by(c.created_at, c.subscription_id)
    )
    live: dict[str, list[str]] = {}
    for row in found:
        live.setdefault(row.customer_id, []).append(row.subscription_id)
    return live
