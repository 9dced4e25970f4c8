# ruff: noqa: S608 -- only constants of this file are put together
"""Nothing waits for longer than it should, nothing is forgotten, and the database's guards stand.

`:doubt_s` and `:pending_s` are the deadlines of attempts that are out, in seconds.
"""

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.dialects import postgresql

from twintill.store.checks import WHOLE, Check
from twintill.store.tables.columns import metadata

# A row is looked at within seconds; the rest is for a fleet that was stopped for an update.
_LATE = "interval '15 minutes'"
# No pause of ours is longer than some days; a bank debit may take three weeks.
_LONGEST_SLEEP = "interval '60 days'"

_DOUBT_IS_SHORT = f"""
    SELECT payment_id AS object_id, attempt_id || ' is ' || outcome || ' since ' || first_sent_at
        AS detail
    FROM attempts JOIN payments USING (stripe_account_id, livemode, payment_id)
    WHERE {WHOLE} AND parked_at IS NULL
        AND outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')
        AND first_sent_at + make_interval(secs => CASE
            WHEN outcome IN ('accepted', 'needs_customer') THEN CAST(:pending_s AS float8)
            ELSE CAST(:doubt_s AS float8) END) < twintill_now() - interval '1 day'
"""

_REPORTED_SOON = f"""
    SELECT payment_id AS object_id, 'collected ' || collected_at || ', and not yet reported'
        AS detail
    FROM payments JOIN receipts USING (stripe_account_id, livemode, payment_id)
    WHERE {WHOLE} AND state = 'collected' AND ended_at IS NULL AND parked_at IS NULL
        AND NOT failed AND collected_at < twintill_now() - interval '1 day'
        AND collected_minor > reported_minor + stranded_minor + refunded_minor
"""

_APPEND_ONLY = (
    "ledger_transactions",
    "postings",
    "payment_history",
    "deliveries",
    "invoice_actions",
    "hand_evidence",
)
_TRIGGERS = (
    "ledger_transactions_stamp",
    "postings_belong",
    "postings_balance",
    "ledger_transactions_balance",
    *(f"{table}_{rule}" for table in _APPEND_ONLY for rule in ("only_grows", "never_emptied")),
)
# Its migration gave it the convention's prefix twice.
_MIGRATED_AS = {"ck_duties_not_forgotten": "ck_duties_ck_duties_not_forgotten"}
_PREPARER = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]


def _unique() -> tuple[str, ...]:
    """What the tables say: a rule that is added there is watched from then on."""
    named: list[str] = []
    for table in metadata.sorted_tables:
        named += [str(index.name) for index in table.indexes if index.unique]
        named += [
            str(_PREPARER.format_constraint(rule))
            for rule in table.constraints
            if isinstance(rule, UniqueConstraint)
        ]
    return tuple(sorted(named))


def _checks() -> tuple[str, ...]:
    named = (
        str(_PREPARER.format_constraint(rule))
        for table in metadata.sorted_tables
        for rule in sorted(table.constraints, key=lambda rule: str(rule.name))
        if isinstance(rule, CheckConstraint)
    )
    return tuple(_MIGRATED_AS.get(name, name) for name in named)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"('{name}')" for name in names)


_GUARDS_STAND = f"""
    SELECT name AS object_id, 'this trigger is missing or disabled' AS detail
    FROM (VALUES {_names(_TRIGGERS)}) AS t (name) WHERE NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgname = name AND tgenabled IN ('O', 'A'))
    UNION ALL
    SELECT name, 'this unique index is missing or invalid'
    FROM (VALUES {_names(_unique())}) AS u (name) WHERE NOT EXISTS (
        SELECT FROM pg_index WHERE indexrelid = to_regclass(name) AND indisunique AND indisvalid)
    UNION ALL
    SELECT name, 'this constraint is missing or not validated'
    FROM (VALUES {_names(_checks())}) AS c (name) WHERE NOT EXISTS (
        SELECT FROM pg_constraint WHERE conname = name AND convalidated)
"""


def _forgotten() -> str:
    tables = {
        "payments": "payment_id",
        "inbox": "inbox_id",
        "operations": "operation_id",
        "outgoing_events": "event_id",
        "outgoing_deliveries": "delivery_id",
        "duties": "name",
    }
    return " UNION ALL ".join(
        f"""
        SELECT {key}::text AS object_id, '{table}: ' || coalesce('asleep until ' || next_look_at,
            'neither due nor parked nor ended') AS detail
        FROM {table} WHERE {WHOLE} AND ended_at IS NULL AND parked_at IS NULL
            AND (next_look_at IS NULL OR next_look_at > twintill_now() + {_LONGEST_SLEEP})
        """
        for table, key in tables.items()
    )


def _on_time(table: str, key: str) -> Check:
    """The longest waiting first: what was never looked at says so (nobody answers its bell)."""
    query = f"""
        SELECT {key}::text AS object_id, 'due since ' || next_look_at
            || CASE WHEN looks = 0 THEN ', and never looked at' ELSE '' END AS detail
        FROM {table} WHERE {WHOLE} AND ended_at IS NULL AND parked_at IS NULL
            AND next_look_at < twintill_now() - {_LATE}
            AND (lease_until IS NULL OR lease_until < twintill_wall())
        ORDER BY next_look_at
    """
    return Check(f"{table}_on_time", f"no row of {table} is due for over 15 minutes", query)


CHECKS = (
    Check("doubt_is_short", "nothing is in doubt beyond its deadline", _DOUBT_IS_SHORT),
    Check("reported_soon", "what was collected is reported within a day", _REPORTED_SOON),
    Check("none_forgotten", "no row sleeps for ever", _forgotten()),
    _on_time("payments", "payment_id"),
    _on_time("inbox", "inbox_id"),
    _on_time("operations", "operation_id"),
    _on_time("outgoing_events", "event_id"),
    _on_time("outgoing_deliveries", "delivery_id"),
    _on_time("duties", "name"),
    Check("guards_stand", "the database still refuses what it must refuse", _GUARDS_STAND),
)
