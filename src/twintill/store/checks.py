# ruff: noqa: S608 -- only constants of this file are put together
"""The books checked against themselves: each check is a query for the rows that break its rule.

Most are asked of a page of payments at a time (`:after`, `:upto`, see `store.verifying`): bounded
on a database of any size. What concerns time and the rows of work is in `work_checks`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A rule, in words, and the query for what breaks it (columns: object_id, detail)."""

    name: str
    rule: str
    query: str

    @property
    def paged(self) -> bool:
        """Asked of one page of payments at a time; else once, of everything."""
        return ":upto" in self.query


WHOLE = "stripe_account_id = :account AND livemode = :live"
_MINE = f"{WHOLE} AND payment_id > :after AND payment_id <= :upto"

_LEDGER_BALANCES = f"""
    SELECT ledger_transaction_id AS object_id, currency || ' off by ' || sum(amount_minor) AS detail
    FROM postings WHERE {_MINE}
    GROUP BY ledger_transaction_id, currency HAVING sum(amount_minor) <> 0
"""

_LEDGER_REST_BALANCES = f"""
    SELECT ledger_transaction_id AS object_id, currency || ' off by ' || sum(amount_minor) AS detail
    FROM postings WHERE {WHOLE} AND payment_id IS NULL
    GROUP BY ledger_transaction_id, currency HAVING sum(amount_minor) <> 0
"""

