"""Settlement lines and payouts as people read them; and what clearing is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import case, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.settlement import SettlementKind, Whose
from twintill.errors import NotFoundError
from twintill.ids import Scope
from twintill.store.listing import Created, Page, read_page
from twintill.store.scoped import mine
from twintill.store.tables import settlement_lines

_c = settlement_lines.c
_PAYOUTS = (SettlementKind.PAYOUT, SettlementKind.PAYOUT_RETURNED)


class LineState(StrEnum):
    BOOKED = "booked"
    NOT_BOOKED = "not_booked"  # kept, with its reason
    CHANGED = "changed"  # shown with other values than it was booked with


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; None: any."""

    payment_id: str | None = None
    payout_id: str | None = None  # the processor's
    processor_account_id: str | None = None
    kind: SettlementKind | None = None
    whose: Whose | None = None
    state: LineState | None = None


class Payout(NamedTuple):
    """A payout's own line, and what the report says went out with it."""

    row: Any
    lines: int  # how many there are; 0: this report does not say
    minor: int  # what they add up to, in its currency
    by_kind: dict[str, int]


class Clearing(NamedTuple):
    """What clearing of a processor account is made of, in minor units; debits positive.

    `clearing = payments + fees + payouts + held + suspense`, by the ledger.
    """

    processor_account_id: str
    currency: str
    clearing_minor: int
    payments_minor: int  # charges less refunds, disputes and their fees: by their facts
    fees_minor: int
    payouts_minor: int
    held_minor: int
    suspense_minor: int
    not_shown_minor: int  # of the payments: what no report has shown yet
    not_booked_minor: int  # shown, and not in clearing: each line says why


async def list_lines(
    db: AsyncConnection, scope: Scope, page: Page, wanted: Wanted, created: Created
) -> tuple[list[Any], bool]:
    """(rows, the latest first; whether there are more)."""
    where = created.where(_c.occurred_at)
    for column, value in (
        (_c.payment_id, wanted.payment_id),
        (_c.payout_id, wanted.payout_id),
        (_c.processor_account_id, wanted.processor_account_id),
        (_c.kind, wanted.kind),
        (_c.whose, wanted.whose),
    ):
        if value is not None:
            where.append(column == value)
    match wanted.state:
        case LineState.BOOKED:
            where.append(_c.not_booked.is_(None))
        case LineState.NOT_BOOKED:
            where.append(_c.not_booked.is_not(None))
        case LineState.CHANGED:
            where.append(_c.changed_at.is_not(None))
    return await read_page(
        db, scope, settlement_lines, "settlement_line_id", page, *where, by="occurred_at"
    )


