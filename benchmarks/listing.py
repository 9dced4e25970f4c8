"""(D) Lists of invoices, search by an id, one invoice and its timeline: a million against 10,000.

`python -m benchmarks.listing [invoices]` measures this alone. Rows are written by SQL, each invoice
with its payment, an attempt and two of Stripe's events; one in 1000 is void, one in 200 open, half
of those overdue. Each database is dropped afterwards.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.stage import running_cluster
from twintill.domain.invoice import InvoiceStatus
from twintill.domain.policy import Policy
from twintill.flows import invoice_standing, timeline
from twintill.ids import Scope
from twintill.sandbox import postgres
from twintill.sandbox.postgres import OWNER, Cluster
from twintill.store import migrations, mirror
from twintill.store.database import open_database
from twintill.store.invoice_pages import InvoiceFilter, list_invoices
from twintill.store.listing import Created, Page

FEW, MANY = 10_000, 1_000_000
CALLS = 60
_EVENTS = 240
_SCOPE = Scope("acct_bench", False)
_WHOSE = "'acct_bench', false"
_DAY_S = 86_400
_NOW_S = int(datetime.now(UTC).timestamp())
# The lists need the others, and what those cost is measured.
_OLDER = ("pk_invoices", "ix_invoices_created", "ix_invoices_customer")
_FILL = (
    f"""INSERT INTO customers (stripe_account_id, livemode, customer_id, created_at)
    SELECT {_WHOSE}, 'cus_' || i, now() FROM generate_series(0, $1::int / 20) AS i""",
    f"""INSERT INTO invoices (stripe_account_id, livemode, invoice_id, customer_id,
        subscription_id, number, status, collection_method, currency, amount_due_minor,
        amount_paid_minor, amount_remaining_minor, due_at, created_at, seen_at)
    SELECT {_WHOSE}, 'in_' || i, 'cus_' || i % ($1::int / 20), 'sub_' || i % ($1::int / 20),
        'N-' || i,
        CASE WHEN i % 1000 = 1 THEN 'void' WHEN i % 200 = 0 THEN 'open' ELSE 'paid' END,
        'send_invoice', 'EUR', 1000 + i::bigint * 7919 % 900000, 0, 0,
        CASE WHEN i % 400 = 0 THEN now() + interval '20 days' ELSE at + interval '30 days' END,
        at, at
    FROM (SELECT i, now() - interval '3 years' + i * interval '3 years' / $1::int AS at
          FROM generate_series(1, $1::int) AS i) AS each""",
    f"""INSERT INTO payments (stripe_account_id, livemode, payment_id, invoice_id, customer_id,
        currency, state, lane, history_seq, created_at, ended_at)
    SELECT {_WHOSE}, 'pay_' || i, 'in_' || i, 'cus_' || i % ($1::int / 20), 'EUR', 'reported',
        'sandbox', 3, now(), now() FROM generate_series(1, $1::int) AS i""",
    f"""INSERT INTO attempts (stripe_account_id, livemode, attempt_id, payment_id, kind, n,
        payment_method_id, processor, processor_account_id, amount_minor, currency, reference,
        idempotency_key, first_sent_at, outcome, finality, processor_payment_id, answered_at)
    SELECT {_WHOSE}, 'att_' || i, 'pay_' || i, 'charge', 1, 'pm_' || i % ($1::int / 20), 'sandbox',
        'acct_sandbox', 4900, 'EUR', 'tw-' || i, 'key-' || i, now(), 'approved', 'final',
        'ch_' || i, now() FROM generate_series(1, $1::int) AS i""",
    f"""INSERT INTO inbox (stripe_account_id, livemode, source, dedupe_key, type, object_id,
        delivery_id, state, created_at, ended_at)
    SELECT {_WHOSE}, 'stripe', kind || i, kind, 'in_' || i, i, 'done', now(), now()
    FROM generate_series(1, $1::int) AS i,
        (VALUES ('invoice.finalized'), ('invoice.paid')) AS k (kind)""",
)
Ask = Callable[[AsyncConnection, int], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of `CALLS` calls."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Listing:
    """By what was asked: with few invoices and with many; and what the indexes cost."""

    many: int
    asked: dict[str, tuple[Timing, Timing]]
    filled_s: float
    built_s: float  # the lists' indexes, as their migration builds them, with many invoices
    intake: float  # time of an invoice's events with them : without them


def measure(cluster: Cluster, tell: Callable[[str], None], many: int = MANY) -> Listing:
    """Both databases at once, so that what else the machine does hits both alike."""
    return asyncio.run(_measure(cluster, tell, many))


def page(listing: Listing) -> list[str]:
    """Its section of docs/benchmarks.md."""
    return [
        "## Lists of invoices",
        "",
        (
            f"{listing.many:,} invoices, each with a payment, an attempt and two events of Stripe, "
            f"against {FEW:,} in the same run; {CALLS} calls of each, alternating, in one process "
            "over one connection, Python's part included; pages of 10. Each filter has an index in "
            "the order of its list (docs/invoices.md)."
        ),
        "",
        f"| asked by | p50, p95 in ms at {FEW:,} | at {listing.many:,} | ratio of p50, p95 |",
        "|---|---|---|---|",
        *(_row(asked, *timings) for asked, timings in listing.asked.items()),
        "",
        (
            f"Their indexes were built over {listing.many:,} rows in {listing.built_s:.1f} s, as "
            "their migration does it (deliveries of webhooks wait meanwhile). What they cost where "
            "events are taken in: the mirror's writes of an invoice (draft, open, paid, each a "
            f"commit) take {listing.intake:.2f} times as long as without them."
        ),
    ]


async def _measure(cluster: Cluster, tell: Callable[[str], None], many: int) -> Listing:
    began = time.monotonic()
    tell(f"lists: writing {FEW:,} and {many:,} invoices")
    await _fill(cluster, "listing_few", FEW)
    built_s = await _fill(cluster, "listing_many", many)
    filled_s = time.monotonic() - began
    tell(f"lists: written in {filled_s:.0f} s, the indexes in {built_s:.1f} s; asking")
    asked = await _ask_all(cluster, many)
    intake = await _intake(cluster)
    for name in ("listing_few", "listing_many"):
        await _as_superuser(cluster, "postgres", f"DROP DATABASE {name} WITH (FORCE)")
    return Listing(many, asked, filled_s, built_s, intake)


async def _fill(cluster: Cluster, database: str, count: int) -> float:
    """Without the triggers that check row by row; the seconds that the lists' indexes took."""
    postgres.ensure_database(cluster, database)
    await migrations.migrate(cluster.url(database, OWNER))
    admin = await asyncpg.connect(cluster.url(database, postgres.SUPERUSER))
    await admin.execute("SET session_replication_role = replica")
    await admin.execute("SET synchronous_commit = off")
    later = await _drop_indexes(admin)
    for statement in _FILL:
        await admin.execute(statement, count)
    began = time.monotonic()
    for index in later:
        await admin.execute(index)
    built_s = time.monotonic() - began
    await admin.execute("VACUUM ANALYZE")
    await admin.execute("CHECKPOINT")
    await admin.close()
    return built_s