# What the receipts say against what the ledger says, per payment and account.
_BOOKS_AGREE = f"""
    WITH received AS (
        SELECT payment_id,
               sum(CASE WHEN failed OR attempt_id IS NULL THEN 0 ELSE collected_minor END
                   - refunded_minor
                   - disputed_minor - withheld_minor - loss_minor - fee_minor + paid_out)
                   AS clearing,
               -sum(paid_out) AS paid_out,
               -sum(CASE WHEN failed THEN 0 ELSE collected_minor - reported_minor
                         - stranded_minor - refunded_minor - disputed_minor
                         - refund_due_minor - note_due_minor - credit_minor END) AS unapplied,
               -sum(reported_minor) AS reported,
               -sum(CASE WHEN failed THEN 0 ELSE stranded_minor - stranded_out END) AS stranded,
               -sum(stranded_out + reported_out) AS in_flight,
               -sum(CASE WHEN failed THEN 0 ELSE refund_due_minor - reported_out END) AS due,
               -sum(CASE WHEN failed THEN 0 ELSE note_due_minor END) AS note_due,
               sum(withheld_minor) AS withheld, sum(loss_minor) AS loss, sum(fee_minor) AS fee
        FROM receipts CROSS JOIN LATERAL (
            SELECT coalesce(sum(fee_minor), 0) AS fee_minor FROM disputes
            WHERE (disputes.stripe_account_id, disputes.livemode, disputes.receipt_id)
                = (receipts.stripe_account_id, receipts.livemode, receipts.receipt_id)
                AND disputes.payment_id = receipts.payment_id) AS fees
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_minor) FILTER (
                       WHERE refund_of = 'reported' AND outcome = 'accepted'), 0) AS reported_out,
                   coalesce(sum(amount_minor) FILTER (
                       WHERE refund_of IS DISTINCT FROM 'reported' AND outcome = 'accepted'), 0)
                       AS stranded_out,
                   coalesce(sum(amount_minor) FILTER (
                       WHERE another_way IS NOT NULL AND outcome = 'approved'), 0) AS paid_out
            FROM attempts AS refunds
            WHERE (refunds.stripe_account_id, refunds.livemode, refunds.receipt_id)
                = (receipts.stripe_account_id, receipts.livemode, receipts.receipt_id)
                AND refunds.payment_id = receipts.payment_id
                AND kind = 'refund') AS refunds
        WHERE {_MINE} GROUP BY payment_id
    ), by_hand AS (
        SELECT payment_id, -sum(credit_minor) AS credit, -sum(paid_out_minor) AS credit_paid,
               sum(CASE WHEN source_id IS NULL AND state NOT IN ('undone', 'corrected')
                   THEN amount_minor ELSE 0 END) AS undeposited,
               sum(moved_minor) - sum(CASE WHEN source_id IS NOT NULL
                   AND state NOT IN ('undone', 'corrected') THEN amount_minor ELSE 0 END) AS moved
        FROM hand_payments WHERE {_MINE} GROUP BY payment_id
    ), said AS (
        SELECT payment_id, coalesce(clearing, 0) AS clearing,
               coalesce(paid_out, 0) + coalesce(credit_paid, 0) AS paid_out,
               coalesce(unapplied, 0) AS unapplied, coalesce(reported, 0) AS reported,
               coalesce(stranded, 0) AS stranded, coalesce(in_flight, 0) AS in_flight,
               coalesce(due, 0) AS due, coalesce(note_due, 0) AS note_due,
               coalesce(withheld, 0) AS withheld, coalesce(loss, 0) AS loss,
               coalesce(fee, 0) AS fee, coalesce(credit, 0) AS credit,
               coalesce(undeposited, 0) AS undeposited, -coalesce(moved, 0) AS moved
        FROM received FULL JOIN by_hand USING (payment_id)
    ), booked AS (
        SELECT payment_id,
               coalesce(sum(amount_minor) FILTER (WHERE account LIKE 'processor%clearing'), 0)
                   AS clearing,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'hand:paid_out'), 0) AS paid_out,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'customer:unapplied'), 0)
                   AS unapplied,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'stripe:reported'), 0)
                   AS reported,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'customer:stranded'), 0)
                   AS stranded,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'refund:in_flight'), 0)
                   AS in_flight,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'refund:due'), 0) AS due,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'credit_note:due'), 0)
                   AS note_due,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'dispute:withheld'), 0)
                   AS withheld,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'loss'), 0) AS loss,
               coalesce(sum(amount_minor) FILTER (WHERE account LIKE 'fee:%'), 0) AS fee,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'customer:credit'), 0) AS credit,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'hand:undeposited'), 0)
                   AS undeposited,
               coalesce(sum(amount_minor) FILTER (WHERE account = 'credit:moved'), 0) AS moved
        FROM postings WHERE {_MINE} AND payment_id IS NOT NULL GROUP BY payment_id
    )
    SELECT payment_id AS object_id,
           format('receipts say %s, the ledger says %s', row_to_json(said), row_to_json(booked))
               AS detail
    FROM said FULL JOIN booked USING (payment_id)
    WHERE (said.clearing, said.paid_out, said.unapplied, said.reported, said.stranded,
           said.in_flight, said.due, said.note_due, said.withheld, said.loss, said.fee,
           said.credit, said.undeposited, said.moved)
          IS DISTINCT FROM
          (booked.clearing, booked.paid_out, booked.unapplied, booked.reported, booked.stranded,
           booked.in_flight, booked.due, booked.note_due, booked.withheld, booked.loss, booked.fee,
           booked.credit, booked.undeposited, booked.moved)
"""

_GIVEN_BACK = """
    SELECT r.receipt_id AS object_id, format('%s refunded, and %s given back by its refunds',
        r.refunded_minor, coalesce(sum(a.amount_minor), 0)) AS detail
    FROM receipts r LEFT JOIN attempts a
        ON (a.stripe_account_id, a.livemode, a.payment_id, a.receipt_id)
         = (r.stripe_account_id, r.livemode, r.payment_id, r.receipt_id)
        AND a.kind = 'refund' AND a.outcome = 'approved'
    WHERE r.stripe_account_id = :account AND r.livemode = :live
        AND r.payment_id > :after AND r.payment_id <= :upto
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

# What passes through: nothing of a payment that has ended may stand on them.
_NOTHING_LEFT = f"""
    SELECT payment_id AS object_id,
           format('ended with %s %s on %s', -sum(amount_minor), postings.currency, account)
               AS detail
    FROM postings JOIN payments USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND ended_at IS NOT NULL AND account IN (
        'customer:unapplied', 'refund:due', 'refund:in_flight', 'dispute:withheld',
        'credit_note:due')
    GROUP BY payment_id, account, postings.currency HAVING sum(amount_minor) <> 0
