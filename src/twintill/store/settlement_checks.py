# ruff: noqa: S608 -- only constants of this file are put together
"""What the processors' reports say against what the books say, to the cent.

A report lags, and so may a fact: what only one of them knows is asked for after some days.
"""

from twintill.store.checks import WHOLE, Check

_LAG = "interval '3 days'"
_MINE = f"{WHOLE} AND payment_id > :after AND payment_id <= :upto"

_BOOKED = f"""
    WITH said AS (
        SELECT concat_ws(chr(58), 'processor', processor_account_id, 'clearing') AS account,
               currency,
               sum(CASE WHEN whose <> 'ours' THEN amount_minor - coalesce(fee_minor, 0)
                        WHEN kind = 'fee' THEN amount_minor - coalesce(fee_minor, 0) + covered_minor
                        ELSE covered_minor - coalesce(fee_minor, 0) END) AS minor
        FROM settlement_lines WHERE {WHOLE} AND not_booked IS NULL GROUP BY 1, 2
    ), booked AS (
        SELECT account, currency, sum(amount_minor) AS minor
        FROM postings WHERE {WHOLE} AND payment_id IS NULL
            AND account LIKE 'processor%clearing' GROUP BY 1, 2
    )
    SELECT account AS object_id, format('the reports'' lines say %s %s, the ledger says %s',
               coalesce(said.minor, 0), currency, coalesce(booked.minor, 0)) AS detail
    FROM said FULL JOIN booked USING (account, currency)
    WHERE coalesce(said.minor, 0) <> coalesce(booked.minor, 0)
"""

_AGREE = f"""
    SELECT l.attempt_id AS object_id,
           format('the report shows %s %s, %s', l.minor, l.currency, coalesce(
               'its receipt ' || r.collected_minor || ' ' || r.currency,
               'and its attempt is ' || a.outcome)) AS detail
    FROM (SELECT attempt_id, currency, sum(amount_minor) AS minor, max(created_at) AS read_at
          FROM settlement_lines WHERE {_MINE} AND kind = 'charge' AND not_booked IS NULL
          GROUP BY attempt_id, currency) AS l
    JOIN attempts a ON (a.stripe_account_id, a.livemode, a.attempt_id)
                     = (:account, :live, l.attempt_id)
    LEFT JOIN receipts r ON (r.stripe_account_id, r.livemode, r.attempt_id)
                          = (:account, :live, l.attempt_id)
    WHERE (r.collected_minor, r.currency) IS DISTINCT FROM (l.minor, l.currency)
        AND (r.receipt_id IS NOT NULL
             OR l.read_at < twintill_now() - {_LAG}
                AND a.outcome IN ('approved', 'declined', 'not_sent'))
    UNION ALL
    SELECT settlement_line_id, format('the report shows that a debit of %s %s came back, and here '
               'it has not', l.amount_minor, l.currency)
    FROM settlement_lines l JOIN receipts r USING (stripe_account_id, livemode, payment_id,
        attempt_id)
    WHERE {_MINE} AND kind = 'charge_failed' AND not_booked IS NULL AND NOT r.failed
        AND l.created_at < twintill_now() - {_LAG}
    UNION ALL
    SELECT settlement_line_id, format('the report shows a refund of %s %s, %s', -l.amount_minor,
               l.currency, coalesce('here it is ' || a.amount_minor || ', ' || a.outcome,
                                    'and none is known here'))
    FROM (SELECT * FROM settlement_lines WHERE {_MINE} AND kind = 'refund'
          AND not_booked IS NULL) AS l
    LEFT JOIN attempts a ON (a.stripe_account_id, a.livemode, a.attempt_id)
                          = (:account, :live, l.refund_id)
    WHERE a.amount_minor <> -l.amount_minor
        OR (a.attempt_id IS NULL OR a.outcome IN ('declined', 'not_sent'))
            AND l.created_at < twintill_now() - {_LAG}
            AND NOT EXISTS (SELECT FROM settlement_lines b
                WHERE (b.stripe_account_id, b.livemode, b.payment_id)
                    = (:account, :live, l.payment_id) AND b.kind = 'refund_failed'
                    AND b.amount_minor = -l.amount_minor)
    UNION ALL
    SELECT l.payment_id, format('the report shows that disputes took %s %s, and here they took %s',
               l.minor, l.currency, coalesce(d.minor, 0))
    FROM (SELECT payment_id, currency, -sum(amount_minor) AS minor, max(created_at) AS read_at
          FROM settlement_lines WHERE {_MINE} AND kind IN ('dispute', 'dispute_won')
              AND not_booked IS NULL GROUP BY payment_id, currency) AS l
    LEFT JOIN (SELECT payment_id, sum(CASE WHEN withheld THEN amount_minor ELSE 0 END) AS minor
               FROM disputes WHERE {_MINE} GROUP BY payment_id) AS d USING (payment_id)
    WHERE l.minor > coalesce(d.minor, 0) AND l.read_at < twintill_now() - {_LAG}
"""

_SETTLED = f"""
    SELECT r.receipt_id AS object_id,
           format('settled %s, its lines say %s', r.settled_minor, coalesce(l.minor, 0)) AS detail
    FROM (SELECT * FROM receipts WHERE {_MINE}) AS r
    LEFT JOIN (SELECT attempt_id, greatest(sum(amount_minor), 0) AS minor
               FROM settlement_lines WHERE {_MINE} AND kind IN ('charge', 'charge_failed')
                   AND not_booked IS NULL GROUP BY attempt_id) AS l USING (attempt_id)
    WHERE r.settled_minor <> coalesce(l.minor, 0)
"""

_UNCHANGED = f"""
    SELECT settlement_line_id AS object_id,
           format('booked as %s %s with a fee of %s, and shown as %s %s with a fee of %s since %s',
                  amount_minor, currency, coalesce(fee_minor, 0), changed ->> 'amount_minor',
                  changed ->> 'currency', coalesce(changed ->> 'fee_minor', '0'), changed_at)
               AS detail
    FROM settlement_lines WHERE {WHOLE} AND changed_at IS NOT NULL
"""

# Where a report says what went out with a payout, it adds up to it.
_PAYOUTS_ADD_UP = f"""
    SELECT p.settlement_line_id AS object_id,
           format('%s %s was paid out, its lines say %s', -p.amount_minor, p.currency, l.minor)
               AS detail
    FROM settlement_lines p JOIN (
        SELECT processor_account_id, payout_id, currency,
               sum(amount_minor - coalesce(fee_minor, 0)) AS minor, max(created_at) AS read_at
        FROM settlement_lines WHERE {WHOLE} AND payout_id IS NOT NULL
            AND kind NOT IN ('payout', 'payout_returned')
        GROUP BY 1, 2, 3
    ) AS l USING (processor_account_id, payout_id, currency)
    WHERE {WHOLE} AND kind = 'payout' AND l.read_at < twintill_now() - {_LAG}
        AND p.created_at < twintill_now() - {_LAG}
        AND l.minor <> coalesce(p.fee_minor, 0) - p.amount_minor
"""

CHECKS = (
    Check("settlements_booked", "clearing moved by what the reports say", _BOOKED),
    Check("settlements_agree", "the reports and the receipts name the same amounts", _AGREE),
    Check("settled_adds_up", "what is settled of a receipt is what its lines say", _SETTLED),
    Check("settlements_unchanged", "no line of a report has changed", _UNCHANGED),
    Check("payouts_add_up", "each payout is the sum of its lines", _PAYOUTS_ADD_UP),
)
