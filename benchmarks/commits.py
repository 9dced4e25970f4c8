"""What was said to the database, overheard in PostgreSQL's own log, and which commit it was for.

For one run every statement is logged; it is not timed. A transaction that changes or locks a row
ends in a commit that waits for the disk; one that only reads costs a round trip, no more.
"""

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from benchmarks.stage import OURS, Stage

_SETTINGS = {
    "log_line_prefix": "'<<%d|%a|%p|%v>>'",
    "log_statement": "'all'",
    "log_parameter_max_length": "'0'",  # bodies of 3 kB stay out
    "log_min_messages": "'warning'",
}
_LINE = re.compile(
    r"<<([^|]*)\|([^|]*)\|(\d+)\|([^>]*)>>LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL
)
_WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|FOR UPDATE|FOR SHARE)\b")
_FRAMING = re.compile(r"(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\b")

# The first that fits says whose a transaction is; `WITH`-less names are tables.
WHOSE = (
    ("receiving webhooks (web)", re.compile(r"INSERT INTO deliveries")),
    ("sweep", re.compile(r"WITH page AS")),
    ("inbox", re.compile(r"\b(UPDATE|FROM) inbox\b|FROM inbox JOIN")),
    ("dispatcher", re.compile(r"\b(UPDATE|FROM|JOIN) pgqueuer\b|pgqueuer_log")),
    ("waking", re.compile(r"pg_notify")),
    (
        "collecting",
        re.compile(r"\b(payments|attempts|receipts|payment_methods|invoices|ledger_\w+)\b"),
    ),
)
REST = "other"


@dataclass
class Spoken:
    """By whose they were: transactions that wrote, those that only read, and statements."""

    writing: Counter[str] = field(default_factory=Counter)
    reading: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)  # whole transactions


@dataclass
class Overheard:
    spoken: Spoken = field(default_factory=Spoken)


@contextlib.asynccontextmanager
async def overheard(stage: Stage) -> AsyncIterator[Overheard]:
    """Everything said to this stage's database while the block runs; the log is read at its end."""
    log = stage.cluster.data_dir.parent / "log"
    heard = Overheard()
    admin = await stage.admin()
    try:
        for name, value in _SETTINGS.items():
            await admin.execute(f"ALTER SYSTEM SET {name} = {value}")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute("SELECT pg_sleep(0.5)")  # every session has to hear of it
        start = log.stat().st_size
        yield heard
        with log.open("rb") as file:
            file.seek(start)
            said = file.read().decode(errors="replace")
    finally:
        await admin.execute("ALTER SYSTEM RESET ALL")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
    heard.spoken = read(said, stage.database)


def read(said: str, database: str) -> Spoken:
    """The log's lines, gathered to transactions."""
    spoken = Spoken()
    for statements in _transactions(said, database):
        text = "\n".join(statements)
        whose = next((name for name, sign in WHOSE if sign.search(text)), REST)
        (spoken.writing if _WRITES.search(text) else spoken.reading)[whose] += 1
        spoken.statements[whose] += len(statements)
        spoken.kinds[whose, " ; ".join(_short(s) for s in statements)] += 1
    return spoken


def _transactions(said: str, database: str) -> Iterator[list[str]]:
    """The statements of each, without BEGIN and COMMIT; empty ones are left out."""
    by_id: dict[tuple[str, str], list[str]] = {}
    for line in re.split(r"\n(?=<<)", said):
        match = _LINE.match(line)
        if match is None:
            continue
        where, program, pid, virtual_id, statement = match.groups()
        if where != database or program == OURS:
            continue
        statements = by_id.setdefault((pid, virtual_id), [])
        if not _FRAMING.match(statement.strip()):
            statements.append(statement.strip())
    yield from filter(None, by_id.values())


def _short(statement: str) -> str:
    """Its verb and its table."""
    words = re.sub(r"\s+", " ", statement)
    table = re.search(r"\b(?:FROM|INTO|UPDATE) (\w+)", words)
    return f"{words.split(' ', 1)[0]} {table.group(1) if table else words[:40]}"