"""

_RECEIPT_FOR_EACH = f"""
    SELECT attempt_id AS object_id, 'approved without a receipt' AS detail
    FROM attempts a WHERE {_MINE} AND kind = 'charge' AND outcome = 'approved' AND NOT EXISTS (
        SELECT FROM receipts r WHERE (r.stripe_account_id, r.livemode, r.attempt_id)
                                   = (a.stripe_account_id, a.livemode, a.attempt_id))
"""

_ATTEMPT_FOR_EACH = f"""
    SELECT r.receipt_id AS object_id,
           format('%s %s collected, its attempt %s: %s %s, %s', r.collected_minor, r.currency,
                  coalesce(a.attempt_id, 'is missing'), a.amount_minor, a.currency, a.outcome)
               AS detail
    FROM (SELECT * FROM receipts WHERE {_MINE} AND source = 'attempt') AS r LEFT JOIN attempts a
        ON (a.stripe_account_id, a.livemode, a.attempt_id)
         = (r.stripe_account_id, r.livemode, r.attempt_id)
    WHERE (r.payment_id, least(r.collected_minor, a.amount_minor), r.currency, NOT r.failed)
          IS DISTINCT FROM (a.payment_id, r.collected_minor, a.currency, a.outcome = 'approved')
"""

_ADDS_UP = f"""
    SELECT receipt_id AS object_id,
           format('%s collected; %s reported, %s stranded, %s refunded', collected_minor,
                  reported_minor, stranded_minor, refunded_minor) AS detail
    FROM receipts WHERE {_MINE} AND (
        least(reported_minor, stranded_minor, refunded_minor, disputed_minor, credit_minor) < 0
        OR reported_minor + stranded_minor + refunded_minor + disputed_minor + refund_due_minor
            + note_due_minor + credit_minor > collected_minor)
"""

_STATE_FITS_MONEY = f"""
    SELECT payment_id AS object_id,
           format('is %s, with %s unresolved attempts and %s not yet reported', state, out, held)
               AS detail
    FROM payments p
    CROSS JOIN LATERAL (
        SELECT count(*) AS out FROM attempts a
        WHERE (a.stripe_account_id, a.livemode, a.payment_id)
            = (p.stripe_account_id, p.livemode, p.payment_id) AND kind = 'charge'
            AND outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')) AS unresolved
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(collected_minor - reported_minor - stranded_minor - refunded_minor
                            - disputed_minor - refund_due_minor - note_due_minor
                            - credit_minor), 0)
            AS held FROM receipts r
        WHERE (r.stripe_account_id, r.livemode, r.payment_id)
            = (p.stripe_account_id, p.livemode, p.payment_id) AND NOT failed) AS money
    WHERE {_MINE} AND (
        out > 1 OR (state = 'collected') <> (held > 0)
        OR state IN ('charging', 'pending') AND out = 0
        OR state IN ('waiting', 'exhausted', 'canceled') AND out > 0)
"""

_COLLECTED_ONCE = f"""
    SELECT payment_id AS object_id, count(*) || ' receipts kept as collected' AS detail
    FROM receipts WHERE {_MINE} AND NOT failed AND source = 'attempt'
        AND collected_minor > stranded_minor + refunded_minor + disputed_minor
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
    SELECT payment_id, 'is ' || state || ' at ' || history_seq || ', its history ends in '
           || coalesce(state_after, 'none')
    FROM payments LEFT JOIN payment_history
        USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND history_seq > 0 AND coalesce(seq, history_seq) >= history_seq
        AND (seq > history_seq OR state IS DISTINCT FROM state_after)
    UNION ALL
    SELECT payment_id, 'its history ends at ' || coalesce(max(seq), 0) || ' of ' || history_seq
    FROM payments LEFT JOIN payment_history USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} GROUP BY payment_id, history_seq HAVING coalesce(max(seq), 0) < history_seq
