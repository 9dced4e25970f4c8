"""The yardstick of intake: PostgreSQL alone, doing the same two inserts in one transaction."""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import asyncpg

from benchmarks.load import event_body
from benchmarks.stage import Stage
from twintill.sandbox.postgres_binaries import find

# gset: the second insert names the delivery that the first one made, as ours does.
SCRIPT = r"""
BEGIN;
INSERT INTO deliveries (stripe_account_id, livemode, source, received_at, headers, body, verdict)
VALUES ('acct_pgbench', false, 'stripe', twintill_now(),
        '{"stripe-signature": "t=1,v1=2", "content-type": "application/json"}',
        convert_to(:body, 'UTF8'), 'verified') RETURNING delivery_id \gset
INSERT INTO inbox (stripe_account_id, livemode, delivery_id, source, dedupe_key, type, state,
                   created_at, next_look_at)
VALUES ('acct_pgbench', false, :delivery_id, 'stripe', gen_random_uuid()::text,
        'invoice.finalized', 'new', twintill_now(), twintill_now());
COMMIT;
"""
_TRANSACTIONS = 2000
_DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Transactions:
    """What PostgreSQL did alone."""

    per_s: float
    by: str  # who drove it


def run(stage: Stage, connections: int) -> Transactions:
    """With pgbench where there is one, else with the same statements through asyncpg."""
    program = _program()
    if program is None:
        return Transactions(asyncio.run(_through_asyncpg(stage, connections)), "asyncpg")
    script = stage.folder / "pgbench.sql"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [
            program,
            *("-n", "-M", "prepared", "-c", str(connections), "-j", "1"),
            # A number, not a time: pgbench's clock would run while it still connects.
            *("-t", str(_TRANSACTIONS // connections), "-f", str(script)),
            *("-D", f"body={event_body().decode()}", stage.url),
        ],
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return Transactions(float(found.group(1)), "pgbench")


def _program() -> str | None:
    beside = find().bin_dir / "pgbench"
    return str(beside) if beside.exists() else shutil.which("pgbench")


async def _through_asyncpg(stage: Stage, connections: int) -> float:
    lines = [await asyncpg.connect(stage.url) for _ in range(connections)]
    body, began, each = event_body(), time.perf_counter(), _TRANSACTIONS // connections
    try:
        await asyncio.gather(*(_insert(line, body, each) for line in lines))
        return each * connections / (time.perf_counter() - began)
    finally:
        for line in lines:
            await line.close()


async def _insert(line: asyncpg.Connection, body: bytes, count: int) -> None:
    deliver, _, enter = (
        SCRIPT.strip().removeprefix("BEGIN;").removesuffix("COMMIT;").partition(r"\gset")
    )
    deliver = deliver.replace("convert_to(:body, 'UTF8')", "$1")
    enter = enter.replace(":delivery_id", "$1")
    for _ in range(count):
        async with line.transaction():
            await line.execute(enter, await line.fetchval(deliver, body))
