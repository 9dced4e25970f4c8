"""What tripwires are judged by: the last hour of each processor, since its last release.

One short read each minute; the week before is only read where the hour looks bad.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.tripwires import DOUBT_AFTER, HISTORY, HOUR, Charged, Figures
from twintill.ids import Scope

# An attempt counts from the last release of its processor on.
_SINCE = """
    since AS (
        SELECT processor, max(released_at) AS at FROM brakes
        WHERE stripe_account_id = :account AND livemode = :live AND released_at IS NOT NULL
        GROUP BY processor
    )
"""
_MINE = "a.stripe_account_id = :account AND a.livemode = :live AND a.kind = 'charge'"

_HOURS = text(f"""
    WITH {_SINCE}, answered AS (
        SELECT a.processor, a.payment_id, a.outcome, a.code
        FROM attempts a LEFT JOIN since USING (processor)
        WHERE {_MINE} AND a.answered_at > twintill_now() - CAST(:hour AS interval)
            AND a.answered_at > coalesce(since.at, '-infinity')
    ), in_doubt AS (
        SELECT a.processor FROM attempts a LEFT JOIN since USING (processor)
        WHERE {_MINE} AND a.outcome IN ('started', 'no_answer')
            AND a.first_sent_at < twintill_now() - CAST(:doubt AS interval)
            AND a.first_sent_at > coalesce(since.at, '-infinity')
    )
    SELECT processor, sum(in_doubt) AS in_doubt, sum(config) AS config,
           sum(approved) AS approved, sum(declined) AS declined
    FROM (
        SELECT processor, count(*) AS in_doubt, 0 AS config, 0 AS approved, 0 AS declined
        FROM in_doubt GROUP BY processor
        UNION ALL
        SELECT processor, 0,
               count(DISTINCT payment_id) FILTER (WHERE outcome = 'not_sent' AND code = 'config'),
               count(*) FILTER (WHERE outcome = 'approved'),
               count(*) FILTER (WHERE outcome = 'declined')
        FROM answered GROUP BY processor
    ) AS counted
    GROUP BY processor ORDER BY processor
""")  # noqa: S608 -- only constants of this file are put together

_WEEK = text(f"""
    SELECT count(*) FILTER (WHERE a.outcome = 'approved') AS approved,
           count(*) FILTER (WHERE a.outcome = 'declined') AS declined
    FROM attempts a
    WHERE {_MINE} AND a.processor = :processor
        AND a.answered_at BETWEEN twintill_now() - CAST(:week AS interval)
                              AND twintill_now() - CAST(:hour AS interval)
""")  # noqa: S608 -- the same

_CHARGED = text(f"""
    WITH {_SINCE}, took AS (
        SELECT a.processor, a.currency, a.payment_id, a.amount_minor
        FROM attempts a LEFT JOIN since USING (processor)
        WHERE {_MINE} AND a.outcome = 'approved'
            AND a.answered_at > twintill_now() - CAST(:hour AS interval)
            AND a.answered_at > coalesce(since.at, '-infinity')
    ), due AS (
        SELECT t.currency, sum(i.amount_due_minor) AS due_minor
        FROM (SELECT DISTINCT currency, payment_id FROM took) AS t
        JOIN payments p ON (p.stripe_account_id, p.livemode, p.payment_id)
            = (:account, :live, t.payment_id)
        JOIN invoices i ON (i.stripe_account_id, i.livemode, i.invoice_id)
            = (:account, :live, p.invoice_id)
        GROUP BY t.currency
    )
    SELECT currency, count(*) AS charges, sum(amount_minor)::bigint AS charged_minor,
           min(due_minor)::bigint AS due_minor, array_agg(DISTINCT processor) AS processors
    FROM took JOIN due USING (currency) GROUP BY currency ORDER BY currency
""")  # noqa: S608 -- the same


async def hours(db: AsyncConnection, scope: Scope) -> list[Figures]:
    """Each processor's last hour, without its history (see `with_history`)."""
    rows = await db.execute(_HOURS, {**_of(scope), "hour": HOUR, "doubt": DOUBT_AFTER})
    return [
        Figures(
            processor=row.processor,
            in_doubt=int(row.in_doubt),
            config=int(row.config),
            approved=int(row.approved),
            declined=int(row.declined),
            approved_before=0,
            declined_before=0,
        )
        for row in rows
    ]


async def week_before(db: AsyncConnection, scope: Scope, processor: str) -> tuple[int, int]:
    """Approved and declined, in the 7 days that end an hour ago."""
    given = {**_of(scope), "processor": processor, "week": HISTORY, "hour": HOUR}
    row = (await db.execute(_WEEK, given)).one()
    return row.approved, row.declined


async def charged(db: AsyncConnection, scope: Scope) -> list[Charged]:
    """What all processors together took in the last hour, by currency, and what was due."""
    rows = await db.execute(_CHARGED, {**_of(scope), "hour": HOUR})
    return [
        Charged(
            currency=row.currency,
            charges=row.charges,
            charged_minor=row.charged_minor,
            due_minor=row.due_minor,
            processors=tuple(row.processors),
        )
        for row in rows
    ]


def _of(scope: Scope) -> dict[str, object]:
    return {"account": scope.stripe_account_id, "live": scope.livemode}