"""

# A payment by hand is on its invoice, waits for it, or is the customer's credit: never two of them.
_BY_HAND_ONCE = """
    SELECT h.hand_payment_id AS object_id,
           format('%s of %s %s: %s on its invoice, %s credit, %s used, %s paid out', h.state,
                  h.amount_minor, h.currency, r.kept, h.credit_minor, h.moved_minor,
                  h.paid_out_minor) AS detail
    FROM hand_payments h CROSS JOIN LATERAL (
        SELECT coalesce(sum(CASE WHEN failed THEN 0 ELSE collected_minor - credit_minor END), 0)
                   AS kept, count(*) AS receipts
        FROM receipts WHERE (stripe_account_id, livemode, receipt_id)
                          = (h.stripe_account_id, h.livemode, h.receipt_id)
            AND receipts.payment_id = h.payment_id AND attempt_id IS NULL) AS r
    WHERE h.stripe_account_id = :account AND h.livemode = :live
        AND h.payment_id > :after AND h.payment_id <= :upto
        AND (r.receipts <> (h.receipt_id IS NOT NULL)::int
            OR r.kept + h.credit_minor + h.moved_minor + h.paid_out_minor
               <> CASE WHEN h.state IN ('undone', 'corrected') THEN h.paid_out_minor
                       ELSE h.amount_minor END)
"""

_BY_HAND_FOR_EACH = f"""
    SELECT receipt_id AS object_id, 'not through a processor, and nobody recorded it' AS detail
    FROM receipts r WHERE {_MINE} AND source IN ('hand', 'credit') AND NOT EXISTS (
        SELECT FROM hand_payments h WHERE (h.stripe_account_id, h.livemode, h.receipt_id)
                                        = (r.stripe_account_id, r.livemode, r.receipt_id)
            AND h.payment_id = r.payment_id AND h.amount_minor = r.collected_minor)
"""

# What waits has something to wait for: a charge that is out, or a person.
_BY_HAND_WAITS = f"""
    SELECT hand_payment_id AS object_id, 'waits, and nothing is out' AS detail
    FROM hand_payments h JOIN payments p USING (stripe_account_id, livemode, payment_id)
    WHERE {_MINE} AND h.state = 'waiting' AND p.parked_at IS NULL AND NOT EXISTS (
        SELECT FROM attempts a WHERE (a.stripe_account_id, a.livemode, a.payment_id)
                                   = (h.stripe_account_id, h.livemode, h.payment_id)
            AND a.kind = 'charge'
            AND a.outcome IN ('started', 'accepted', 'no_answer', 'needs_customer'))
"""

_CREDIT_MOVED = f"""
    SELECT currency AS object_id, 'off by ' || sum(amount_minor) AS detail FROM postings
    WHERE {WHOLE} AND account = 'credit:moved' GROUP BY currency HAVING sum(amount_minor) <> 0
"""

CHECKS = (
    Check("ledger_balances", "every ledger transaction is balanced", _LEDGER_BALANCES),
    Check("ledger_rest_balances", "so is what belongs to no payment", _LEDGER_REST_BALANCES),
    Check("books_agree", "receipts and ledger say the same of each payment", _BOOKS_AGREE),
    Check("nothing_left", "an ended payment has nothing left on its way", _NOTHING_LEFT),
    Check("given_back", "each receipt's refunds are what its book says", _GIVEN_BACK),
    Check("stranded_goes_back", "no payment has ended with stranded money", _STRANDED_GOES_BACK),
    Check("receipt_for_each", "each approved attempt has its receipt", _RECEIPT_FOR_EACH),
    Check("attempt_for_each", "no receipt is more than its attempt asked for", _ATTEMPT_FOR_EACH),
    Check("adds_up", "no receipt gives away more than it collected", _ADDS_UP),
    Check("collected_once", "no invoice keeps money of two charges", _COLLECTED_ONCE),
    Check("by_hand_once", "money by hand is in one place", _BY_HAND_ONCE),
    Check("by_hand_for_each", "each receipt by hand was recorded", _BY_HAND_FOR_EACH),
    Check("by_hand_waits", "money by hand waits for something", _BY_HAND_WAITS),
    Check("credit_moved", "credit that left a payment came to another", _CREDIT_MOVED),
    Check("state_fits_money", "each state is what attempts and money say", _STATE_FITS_MONEY),
    Check("history_unbroken", "an unbroken history leads to each state", _HISTORY_UNBROKEN),
)
