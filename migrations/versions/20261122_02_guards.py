"""What the database refuses by itself: the ledger's rules, the clocks, the roles.

Revision ID: 20261122_02
Revises: 20261122_01
"""

from alembic import op

revision = "20261122_02"
down_revision = "20261122_01"
branch_labels = None
depends_on = None

# Two clocks. Business time may be shifted by a sandbox (one row, written by the owner only);
# leases and rings measure real network calls and follow the wall. Both are STABLE so that an
# index can serve a comparison with them, and both are replaced as a whole by the simulation.
CLOCKS = (
    """
    CREATE FUNCTION twintill_now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT statement_timestamp()
              + coalesce((SELECT shift FROM virtual_clocks WHERE one = 1), interval '0') $$
    """,
    """
    CREATE FUNCTION twintill_wall() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT statement_timestamp() $$
    """,
)

LEDGER = (
    """
    CREATE FUNCTION ledger_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.database_transaction := pg_current_xact_id()::text::bigint;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER ledger_transactions_stamp BEFORE INSERT ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_stamp()
    """,
    """
    CREATE FUNCTION posting_belongs() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM 1 FROM ledger_transactions t
        WHERE (t.stripe_account_id, t.livemode, t.ledger_transaction_id)
            = (NEW.stripe_account_id, NEW.livemode, NEW.ledger_transaction_id)
          AND t.database_transaction = pg_current_xact_id()::text::bigint;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'ledger transaction % is closed: it belongs to an earlier commit',
                NEW.ledger_transaction_id USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER postings_belong BEFORE INSERT ON postings
    FOR EACH ROW EXECUTE FUNCTION posting_belongs()
    """,
    """
    CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        legs bigint;
        unbalanced text;
    BEGIN
        SELECT count(*) INTO legs FROM postings p
        WHERE (p.stripe_account_id, p.livemode, p.ledger_transaction_id)
            = (NEW.stripe_account_id, NEW.livemode, NEW.ledger_transaction_id);
        SELECT string_agg(currency || ' ' || total, ', ') INTO unbalanced FROM (
            SELECT p.currency, sum(p.amount_minor) AS total FROM postings p
            WHERE (p.stripe_account_id, p.livemode, p.ledger_transaction_id)
                = (NEW.stripe_account_id, NEW.livemode, NEW.ledger_transaction_id)
            GROUP BY p.currency HAVING sum(p.amount_minor) <> 0
        ) AS off;
        IF legs < 2 OR unbalanced IS NOT NULL THEN
            RAISE EXCEPTION 'ledger transaction % does not balance: % postings, off by %',
                NEW.ledger_transaction_id, legs, coalesce(unbalanced, '0')
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER postings_balance AFTER INSERT ON postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances()
    """,
    """
    CREATE CONSTRAINT TRIGGER ledger_transactions_balance AFTER INSERT ON ledger_transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balances()
    """,
    """
    CREATE FUNCTION only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END $$
    """,
)

APPEND_ONLY = ("ledger_transactions", "postings", "payment_history", "deliveries")
KEPT = (
    "stripe_accounts",
    "customers",
    "payment_methods",
    "subscriptions",
    "invoices",
    "payments",
    "attempts",
    "receipts",
    "operations",
    "checkouts",
    "inbox",
    "outgoing_events",
    "api_keys",
)

ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'twintill_runtime') THEN
        CREATE ROLE twintill_runtime NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


def upgrade() -> None:
    for statement in (*CLOCKS, *LEDGER):
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION only_grows()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION only_grows()"
        )
    op.execute(ROLE)
    op.execute(f"GRANT SELECT, INSERT ON {', '.join(APPEND_ONLY)} TO twintill_runtime")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON {', '.join(KEPT)} TO twintill_runtime")
    # Stored answers to API requests are the only rows of ours that expire.
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON api_requests TO twintill_runtime")
    op.execute("GRANT SELECT ON virtual_clocks, alembic_version TO twintill_runtime")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO twintill_runtime")


def downgrade() -> None:
    raise RuntimeError("Twintill migrates forward only: restore a backup instead")