async def read_line(db: AsyncConnection, scope: Scope, line_id: str) -> Any:
    """Raises NotFoundError."""
    found = await db.execute(
        select(settlement_lines).where(
            mine(settlement_lines, scope), _c.settlement_line_id == line_id
        )
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such settlement line: {line_id}", param="settlement")
    return row


async def list_payouts(
    db: AsyncConnection, scope: Scope, page: Page, created: Created
) -> tuple[list[Payout], bool]:
    """(payouts and returned ones, the latest first; whether there are more)."""
    where = [*created.where(_c.occurred_at), _c.kind.in_(_PAYOUTS)]
    rows, has_more = await read_page(
        db, scope, settlement_lines, "settlement_line_id", page, *where, by="occurred_at"
    )
    return await _with_lines(db, scope, rows), has_more


async def read_payout(db: AsyncConnection, scope: Scope, line_id: str) -> Payout:
    """By our id or the processor's. Raises NotFoundError."""
    found = await db.execute(
        select(settlement_lines)
        .where(
            mine(settlement_lines, scope),
            _c.kind.in_(_PAYOUTS),
            (_c.settlement_line_id == line_id) | (_c.payout_id == line_id),
        )
        .order_by(_c.occurred_at)
        .limit(1)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such payout: {line_id}", param="payout")
    return (await _with_lines(db, scope, [row]))[0]


async def read_clearing(db: AsyncConnection, scope: Scope) -> list[Clearing]:
    """For each processor account and currency."""
    whose = {"account": scope.stripe_account_id, "live": scope.livemode}
    return [
        Clearing(row[0], row[1], *(int(value) for value in row[2:]))
        for row in await db.execute(_CLEARING, whose)
    ]


async def _with_lines(db: AsyncConnection, scope: Scope, rows: Sequence[Any]) -> list[Payout]:
    """Only of the payouts themselves: what is returned later is a line of its own."""
    names = [(r.processor_account_id, r.payout_id, r.currency) for r in rows if r.payout_id]
    its_fee = func.coalesce(_c.fee_minor, 0)
    fee_minor = case((_c.kind == SettlementKind.FEE, its_fee - _c.amount_minor), else_=its_fee)
    net_minor = _c.amount_minor - its_fee
    name = (_c.processor_account_id, _c.payout_id, _c.currency)
    found = await db.execute(
        select(*name, _c.kind, func.count(), func.sum(net_minor), func.sum(fee_minor))
        .where(mine(settlement_lines, scope), tuple_(*name).in_(names), _c.kind.not_in(_PAYOUTS))
        .group_by(*name, _c.kind)
    )
    counts: dict[Any, int] = {}
    sums: dict[Any, int] = {}
    kinds: dict[Any, dict[str, int]] = {}
    for account, payout, currency, kind, count, net, fee in found:
        its = (account, payout, currency)
        counts[its] = counts.get(its, 0) + count
        sums[its] = sums.get(its, 0) + int(net)
        of_it = kinds.setdefault(its, {})
        before_fees = int(net) + int(fee)
        for word, minor in ((kind, before_fees), (SettlementKind.FEE.value, -int(fee))):
            if minor:
                of_it[word] = of_it.get(word, 0) + minor
    payouts = []
    for row in rows:
        its = (row.processor_account_id, row.payout_id, row.currency)
        payouts.append(Payout(row, counts.get(its, 0), sums.get(its, 0), kinds.get(its, {})))
    return payouts


_CLEARING = text(
    """
    WITH booked AS (
        SELECT account, currency, sum(amount_minor) AS clearing,
               coalesce(sum(amount_minor) FILTER (WHERE payment_id IS NOT NULL), 0) AS payments
        FROM postings WHERE stripe_account_id = :account AND livemode = :live
            AND account LIKE 'processor%clearing'
        GROUP BY account, currency
    ), costed AS (
        SELECT *, amount_minor - coalesce(fee_minor, 0) AS net,
               coalesce(fee_minor, 0) - CASE kind WHEN 'fee' THEN amount_minor ELSE 0 END AS cost,
               whose = 'foreign' OR kind = 'other' AS suspended
        FROM settlement_lines WHERE stripe_account_id = :account AND livemode = :live
    ), shown AS (
        SELECT concat_ws(chr(58), 'processor', processor_account_id, 'clearing') AS account,
               currency,
               sum(CASE WHEN suspended OR not_booked IS NOT NULL THEN 0
                        ELSE covered_minor - cost END) AS fees,
               sum(CASE WHEN kind IN ('payout', 'payout_returned') AND not_booked IS NULL
                        THEN amount_minor ELSE 0 END) AS payouts,
               sum(CASE WHEN kind = 'hold' AND not_booked IS NULL
                        THEN amount_minor ELSE 0 END) AS held,
               sum(CASE WHEN suspended AND not_booked IS NULL THEN net ELSE 0 END) AS suspense,
               sum(CASE WHEN whose = 'ours' AND not_booked IS NULL THEN
                        CASE kind WHEN 'fee' THEN 0 ELSE amount_minor END - covered_minor
                        ELSE 0 END) AS of_payments,
               sum(CASE WHEN not_booked IS NULL THEN 0 ELSE net END) AS not_booked
        FROM costed GROUP BY 1, 2
    )
    SELECT substr(account, 11, length(account) - 19), currency, coalesce(clearing, 0),
           coalesce(payments, 0), coalesce(fees, 0), coalesce(payouts, 0), coalesce(held, 0),
           coalesce(suspense, 0), coalesce(payments, 0) - coalesce(of_payments, 0),
           coalesce(not_booked, 0)
    FROM booked FULL JOIN shown USING (account, currency) ORDER BY 1, 2
    """
)
