"""Payment methods: what the customer chose at a processor; the token is sealed, wiped at the end.

active -> removing -> removed          we drop it: no charge may begin from `removing` on
active -> revoked (-> removed)         the customer or the bank withdrew it at the processor
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.expiry import expires_at
from twintill.errors import BrokenInvariant, ConflictError, NotFoundError
from twintill.ids import Scope, derived_id
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import UNRESOLVED, attempts, customers, payment_methods, payments
from twintill.store.vault import Vault

_METHODS = payment_methods.c


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One payment method; `sealed_token` opens only for this row (see `open_token`)."""

    id: str
    customer_id: str
    processor: str
    processor_account_id: str
    processor_customer_id: str
    sealed_token: bytes | None = field(repr=False)
    token_fingerprint: bytes = field(repr=False)  # the same for every row of one token
    kind: str
    status: str
    is_default: bool
    display: Mapping[str, str]
    place: int | None  # in the fall-back order that was given; None: behind those, newest first
    expires_at: datetime | None  # the moment after its last day
    created_at: datetime
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewMethod:
    """What a completed set-up gave us."""

    setup_session_id: str
    customer_id: str
    processor: str
    processor_account_id: str
    processor_customer_id: str
    token: str = field(repr=False)
    kind: str
    display: Mapping[str, str]


def method_id(scope: Scope, processor_account_id: str, setup_session_id: str) -> str:
    """A set-up makes one method, however often its completion is seen."""
    return derived_id("pm", scope, processor_account_id, setup_session_id)


def open_token(vault: Vault, scope: Scope, method: MethodRow) -> str:
    """The token itself, for the adapter only. Raises BrokenInvariant for one that was wiped."""
    if method.sealed_token is None:
        raise BrokenInvariant(f"{method.id} is {method.status}: its token was wiped")
    return vault.open(method.sealed_token, scope, "payment_methods", method.id).decode()


async def add(db: AsyncConnection, vault: Vault, scope: Scope, new: NewMethod) -> str:
    """Store it and make it the customer's default, once; its id.

    Raises ConflictError when the set-up gave its method to another customer.
    """
    new_id = method_id(scope, new.processor_account_id, new.setup_session_id)
    await lock_customer(db, scope, new.customer_id)
    known = await _one(db, _of(scope).where(_METHODS.payment_method_id == new_id))
    if known is not None:
        if known.customer_id != new.customer_id:
            raise ConflictError("This set-up belongs to another customer.", param="setup_session")
        return new_id
    await demote(db, scope, new.customer_id)
    row = {
        **key(scope),
        "payment_method_id": new_id,
        "customer_id": new.customer_id,
        "processor": new.processor,
        "processor_account_id": new.processor_account_id,
        "processor_customer_id": new.processor_customer_id,
        "sealed_token": vault.seal(new.token.encode(), scope, "payment_methods", new_id),
        "token_fingerprint": vault.fingerprint(new.token),
        "kind": new.kind,
        "display": dict(new.display),
        "status": "active",
        "is_default": True,
        "expires_at": expires_at(new.kind, new.display),
        "created_at": NOW,
    }
    await db.execute(insert(payment_methods).values(row))
    return new_id


async def read(db: AsyncConnection, scope: Scope, payment_method_id: str) -> MethodRow:
    """Raises NotFoundError."""
    found = await _one(db, _of(scope).where(_METHODS.payment_method_id == payment_method_id))
    if found is None:
        raise NotFoundError(f"No such payment method: {payment_method_id}", param="payment_method")
    return found


async def processor_is_known(db: AsyncConnection, scope: Scope, processor: str) -> bool:
    """Whether anybody has, or had, a method with it."""
    query = select(exists().where(mine(payment_methods, scope), _METHODS.processor == processor))
    return bool((await db.execute(query)).scalar_one())


async def active_default(db: AsyncConnection, scope: Scope, customer_id: str) -> MethodRow | None:
    """The method that a first charge would use."""
    return await _one(db, _default(scope, customer_id))


async def active(db: AsyncConnection, scope: Scope, payment_method_id: str) -> MethodRow | None:
    """None for one that must not be charged (any more)."""
    return await _one(db, _active(scope, payment_method_id))


async def hold_active(
    db: AsyncConnection, scope: Scope, payment_method_id: str
) -> MethodRow | None:
    """The same, held until the transaction ends: nobody else charges it or removes it meanwhile."""
    return await _one(db, _active(scope, payment_method_id).with_for_update(key_share=True))


async def find_by_fingerprint(
    db: AsyncConnection, scope: Scope, processor_account_id: str, fingerprint: bytes
) -> list[MethodRow]:
    """Those with this token that are not removed: a token may be given to us more than once."""
    found = await db.execute(
        _of(scope).where(
            _METHODS.processor_account_id == processor_account_id,
            _METHODS.token_fingerprint == fingerprint,
            _METHODS.status != "removed",
        )
    )
    return [method_row(row) for row in found]


async def lives_on(
    db: AsyncConnection, scope: Scope, processor_account_id: str, fingerprint: bytes
) -> bool:
    """Whether an active method has this token: then it must not be revoked at the processor."""
    found = await find_by_fingerprint(db, scope, processor_account_id, fingerprint)
    return any(method.status == "active" for method in found)


