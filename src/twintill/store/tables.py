"""The tables: what we remember, and what the database itself refuses.

Every key begins with Stripe account and mode. Amounts are bigint minor units. Four kinds of row
carry work (payments, inbox, operations, outgoing events): see `_work`. The ledger's and the
history's rows only grow: triggers of the first migration refuse the rest.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# An attempt whose money may still move; the partial unique index below is law 3.
UNRESOLVED = ("started", "accepted", "no_answer", "needs_customer")
_UNRESOLVED_SQL = "outcome IN ('started', 'accepted', 'no_answer', 'needs_customer')"


def _text(name: str, *, null: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=null, server_default=default)


def _time(name: str, *, null: bool = True) -> Column[Any]:
    return Column(name, TIMESTAMP(timezone=True), nullable=null)


def _minor(name: str, *, null: bool = False, default: str | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=null, server_default=default)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _flag(name: str, default: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


def _scope() -> tuple[Column[str], Column[bool]]:
    return _text("stripe_account_id"), Column("livemode", Boolean, nullable=False)


def _work() -> tuple[Column[Any], ...]:
    """What makes a row workable: due when, held by whom until, parked why, ended when.

    `lease_until` and `rung_at` follow the wall clock of the database (they measure network calls),
    everything else its business clock, which a sandbox may shift.
    """
    return (
        _time("next_look_at"),
        _time("lease_until"),
        Column("lease_token", Uuid, nullable=True),
        _count("looks"),
        _time("rung_at"),
        _time("parked_at"),
        _text("parked_why", null=True),
        _time("ended_at"),
    )


def _not_forgotten() -> CheckConstraint:
    return CheckConstraint(
        "ended_at IS NOT NULL OR next_look_at IS NOT NULL OR parked_at IS NOT NULL",
        name="not_forgotten",
    )


def _key(*columns: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint("stripe_account_id", "livemode", *columns)


def _unique(*columns: str) -> UniqueConstraint:
    return UniqueConstraint("stripe_account_id", "livemode", *columns)


def _belongs_to(table: str, column: str) -> ForeignKeyConstraint:
    key = {"payments": "payment_id", "customers": "customer_id", "deliveries": "delivery_id"}[table]
    return ForeignKeyConstraint(
        ["stripe_account_id", "livemode", column],
        [f"{table}.stripe_account_id", f"{table}.livemode", f"{table}.{key}"],
    )


def _due(table: str, *first: str) -> Index:
    """What the sweep and the claim read: only rows that still wait for something."""
    return Index(
        f"ix_{table}_due",
        *first,
        "next_look_at",
        postgresql_where=text("ended_at IS NULL AND parked_at IS NULL"),
    )


stripe_accounts = Table(
    "stripe_accounts",
    metadata,
    *_scope(),
    _text("installation_id"),
    _time("created_at", null=False),
    _key(),
)

customers = Table(
    "customers",
    metadata,
    *_scope(),
    _text("customer_id"),
    _flag("stale", "false"),
    _time("deleted_at"),
    _time("created_at", null=False),
    _key("customer_id"),
)

payment_methods = Table(
    "payment_methods",
    metadata,
    *_scope(),
    _text("payment_method_id"),
    _text("customer_id"),
    _text("processor"),
    _text("processor_account_id"),
    _text("processor_customer_id"),
    Column("sealed_token", LargeBinary, nullable=True),
    Column("token_fingerprint", LargeBinary, nullable=False),
    _text("kind"),
    Column("display", JSONB, nullable=False),
    _text("status"),
    _flag("is_default", "false"),
    _time("created_at", null=False),
    _time("removed_at"),
    _key("payment_method_id"),
    _belongs_to("customers", "customer_id"),
    CheckConstraint("status IN ('active', 'removing', 'removed', 'revoked')", name="status"),
    CheckConstraint(
        "status NOT IN ('active', 'removing') OR sealed_token IS NOT NULL", name="token_present"
    ),
    Index(
        "uq_payment_methods_default",
        "stripe_account_id",
        "livemode",
        "customer_id",
        unique=True,
        postgresql_where=text("is_default AND status = 'active'"),
    ),
    Index(
        "ix_payment_methods_fingerprint",
        "stripe_account_id",
        "livemode",
        "processor_account_id",
        "token_fingerprint",
    ),
    Index("ix_payment_methods_customer", "stripe_account_id", "livemode", "customer_id"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    *_scope(),
    _text("subscription_id"),
    _text("customer_id"),
    _text("status"),
    _text("collection_method"),
    _flag("stale", "false"),
    _time("ended_at"),
    _time("created_at", null=False),
    _key("subscription_id"),
    _belongs_to("customers", "customer_id"),
    Index("ix_subscriptions_customer", "stripe_account_id", "livemode", "customer_id"),
)

invoices = Table(
    "invoices",
    metadata,
    *_scope(),
    _text("invoice_id"),
    _text("customer_id"),
    _text("subscription_id", null=True),
    _text("number", null=True),
    _text("status"),
    _text("collection_method"),
    _text("billing_reason", null=True),
    _text("currency"),
    _minor("amount_due_minor"),
    _minor("amount_paid_minor"),
    _minor("amount_remaining_minor"),
    _time("due_at"),
    _flag("stale", "false"),
    _time("created_at", null=False),
    _time("seen_at", null=False),
    _key("invoice_id"),
    _belongs_to("customers", "customer_id"),
    Index("ix_invoices_created", "stripe_account_id", "livemode", "created_at", "invoice_id"),
    Index("ix_invoices_customer", "stripe_account_id", "livemode", "customer_id", "created_at"),
)

payments = Table(
    "payments",
    metadata,
    *_scope(),
    _text("payment_id"),
    _text("invoice_id"),
    _text("customer_id"),
    _text("currency"),
    _text("state"),
    _text("reason", null=True),
    _text("lane"),
    _minor("limit_minor", null=True),
    _text("continues", null=True),
    _count("reports"),
    _count("unreadable"),
    _count("history_seq"),
    _time("due_at"),
    _time("created_at", null=False),
    *_work(),
    _key("payment_id"),
    _unique("invoice_id"),
    _belongs_to("customers", "customer_id"),
    CheckConstraint(
        "state IN ('waiting', 'charging', 'pending', 'collected', 'reported', 'exhausted', "
        "'canceled', 'stranded', 'refunded')",
        name="state",
    ),
    _not_forgotten(),
    _due("payments", "lane"),
    Index("ix_payments_created", "stripe_account_id", "livemode", "created_at", "payment_id"),
    Index("ix_payments_customer", "stripe_account_id", "livemode", "customer_id", "created_at"),
    Index("ix_payments_parked", "parked_at", postgresql_where=text("parked_at IS NOT NULL")),
)

payment_history = Table(
    "payment_history",
    metadata,
    *_scope(),
    _text("payment_id"),
    Column("seq", Integer, nullable=False),
    _time("at", null=False),
    _text("fact"),
    Column("detail", JSONB, nullable=False),
    _text("state_before"),
    _text("state_after"),
    _text("reason_after", null=True),
    _text("attempt_id", null=True),
    _text("actor"),
    _key("payment_id", "seq"),
    _belongs_to("payments", "payment_id"),
)

attempts = Table(
    "attempts",
    metadata,
    *_scope(),
    _text("attempt_id"),
    _text("payment_id"),
    _text("kind"),
    Column("n", Integer, nullable=False),
    _text("payment_method_id", null=True),
    _text("receipt_id", null=True),
    _text("processor"),
    _text("processor_account_id"),
    _minor("amount_minor"),
    _text("currency"),
    _text("reference"),
    _text("idempotency_key"),
    Column("sealed_body", LargeBinary, nullable=True),
    _time("first_sent_at", null=False),
    _count("asked"),
    _count("sendings"),
    _text("outcome"),
    _text("finality", null=True),
    _text("processor_payment_id", null=True),
    _text("payment_record_id", null=True),
    _text("decline_kind", null=True),
    _text("code", null=True),
    _text("detail", null=True),
    Column("retry_after_s", Integer, nullable=True),
    _text("action_url", null=True),
    _time("expected_at"),
    _time("answered_at"),
    _key("attempt_id"),
    _unique("payment_id", "kind", "n"),
    _unique("processor_account_id", "reference"),
    _unique("processor_account_id", "idempotency_key"),
    _belongs_to("payments", "payment_id"),
    CheckConstraint("kind IN ('charge', 'refund')", name="kind"),
    CheckConstraint("amount_minor > 0", name="amount"),
    CheckConstraint(
        "outcome IN ('started', 'approved', 'accepted', 'declined', 'needs_customer', "
        "'no_answer', 'not_sent')",
        name="outcome",
    ),
    Index(
        "uq_attempts_unresolved",
        "stripe_account_id",
        "livemode",
        "payment_id",
        "kind",
        unique=True,
        postgresql_where=text(_UNRESOLVED_SQL),
    ),
    Index(
        "uq_attempts_processor_payment",
        "stripe_account_id",
        "livemode",
        "processor_account_id",
        "kind",
        "processor_payment_id",
        unique=True,
        postgresql_where=text("processor_payment_id IS NOT NULL"),
    ),
)

receipts = Table(
    "receipts",
    metadata,
    *_scope(),
    _text("receipt_id"),
    _text("payment_id"),
    _text("attempt_id", null=True),
    _text("source"),
    _text("processor_account_id", null=True),
    _text("currency"),
    _text("finality"),
    _minor("collected_minor"),
    _minor("reported_minor", default="0"),
    _minor("stranded_minor", default="0"),
    _minor("refunded_minor", default="0"),
    _minor("disputed_minor", default="0"),
    _minor("settled_minor", default="0"),
    _flag("failed", "false"),
    _time("collected_at", null=False),
    _key("receipt_id"),
    _unique("attempt_id"),
    _belongs_to("payments", "payment_id"),
    CheckConstraint("source IN ('attempt', 'hand', 'transfer')", name="source"),
    CheckConstraint(
        "collected_minor > 0 AND reported_minor >= 0 AND stranded_minor >= 0 AND "
        "refunded_minor >= 0 AND disputed_minor >= 0 AND settled_minor >= 0",
        name="nothing_negative",
    ),
    CheckConstraint(
        "refunded_minor <= collected_minor AND reported_minor + stranded_minor <= collected_minor",
        name="not_more_than_collected",
    ),
    Index("ix_receipts_payment", "stripe_account_id", "livemode", "payment_id"),
)

operations = Table(
    "operations",
    metadata,
    *_scope(),
    _text("operation_id"),
    _text("kind"),
    _text("customer_id", null=True),
    _text("step"),
    Column("data", JSONB, nullable=False),
    _text("error", null=True),
    _time("created_at", null=False),
    *_work(),
    _key("operation_id"),
    _not_forgotten(),
    _due("operations"),
    Index("ix_operations_customer", "stripe_account_id", "livemode", "customer_id", "kind"),
    Index(
        "ix_operations_created",
        "stripe_account_id",
        "livemode",
        "kind",
        "created_at",
        "operation_id",
    ),
)

checkouts = Table(
    "checkouts",
    metadata,
    *_scope(),
    _text("checkout_id"),
    _text("operation_id"),
    _text("purpose"),
    _text("customer_id"),
    _text("subscription_id", null=True),
    _text("invoice_id", null=True),
    _text("payment_id", null=True),
    _text("state"),
    _text("currency"),
    _minor("shown_minor"),
    _minor("final_minor", null=True),
    _minor("agreed_minor", null=True),
    _text("description"),
    _text("success_url"),
    _text("cancel_url"),
    _text("processor"),
    _text("setup_session_id", null=True),
    _text("payment_method_id", null=True),
    _text("problem", null=True),
    _count("setups"),
    _time("expires_at", null=False),
    _time("completed_at"),
    _time("created_at", null=False),
    _key("checkout_id"),
    _unique("operation_id"),
    _belongs_to("customers", "customer_id"),
    CheckConstraint(
        "state IN ('open', 'completing', 'confirming', 'complete', 'expired')", name="state"
    ),
    CheckConstraint(
        "purpose = 'method' OR purpose = 'signup' AND subscription_id IS NOT NULL AND "
        "invoice_id IS NOT NULL AND payment_id IS NOT NULL",
        name="purpose",
    ),
    Index("ix_checkouts_payment", "stripe_account_id", "livemode", "payment_id"),
    Index("ix_checkouts_invoice", "stripe_account_id", "livemode", "invoice_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    *_scope(),
    Column("delivery_id", BigInteger, Identity(), nullable=False),
    _text("source"),
    _time("received_at", null=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    _text("verdict"),
    _key("delivery_id"),
)

inbox = Table(
    "inbox",
    metadata,
    *_scope(),
    Column("inbox_id", BigInteger, Identity(), nullable=False),
    _text("source"),
    _text("dedupe_key", null=True),
    _text("type"),
    _text("object_id", null=True),
    Column("position", Integer, nullable=False, server_default="0"),
    Column("delivery_id", BigInteger, nullable=False),
    _text("state"),
    _text("note", null=True),
    _time("occurred_at"),
    _time("created_at", null=False),
    *_work(),
    _key("inbox_id"),
    _unique("source", "dedupe_key"),
    _belongs_to("deliveries", "delivery_id"),
    CheckConstraint("state IN ('new', 'done', 'ignored', 'parked')", name="state"),
    _not_forgotten(),
    _due("inbox"),
)

ledger_transactions = Table(
    "ledger_transactions",
    metadata,
    *_scope(),
    _text("ledger_transaction_id"),
    _text("cause"),
    _text("kind"),
    _text("payment_id", null=True),
    _time("at", null=False),
    Column(
        "database_transaction",
        BigInteger,
        nullable=False,
        server_default=text("(pg_current_xact_id()::text::bigint)"),
    ),
    _key("ledger_transaction_id"),
    _unique("cause"),
    Index("ix_ledger_transactions_payment", "stripe_account_id", "livemode", "payment_id"),
)

postings = Table(
    "postings",
    metadata,
    *_scope(),
    _text("ledger_transaction_id"),
    Column("n", Integer, nullable=False),
    _text("account"),
    _text("currency"),
    _minor("amount_minor"),
    _text("payment_id", null=True),
    _text("receipt_id", null=True),
    _key("ledger_transaction_id", "n"),
    ForeignKeyConstraint(
        ["stripe_account_id", "livemode", "ledger_transaction_id"],
        [
            "ledger_transactions.stripe_account_id",
            "ledger_transactions.livemode",
            "ledger_transactions.ledger_transaction_id",
        ],
        name="fk_postings_ledger_transaction",
    ),
    CheckConstraint("amount_minor <> 0", name="amount"),
    Index("ix_postings_account", "stripe_account_id", "livemode", "account", "currency"),
    Index("ix_postings_payment", "stripe_account_id", "livemode", "payment_id"),
)

outgoing_events = Table(
    "outgoing_events",
    metadata,
    *_scope(),
    _text("event_id"),
    _text("type"),
    _text("object_id"),
    Column("payload", JSONB, nullable=False),
    Column("last_status", Integer, nullable=True),
    _time("created_at", null=False),
    *_work(),
    _key("event_id"),
    _not_forgotten(),
    _due("outgoing_events"),
)

api_keys = Table(
    "api_keys",
    metadata,
    *_scope(),
    _text("api_key_id"),
    Column("secret_hash", LargeBinary, nullable=False),
    _text("owner"),
    Column("scopes", ARRAY(Text), nullable=False),
    _time("created_at", null=False),
    _time("revoked_at"),
    _key("api_key_id"),
    UniqueConstraint("secret_hash"),
)

api_requests = Table(
    "api_requests",
    metadata,
    *_scope(),
    _text("api_key_id"),
    _text("idempotency_key"),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", Integer, nullable=True),
    Column("answer", LargeBinary, nullable=True),
    _time("locked_until", null=False),
    _time("created_at", null=False),
    _key("api_key_id", "idempotency_key"),
)

virtual_clocks = Table(
    "virtual_clocks",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("shift", Interval, nullable=False),
    CheckConstraint("one = 1", name="one_row"),
)
