# ruff: noqa: S608 -- only constants of this file are put together
"""The books checked against themselves: each check answers the rows that break its rule.

Read-only, on the live database; bounded, so that a bad day does not print a million rows. Two
checks look at time: what waits for longer than it should.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.ids import Scope

FINDINGS_MAX = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks a rule."""

    check: str
    object_id: str
    detail: str

    def told(self) -> dict[str, str]:
        return {"id": self.object_id, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Check:
    """A rule, in words, and the query for what breaks it (columns: object_id, detail)."""

    name: str
    rule: str
    query: str


async def find_all(db: AsyncConnection, scope: Scope) -> dict[str, list[Finding]]:
    """Every check by its name, with what breaks its rule (nothing, when all is well)."""
    return {check.name: await find(db, scope, check) for check in CHECKS}


async def find(db: AsyncConnection, scope: Scope, check: Check) -> list[Finding]:
    """What breaks this rule, at most FINDINGS_MAX of it."""
    rows = await db.execute(
        text(f"SELECT object_id, detail FROM ({check.query}) AS broken LIMIT {FINDINGS_MAX}"),
        {"account": scope.stripe_account_id, "live": scope.livemode},
    )
    return [Finding(check.name, str(row.object_id), str(row.detail)) for row in rows]


_MINE = "stripe_account_id = :account AND livemode = :live"

_LEDGER_BALANCES = f"""
    SELECT ledger_transaction_id AS object_id, currency || ' off by ' || sum(amount_minor) AS detail
    FROM postings WHERE {_MINE}
    GROUP BY ledger_transaction_id, currency HAVING sum(amount_minor) <> 0
"""

# What the receipts say against what the ledger says, per payment and account.
_BOOKS_AGREE = f"""
    WITH said AS (
        SELECT payment_id,
               sum(CASE WHEN failed THEN 0 ELSE collected_minor END - refunded_minor) AS clearing,
               -sum(CASE WHEN failed THEN 0 ELSE collected_minor - reported_minor
                         - stranded_minor - refunded_minor END) AS unapplied,
               -sum(reported_minor) AS reported,
               -sum(CASE WHEN failed THEN 0 ELSE stranded_minor END
                    - CASE WHEN failed THEN 0 ELSE under_way END) AS stranded,
               -sum(under_way) AS in_flight
        FROM receipts CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_minor), 0) AS under_way FROM attempts AS refunds
            WHERE (refunds.stripe_account_id, refunds.livemode, refunds.receipt_id)
                = (receipts.stripe_account_id, receipts.livemode, receipts.receipt_id)
                AND refunds.payment_id = receipts.payment_id
                AND kind = 'refund' AND outcome = 'accepted') AS refunds
        WHERE {_MINE} GROUP BY payment_id
    ), booked AS (
        SELECT payment_id,
               coalesce(sum(amount_minor) FILTER (WHERE account LIKE 'processor%clearing'), 0)
                   AS clearing,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'customer:unapplied'), 0)
                   AS unapplied,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'stripe:reported'), 0)
                   AS reported,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'customer:stranded'), 0)
                   AS stranded,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'refund:in_flight'), 0)
                   AS in_flight
        FROM postings WHERE {_MINE} AND payment_id IS NOT NULL GROUP BY payment_id
    )
    SELECT payment_id AS object_id,
           format('receipts say clearing %s unapplied %s reported %s stranded %s in flight %s, '
                  'the ledger says %s %s %s %s %s', said.clearing, said.unapplied, said.reported,
                  said.stranded, said.in_flight, booked.clearing, booked.unapplied,
                  booked.reported, booked.stranded, booked.in_flight) AS detail
    FROM said FULL JOIN booked USING (payment_id)
    WHERE (said.clearing, said.unapplied, said.reported, said.stranded, said.in_flight)
          IS DISTINCT FROM
          (booked.clearing, booked.unapplied, booked.reported, booked.stranded, booked.in_flight)
"""

_GIVEN_BACK = """
    SELECT r.receipt_id AS object_id, format('%s refunded, and %s given back by its refunds',
        r.refunded_minor, coalesce(sum(a.amount_minor), 0)) AS detail
    FROM receipts r LEFT JOIN attempts a
        ON (a.stripe_account_id, a.livemode, a.payment_id, a.receipt_id)
         = (r.stripe_account_id, r.livemode, r.payment_id, r.receipt_id)
        AND a.kind = 'refund' AND a.outcome = 'approved'
    WHERE r.stripe_account_id = :account AND r.livemode = :live
        AND (r.refunded_minor > 0 OR a.attempt_id IS NOT NULL)
    GROUP BY r.receipt_id, r.refunded_minor
    HAVING coalesce(sum(a.amount_minor), 0) <> r.refunded_minor
"""

_STRANDED_GOES_BACK = f"""
    SELECT payment_id AS object_id, 'ended with ' || sum(stranded_minor) || ' stranded' AS detail
    FROM receipts JOIN payments USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND NOT failed AND stranded_minor > 0 AND ended_at IS NOT NULL
    GROUP BY payment_id
"""

_NOTHING_LEFT = f"""
    SELECT payment_id AS object_id, 'ended with ' || sum(amount_minor) || ' unapplied' AS detail
    FROM postings JOIN payments USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND account = 'customer:unapplied' AND ended_at IS NOT NULL
    GROUP BY payment_id HAVING sum(amount_minor) <> 0
"""

_RECEIPT_FOR_EACH = f"""
    SELECT attempt_id AS object_id, 'approved without a receipt' AS detail
    FROM attempts a WHERE {_MINE} AND kind = 'charge' AND outcome = 'approved' AND NOT EXISTS (
        SELECT FROM receipts r WHERE (r.stripe_account_id, r.livemode, r.attempt_id)
                                   = (a.stripe_account_id, a.livemode, a.attempt_id))
"""

_COLLECTED_ONCE = f"""
    SELECT payment_id AS object_id, count(*) || ' receipts kept as collected' AS detail
    FROM receipts WHERE {_MINE} AND NOT failed AND source = 'attempt'
        AND collected_minor > stranded_minor + refunded_minor
    GROUP BY payment_id HAVING count(*) > 1
"""

_HISTORY_UNBROKEN = f"""
    SELECT payment_id AS object_id, 'the history has a gap at ' || seq AS detail FROM (
        SELECT payment_id, seq, state_before,
               lag(seq, 1, 0) OVER story AS before,
               lag(state_after) OVER story AS state_was
        FROM payment_history WHERE {_MINE}
        WINDOW story AS (PARTITION BY payment_id ORDER BY seq)
    ) AS told
    WHERE seq <> before + 1 OR state_was <> state_before
    UNION ALL
    SELECT payment_id, 'is ' || state || ', its history ends in ' || coalesce(state_after, 'none')
    FROM payments LEFT JOIN payment_history AS last
        USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND history_seq > 0
        AND (last.seq IS NULL OR last.seq = history_seq) AND state IS DISTINCT FROM state_after
"""

_DOUBT_IS_SHORT = f"""
    SELECT payment_id AS object_id, attempt_id || ' is ' || outcome || ' since ' || first_sent_at
        AS detail
    FROM attempts JOIN payments USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND outcome IN ('started', 'no_answer') AND parked_at IS NULL
        AND first_sent_at < twintill_now() - interval '4 days'
"""


def _overdue(table: str, key: str) -> Check:
    query = f"""
        SELECT {key}::text AS object_id, 'due since ' || next_look_at AS detail FROM {table}
        WHERE {_MINE} AND ended_at IS NULL AND parked_at IS NULL
            AND next_look_at < twintill_now() - interval '15 minutes'
            AND (lease_until IS NULL OR lease_until < twintill_wall())
        ORDER BY next_look_at
    """
    return Check(f"{table}_on_time", f"no row of {table} is due for over 15 minutes", query)


CHECKS = (
    Check("ledger_balances", "every ledger transaction is balanced", _LEDGER_BALANCES),
    Check("books_agree", "receipts and ledger say the same of each payment", _BOOKS_AGREE),
    Check("nothing_left", "an ended payment has no money that is not applied", _NOTHING_LEFT),
    Check("given_back", "each receipt's refunds are what its book says", _GIVEN_BACK),
    Check("stranded_goes_back", "no payment has ended with stranded money", _STRANDED_GOES_BACK),
    Check("receipt_for_each", "each approved attempt has its receipt", _RECEIPT_FOR_EACH),
    Check("collected_once", "no invoice keeps money of two charges", _COLLECTED_ONCE),
    Check("history_unbroken", "an unbroken history leads to each state", _HISTORY_UNBROKEN),
    Check("doubt_is_short", "nothing is in doubt beyond its deadline", _DOUBT_IS_SHORT),
    _overdue("payments", "payment_id"),
    _overdue("inbox", "inbox_id"),
    _overdue("operations", "operation_id"),
    _overdue("outgoing_events", "event_id"),
    _overdue("duties", "name"),
)
