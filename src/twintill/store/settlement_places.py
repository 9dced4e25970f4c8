"""What of ours a settlement line belongs to, and which lines' places are known only now."""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.settlement import DISPUTES, OF_A_CHARGE, OF_A_DISPUTE, REFUNDS, Line
from twintill.ids import Scope
from twintill.store import attempts, refunds
from twintill.store.scoped import mine
from twintill.store.tables import attempts as attempts_table
from twintill.store.tables import disputes, payments, receipts, settlement_lines

_c, _d = settlement_lines.c, disputes.c


@dataclass(frozen=True, slots=True)
class Ours:
    """What a line belongs to; `told_minor`: what the facts of its dispute have posted of its fee,
    `elsewhere_minor`: of it, what the dispute's other lines show."""

    payment_id: str
    currency: str
    attempt_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    told_minor: int = 0
    elsewhere_minor: int = 0


async def find(db: AsyncConnection, scope: Scope, line: Line) -> Ours | None:
    """What of ours has the line's names: its refund or dispute first, then its charge."""
    if line.kind not in OF_A_CHARGE:
        return None
    account = line.processor_account_id
    names = {"reference": line.reference}
    refund = dispute = None
    if line.kind in REFUNDS:
        refund = await refunds.find(db, scope, account, **names, refund_id=line.object_id)
    elif line.kind in OF_A_DISPUTE:
        dispute = await _dispute(db, scope, line)
    charge = await attempts.find(
        db, scope, account, **names, processor_payment_id=line.processor_payment_id
    )
    if dispute is None and charge is not None and line.kind in OF_A_DISPUTE:
        dispute = await _its_only_dispute(db, scope, line, charge)
    found = refund or dispute or charge
    if found is None:
        return None
    return Ours(
        payment_id=found.payment_id,
        currency=await _currency(db, scope, found.payment_id),
        attempt_id=await _charge(db, scope, refund, dispute, charge),
        refund_id=None if refund is None else refund.attempt_id,
        dispute_id=None if dispute is None else dispute.dispute_id,
        told_minor=0 if dispute is None else dispute.fee_minor,
        elsewhere_minor=0 if dispute is None else await _elsewhere(db, scope, line, dispute),
    )


async def late(
    db: AsyncConnection, scope: Scope, processor_account_id: str, limit: int
) -> list[str]:
    """Lines whose place is known only now: a charge answered later, a dispute told later."""
    whose = {"account": scope.stripe_account_id, "live": scope.livemode}
    asked = {**whose, "processor_account": processor_account_id, "limit": limit}
    return list((await db.execute(_LATE, asked)).scalars())


class _Dispute(NamedTuple):
    dispute_id: str
    payment_id: str
    receipt_id: str
    fee_minor: int


async def _dispute(db: AsyncConnection, scope: Scope, line: Line) -> _Dispute | None:
    if line.object_id is None:
        return None
    found = await db.execute(
        select(_d.dispute_id, _d.payment_id, _d.receipt_id, _d.fee_minor).where(
            mine(disputes, scope),
            _d.processor_account_id == line.processor_account_id,
            _d.processor_dispute_id == line.object_id,
        )
    )
    row = found.one_or_none()
    return None if row is None else _Dispute(*row)


async def _its_only_dispute(
    db: AsyncConnection, scope: Scope, line: Line, charge: attempts.Found
) -> _Dispute | None:
    """Of a line that names the charge alone; a fee is a dispute's if it is what its facts told."""
    found = list(
        await db.execute(
            select(_d.dispute_id, _d.payment_id, _d.receipt_id, _d.fee_minor)
            .join(
                receipts,
                and_(
                    mine(receipts, scope),
                    receipts.c.receipt_id == _d.receipt_id,
                    receipts.c.attempt_id == charge.attempt_id,
                ),
            )
            .where(mine(disputes, scope), _d.payment_id == charge.payment_id)
        )
    )
    if len(found) != 1:
        return None
    its = _Dispute(*found[0])
    is_its = line.kind in DISPUTES or 0 < its.fee_minor == line.cost_minor
    return its if is_its else None


async def _elsewhere(db: AsyncConnection, scope: Scope, line: Line, dispute: _Dispute) -> int:
    found = await db.execute(
        select(func.coalesce(func.sum(_c.covered_minor), 0)).where(
            mine(settlement_lines, scope),
            _c.payment_id == dispute.payment_id,
            _c.dispute_id == dispute.dispute_id,
            _c.settlement_line_id != line.id,
        )
    )
    return int(found.scalar_one())