async def _drop_indexes(admin: asyncpg.Connection) -> list[str]:
    """What creates them again."""
    found = await admin.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE (tablename = 'invoices' "
        "AND NOT indexname = ANY($1)) OR indexname = 'ix_inbox_object'",
        _OLDER,
    )
    for row in found:
        await admin.execute(f"DROP INDEX {row['indexname']}")
    return [row["indexdef"] for row in found]


async def _ask_all(cluster: Cluster, many: int) -> dict[str, tuple[Timing, Timing]]:
    engines = [open_database(cluster.url(n), pool_size=1) for n in ("listing_few", "listing_many")]
    asked = {}
    try:
        for name, ask in _asks().items():
            times: list[list[float]] = [[], []]
            for n in range(CALLS + 5):
                for side, (engine, count) in enumerate(zip(engines, (FEW, many), strict=True)):
                    async with engine.connect() as db:
                        began = time.perf_counter()
                        await ask(db, (n * 7919 + 400) % count + 1)
                        times[side].append((time.perf_counter() - began) * 1000)
            few, all_of_them = (_timing(of_one[5:]) for of_one in times)  # the first ones warm up
            asked[name] = (few, all_of_them)
    finally:
        for engine in engines:
            await engine.dispose()
    return asked


def _asks() -> dict[str, Ask]:
    """What people ask, of one invoice or another."""

    def listed(only: Callable[[int], InvoiceFilter]) -> Ask:
        async def ask(db: AsyncConnection, i: int) -> Any:
            return await list_invoices(db, _SCOPE, Page(), only(i))

        return ask

    async def deep(db: AsyncConnection, i: int) -> Any:
        return await list_invoices(db, _SCOPE, Page(starting_after=f"in_{i}"), InvoiceFilter())

    async def one(db: AsyncConnection, i: int) -> Any:
        return await invoice_standing.read(db, _SCOPE, Policy(), f"in_{i}")

    async def story(db: AsyncConnection, i: int) -> Any:
        return await timeline.read(db, _SCOPE, Policy(), f"in_{i}")

    return {
        "nothing: the newest": listed(lambda _: InvoiceFilter()),
        "nothing, from anywhere on": deep,
        "customer": listed(lambda i: InvoiceFilter(customer_id=f"cus_{i // 20}")),
        "subscription": listed(lambda i: InvoiceFilter(subscription_id=f"sub_{i // 20}")),
        "status (void, one in 1000)": listed(lambda _: InvoiceFilter(status=InvoiceStatus.VOID)),
        "overdue": listed(lambda _: InvoiceFilter(overdue=True)),
        "amount, a range": listed(
            lambda i: InvoiceFilter(currency="EUR", least_minor=i % 900_000, most_minor=900_000)
        ),
        "due date, a range": listed(lambda i: InvoiceFilter(due=_days_ago(i % 1000))),
        "created, a range": listed(lambda i: InvoiceFilter(created=_days_ago(i % 1000))),
        "number": listed(lambda i: InvoiceFilter(number=f"N-{i}")),
        "any id: our reference": listed(lambda i: InvoiceFilter(id_of=f"tw-{i}")),
        "any id: the processor's": listed(lambda i: InvoiceFilter(id_of=f"ch_{i}")),
        "one invoice, how it stands": one,
        "its timeline": story,
    }