async def list_of_customer(
    db: AsyncConnection, scope: Scope, customer_id: str, *, removed: bool = False
) -> list[MethodRow]:
    """In the order in which they are tried: the default, the given order, then the newest.

    Removed ones only when asked for.
    """
    query = _of(scope).where(_METHODS.customer_id == customer_id)
    if not removed:
        query = query.where(_METHODS.status != "removed")
    order = (
        _METHODS.is_default.desc(),
        _METHODS.place.asc().nulls_last(),
        _METHODS.created_at.desc(),
        _METHODS.payment_method_id,
    )
    return [method_row(row) for row in await db.execute(query.order_by(*order))]


async def in_use(db: AsyncConnection, scope: Scope, payment_method_id: str) -> bool:
    """Whether a request that was made with it has no definite answer yet."""
    c = attempts.c
    query = exists().where(
        mine(attempts, scope), c.payment_method_id == payment_method_id, c.outcome.in_(UNRESOLVED)
    )
    return bool((await db.execute(select(query))).scalar_one())


async def payments_it_may_help(db: AsyncConnection, scope: Scope, customer_id: str) -> list[str]:
    """Payments of the customer that a new method may bring forward, in the order of locking.

    Also those with an attempt out: its decline may be on its way, and was decided without it.
    """
    states = ("waiting", "exhausted", "charging", "pending")
    return await _payments_in(db, scope, customer_id, *states)


async def payments_that_wait(db: AsyncConnection, scope: Scope, customer_id: str) -> list[str]:
    """Those whose next try may have lost its method, in the order of locking."""
    return await _payments_in(db, scope, customer_id, "waiting")


async def make_default(
    db: AsyncConnection, scope: Scope, payment_method_id: str
) -> MethodRow | None:
    """Charged first from now on; None for one that is not active (any more)."""
    method = await active(db, scope, payment_method_id)
    if method is None:
        return None
    await lock_customer(db, scope, method.customer_id)
    await demote(db, scope, method.customer_id)
    changed = await db.execute(
        change(scope, payment_method_id).where(_METHODS.status == "active").values(is_default=True)
    )
    return method if changed.rowcount == 1 else None


async def mark_removing(db: AsyncConnection, scope: Scope, payment_method_id: str) -> bool:
    """From its commit on no charge can begin with it; waits for one that is just beginning."""
    changed = await db.execute(
        change(scope, payment_method_id)
        .where(_METHODS.status == "active")
        .values(status="removing", is_default=False)
    )
    return changed.rowcount == 1


async def mark_removed(db: AsyncConnection, scope: Scope, payment_method_id: str) -> bool:
    """The end: the token is wiped, here and in the requests that were made with it."""
    c = attempts.c
    await db.execute(
        update(attempts)
        .where(
            mine(attempts, scope),
            c.payment_method_id == payment_method_id,
            c.outcome.not_in(UNRESOLVED),
        )
        .values(sealed_body=None)
    )
    changed = await db.execute(
        change(scope, payment_method_id)
        .where(_METHODS.status.in_(("removing", "revoked")))
        .values(status="removed", is_default=False, sealed_token=None, removed_at=NOW)
    )
    return changed.rowcount == 1


async def mark_revoked(db: AsyncConnection, scope: Scope, payment_method_id: str) -> bool:
    """The processor says that it is dead; one that we are removing goes on being removed."""
    changed = await db.execute(
        change(scope, payment_method_id)
        .where(_METHODS.status == "active")
        .values(status="revoked", is_default=False)
    )
    return changed.rowcount == 1


async def _payments_in(
    db: AsyncConnection, scope: Scope, customer_id: str, *states: str
) -> list[str]:
    c = payments.c
    found = await db.execute(
        select(c.payment_id)
        .where(mine(payments, scope), c.customer_id == customer_id, c.state.in_(states))
        .order_by(c.payment_id)
    )
    return list(found.scalars())


async def lock_customer(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    """One at a time may change which method is the default."""
    await db.execute(
        select(customers.c.customer_id)
        .where(mine(customers, scope), customers.c.customer_id == customer_id)
        .with_for_update()
    )


async def demote(db: AsyncConnection, scope: Scope, customer_id: str) -> None:
    await db.execute(
        update(payment_methods)
        .where(
            mine(payment_methods, scope),
            _METHODS.customer_id == customer_id,
            _METHODS.is_default,
        )
        .values(is_default=False)
    )


def _default(scope: Scope, customer_id: str) -> Select[Any]:
    return _of(scope).where(
        _METHODS.customer_id == customer_id, _METHODS.is_default, _METHODS.status == "active"
    )


def _active(scope: Scope, payment_method_id: str) -> Select[Any]:
    return _of(scope).where(
        _METHODS.payment_method_id == payment_method_id, _METHODS.status == "active"
    )


def _of(scope: Scope) -> Select[Any]:
    return select(payment_methods).where(mine(payment_methods, scope))


def change(scope: Scope, payment_method_id: str) -> Any:
    return update(payment_methods).where(
        mine(payment_methods, scope), _METHODS.payment_method_id == payment_method_id
    )


async def _one(db: AsyncConnection, query: Select[Any]) -> MethodRow | None:
    row = (await db.execute(query)).one_or_none()
    return None if row is None else method_row(row)


def method_row(row: Any) -> MethodRow:
    return MethodRow(
        id=row.payment_method_id,
        customer_id=row.customer_id,
        processor=row.processor,
        processor_account_id=row.processor_account_id,
        processor_customer_id=row.processor_customer_id,
        sealed_token=row.sealed_token,
        token_fingerprint=row.token_fingerprint,
        kind=row.kind,
        status=row.status,
        is_default=row.is_default,
        display=row.display,
        place=row.place,
        expires_at=row.expires_at,
        created_at=row.created_at,
        removed_at=row.removed_at,
    )