async def _currency(db: AsyncConnection, scope: Scope, payment_id: str) -> str:
    p = payments.c
    found = await db.execute(
        select(p.currency).where(mine(payments, scope), p.payment_id == payment_id)
    )
    return str(found.scalar_one())


async def _charge(
    db: AsyncConnection,
    scope: Scope,
    refund: attempts.Found | None,
    dispute: _Dispute | None,
    charge: attempts.Found | None,
) -> str | None:
    """The attempt whose money it is."""
    if refund is None and dispute is None:
        return None if charge is None else charge.attempt_id
    a, r = attempts_table.c, receipts.c
    if dispute is not None:
        which = r.receipt_id == dispute.receipt_id
    else:
        assert refund is not None
        which = r.receipt_id.in_(
            select(a.receipt_id).where(
                mine(attempts_table, scope), a.attempt_id == refund.attempt_id
            )
        )
    found = await db.execute(select(r.attempt_id).where(mine(receipts, scope), which))
    attempt_id: str | None = found.scalar_one_or_none()
    return attempt_id


def _exists(table_name: str, *conditions: str) -> str:
    """A row of the line's account; each condition has an index of its own."""
    same = (f"x.{c} = l.{c}" for c in ("stripe_account_id", "livemode", "processor_account_id"))
    where = " AND ".join((*same, *conditions))
    return f"EXISTS (SELECT FROM {table_name} AS x WHERE {where})"


_CHARGE, _REFUND = "x.kind = 'charge'", "x.kind = 'refund'"
_BY_REFERENCE = "x.reference = l.reference"
_BY_ITS_CHARGE = _exists("attempts", _CHARGE, "x.processor_payment_id = l.processor_payment_id")
_BY_ITS_REFUND = _exists("attempts", _REFUND, "x.processor_payment_id = l.object_id")
_A_CHARGE = f"({_exists('attempts', _CHARGE, _BY_REFERENCE)} OR {_BY_ITS_CHARGE})"
_A_REFUND = (
    "l.kind IN ('refund', 'refund_failed') "
    f"AND ({_exists('attempts', _REFUND, _BY_REFERENCE)} OR {_BY_ITS_REFUND})"
)
_A_DISPUTE = (
    "l.kind IN ('dispute', 'dispute_won', 'fee') "
    f"AND {_exists('disputes', 'x.processor_dispute_id = l.object_id')}"
)
# As `_its_only_dispute` has it; a charge has hardly ever two.
_ITS_ONLY_DISPUTE = """
    l.kind IN ('dispute', 'dispute_won', 'fee') AND (
        SELECT count(*) = 1 AND bool_and(l.kind <> 'fee'
            OR x.fee_minor > 0 AND x.fee_minor = coalesce(l.fee_minor, 0) - l.amount_minor)
        FROM disputes AS x JOIN receipts AS r USING (stripe_account_id, livemode, receipt_id)
        WHERE x.stripe_account_id = l.stripe_account_id AND x.livemode = l.livemode
            AND x.payment_id = l.payment_id AND r.attempt_id = l.attempt_id)
"""
_LATE = text(
    f"""
    SELECT settlement_line_id FROM settlement_lines AS l
    WHERE stripe_account_id = :account AND livemode = :live
        AND processor_account_id = :processor_account
        AND occurred_at > twintill_now() - interval '120 days'
        AND (whose <> 'ours' AND kind NOT IN ('payout', 'payout_returned', 'hold', 'other')
                AND ({_A_CHARGE} OR {_A_REFUND} OR {_A_DISPUTE})
            OR whose = 'ours' AND refund_id IS NULL AND {_A_REFUND}
            OR whose = 'ours' AND dispute_id IS NULL AND ({_A_DISPUTE} OR {_ITS_ONLY_DISPUTE})
            OR dispute_id IS NOT NULL
                AND covered_minor < coalesce(fee_minor, 0)
                    - CASE kind WHEN 'fee' THEN amount_minor ELSE 0 END
                AND (SELECT fee_minor FROM disputes AS d
                     WHERE (d.stripe_account_id, d.livemode, d.dispute_id)
                         = (l.stripe_account_id, l.livemode, l.dispute_id))
                  > (SELECT sum(covered_minor) FROM settlement_lines AS o
                     WHERE (o.stripe_account_id, o.livemode, o.payment_id, o.dispute_id)
                         = (l.stripe_account_id, l.livemode, l.payment_id, l.dispute_id)))
    ORDER BY occurred_at, settlement_line_id LIMIT :limit
    """  # noqa: S608 -- only constants of this file
)
