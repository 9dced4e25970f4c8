"""`python -m benchmarks.verifying [payments]`: how long `twintill verify` takes on large books.

The payments are written by SQL, each collected and reported: three facts, one attempt, one receipt,
two ledger transactions.
"""

import asyncio
import resource
import sys
import time

import asyncpg

from benchmarks.stage import running_cluster
from twintill.domain.policy import Policy
from twintill.flows.verify import verify_books
from twintill.ids import Scope
from twintill.sandbox import postgres
from twintill.sandbox.postgres import OWNER, Cluster
from twintill.store import migrations
from twintill.store.database import open_database

_SCOPE = Scope("acct_bench", False)
_DATABASE = "verifying"
_WHOSE = "'acct_bench', false"
_BOOKS = (
    f"""INSERT INTO customers (stripe_account_id, livemode, customer_id, created_at)
        VALUES ({_WHOSE}, 'cus_1', now())""",
    f"""INSERT INTO payments (stripe_account_id, livemode, payment_id, invoice_id, customer_id,
            currency, state, lane, history_seq, created_at, ended_at)
        SELECT {_WHOSE}, 'pay_' || md5(i::text), 'in_' || i, 'cus_1', 'EUR', 'reported', 'sandbox',
            3, now(), now() FROM generate_series(1, $1::int) AS i""",
    f"""INSERT INTO payment_history (stripe_account_id, livemode, payment_id, seq, at, fact, detail,
            state_before, state_after, actor)
        SELECT {_WHOSE}, 'pay_' || md5(i::text), seq, now(), 'x', '{{"amount": 4900}}', before,
            after, 'twintill'
        FROM generate_series(1, $1::int) AS i, (VALUES
            (1, 'waiting', 'charging'),
            (2, 'charging', 'collected'),
            (3, 'collected', 'reported')) AS s (seq, before, after)""",
    f"""INSERT INTO attempts (stripe_account_id, livemode, attempt_id, payment_id, kind, n,
            processor, processor_account_id, amount_minor, currency, reference, idempotency_key,
            first_sent_at, outcome, processor_payment_id)
        SELECT {_WHOSE}, 'att_' || md5(i::text), 'pay_' || md5(i::text), 'charge', 1, 'sandbox',
            'acct_sandbox', 4900, 'EUR', 'tw-' || i, 'key-' || i, now(), 'approved', 'ch_' || i
        FROM generate_series(1, $1::int) AS i""",
    f"""INSERT INTO receipts (stripe_account_id, livemode, receipt_id, payment_id, attempt_id,
            source, processor_account_id, currency, finality, collected_minor, reported_minor,
            collected_at)
        SELECT {_WHOSE}, 'rct_' || md5(i::text), 'pay_' || md5(i::text), 'att_' || md5(i::text),
            'attempt', 'acct_sandbox', 'EUR', 'final', 4900, 4900, now()
        FROM generate_series(1, $1::int) AS i""",
    f"""INSERT INTO ledger_transactions (stripe_account_id, livemode, ledger_transaction_id, cause,
            kind, payment_id, at)
        SELECT {_WHOSE}, 'ltx_' || kind || i, kind || ':' || i, kind, 'pay_' || md5(i::text), now()
        FROM generate_series(1, $1::int) AS i,
            (VALUES ('collected'), ('reported')) AS k (kind)""",
    f"""INSERT INTO postings (stripe_account_id, livemode, ledger_transaction_id, n, account,
            currency, amount_minor, payment_id, receipt_id)
        SELECT {_WHOSE}, 'ltx_' || kind || i, n, account, 'EUR', amount, 'pay_' || md5(i::text),
            'rct_' || md5(i::text)
        FROM generate_series(1, $1::int) AS i, (VALUES
            ('collected', 1, 'processor:acct_sandbox:clearing', 4900),
            ('collected', 2, 'customer:unapplied', -4900),
            ('reported', 1, 'customer:unapplied', 4900),
            ('reported', 2, 'stripe:reported', -4900)) AS p (kind, n, account, amount)""",
)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with running_cluster() as cluster:
        postgres.ensure_database(cluster, _DATABASE)
        asyncio.run(migrations.migrate(cluster.url(_DATABASE, OWNER)))
        asyncio.run(_measure(cluster, count))


async def _measure(cluster: Cluster, count: int) -> None:
    await _write_books(cluster, count)
    database = open_database(cluster.url(_DATABASE, OWNER), pool_size=1)
    began = time.monotonic()
    report, payments = await verify_books(database, _SCOPE, Policy())
    took_s = time.monotonic() - began
    await database.dispose()
    broken = {name: of_it.count for name, of_it in report.items() if of_it.count}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{payments} payments in {took_s:.1f} s ({payments / took_s:.0f} a second), "
        f"{peak_mib} MiB at most; broken: {broken or 'nothing'}"
    )


async def _write_books(cluster: Cluster, count: int) -> None:
    """Without the triggers that check row by row: they have no part in the measurement."""
    admin = await asyncpg.connect(cluster.url(_DATABASE, postgres.SUPERUSER))
    await admin.execute("SET session_replication_role = replica")
    for statement in _BOOKS:
        await (admin.execute(statement, count) if "$1" in statement else admin.execute(statement))
    await admin.execute("VACUUM ANALYZE")
    await admin.close()


if __name__ == "__main__":
    main()