async def _intake(cluster: Cluster) -> float:
    """The mirror's writes of an invoice, with the lists' indexes and without, in turns."""
    engine = open_database(cluster.url("listing_few"), pool_size=1)
    admin = await asyncpg.connect(cluster.url("listing_few", postgres.SUPERUSER))
    with_them, without = [], []
    try:
        for turn in range(3):
            with_them.append(await _mirrored(engine, f"with_{turn}"))
            later = await _drop_indexes(admin)
            without.append(await _mirrored(engine, f"without_{turn}"))
            for index in later:
                await admin.execute(index)
    finally:
        await admin.close()
        await engine.dispose()
    return statistics.median(with_them) / statistics.median(without)


async def _mirrored(engine: Any, name: str) -> float:
    began = time.perf_counter()
    for i in range(_EVENTS):
        for status, due_minor in (("draft", 0), ("open", 4900), ("paid", 4900)):
            async with engine.begin() as db:
                await mirror.saw_invoice(db, _SCOPE, _event(f"in_{name}_{i}", status, due_minor))
    return time.perf_counter() - began


def _event(invoice_id: str, status: str, due_minor: int) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "customer_id": "cus_1",
        "subscription_id": "sub_1",
        "number": invoice_id,
        "status": status,
        "collection_method": "send_invoice",
        "billing_reason": "manual",
        "currency": "EUR",
        "amount_due_minor": due_minor,
        "amount_paid_minor": 0,
        "amount_remaining_minor": due_minor,
        "total_minor": due_minor,
        "due_at": datetime.fromtimestamp(_NOW_S + 30 * _DAY_S, UTC),
        "finalized_at": None,
    }


def _days_ago(days: int) -> Created:
    return Created(lte_s=_NOW_S - days * _DAY_S)


def _timing(times_ms: list[float]) -> Timing:
    cuts = statistics.quantiles(times_ms, n=20)
    return Timing(statistics.median(times_ms), cuts[18])


def _row(asked: str, few: Timing, many: Timing) -> str:
    ratios = f"{many.p50_ms / few.p50_ms:.2f}, {many.p95_ms / few.p95_ms:.2f}"
    return f"| {asked} | {_shown(few)} | {_shown(many)} | {ratios} |"


def _shown(timing: Timing) -> str:
    return f"{timing.p50_ms:.1f}, {timing.p95_ms:.1f}"


async def _as_superuser(cluster: Cluster, database: str, sql: str) -> None:
    admin = await asyncpg.connect(cluster.url(database, postgres.SUPERUSER))
    await admin.execute(sql)
    await admin.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else MANY
    with running_cluster() as cluster:
        print("\n".join(page(measure(cluster, print, count))))


if __name__ == "__main__":
    main()
