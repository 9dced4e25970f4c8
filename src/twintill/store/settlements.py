"""Settlement lines as rows: how each was first shown, and how it was booked the last time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.settlement import Line, Place, SettlementKind, Whose
from twintill.ids import Scope
from twintill.money import Money
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import receipts
from twintill.store.tables import settlement_lines as table

_c = table.c


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that is known here, and how it was booked the last time (the n-th)."""

    line: Line
    place: Place
    booked_n: int
    changed: Mapping[str, Any] | None = None
    accepted: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What only the row of a new line needs."""

    line_id: str
    raw_type: str
    occurred_at: datetime


async def lock(db: AsyncConnection, scope: Scope, line_id: str) -> Kept | None:
    """Until the transaction ends."""
    query = select(table).where(mine(table, scope), _c.settlement_line_id == line_id)
    row = (await db.execute(query.with_for_update())).one_or_none()
    return None if row is None else _kept(row)


async def known(db: AsyncConnection, scope: Scope, ids: Collection[str]) -> dict[str, Kept]:
    """Those of these lines that are here, by our id."""
    rows = await db.execute(select(table).where(mine(table, scope), _c.settlement_line_id.in_(ids)))
    return {row.settlement_line_id: _kept(row) for row in rows}


async def add(
    db: AsyncConnection, scope: Scope, line: Line, shown: Shown, values: Mapping[str, Any]
) -> None:
    row = {
        **key(scope),
        "settlement_line_id": line.id,
        "processor": line.processor,
        "processor_account_id": line.processor_account_id,
        "line_id": shown.line_id,
        "raw_type": shown.raw_type,
        "occurred_at": shown.occurred_at,
        **columns_of(line),
        **values,
    }
    await db.execute(insert(table).values(**row, created_at=NOW))


async def write(db: AsyncConnection, scope: Scope, line: Line, values: Mapping[str, Any]) -> None:
    await db.execute(
        update(table)
        .where(mine(table, scope), _c.settlement_line_id == line.id)
        .values(**columns_of(line), **values)
    )


async def mark_changed(
    db: AsyncConnection, scope: Scope, line_id: str, changed: Mapping[str, Any] | None
) -> None:
    """It is shown with other values now; None: as it was first shown."""
    await db.execute(
        update(table)
        .where(mine(table, scope), _c.settlement_line_id == line_id)
        .values(changed=changed, changed_at=None if changed is None else NOW)
    )


async def settle(db: AsyncConnection, scope: Scope, attempt_id: str) -> None:
    """What the report shows of a receipt, as its settled amount."""
    shown = (
        select(func.coalesce(func.sum(_c.amount_minor), 0))
        .where(
            mine(table, scope),
            _c.attempt_id == attempt_id,
            _c.kind.in_((SettlementKind.CHARGE, SettlementKind.CHARGE_FAILED)),
            _c.not_booked.is_(None),
            _c.payment_id == receipts.c.payment_id,
        )
        .scalar_subquery()
    )
    await db.execute(
        update(receipts)
        .where(mine(receipts, scope), receipts.c.attempt_id == attempt_id)
        .values(settled_minor=func.greatest(shown, 0))
    )


def columns_of(line: Line) -> dict[str, Any]:
    """What a report shows of a line, as columns and as JSON."""
    return {
        "kind": line.kind.value,
        "amount_minor": line.amount.minor,
        "currency": line.amount.currency,
        "fee_minor": None if line.fee is None else line.fee.minor,
        "fee_currency": None if line.fee is None else line.fee.currency,
        "processor_payment_id": line.processor_payment_id,
        "reference": line.reference,
        "object_id": line.object_id,
        "payout_id": line.payout_id,
    }


def _kept(row: Any) -> Kept:
    return Kept(
        line=read_line(row),
        place=Place(Whose(row.whose), row.our_currency, row.covered_minor),
        booked_n=row.booked_n,
        changed=row.changed,
        accepted=row.accepted,
    )


def with_columns(line: Line, shown: Mapping[str, Any]) -> Line:
    """The same line as it is shown now; what is not shown any more stays."""
    has = {
        **columns_of(line),
        **{name: value for name, value in shown.items() if value is not None},
    }
    fee_minor = has["fee_minor"]
    return replace(
        line,
        kind=SettlementKind(has["kind"]),
        amount=Money(has["amount_minor"], has["currency"]),
        fee=None if fee_minor is None else Money(fee_minor, has["fee_currency"]),
        processor_payment_id=has["processor_payment_id"],
        reference=has["reference"],
        object_id=has["object_id"],
        payout_id=has["payout_id"],
    )


def read_line(row: Any) -> Line:
    """Of a row of settlement_lines."""
    return Line(
        id=row.settlement_line_id,
        processor=row.processor,
        processor_account_id=row.processor_account_id,
        kind=SettlementKind(row.kind),
        amount=Money(row.amount_minor, row.currency),
        fee=None if row.fee_minor is None else Money(row.fee_minor, row.fee_currency),
        processor_payment_id=row.processor_payment_id,
        reference=row.reference,
        object_id=row.object_id,
        payout_id=row.payout_id,
    )
