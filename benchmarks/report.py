"""The page: medians and ranges of all runs, as Markdown that also reads well on a terminal."""

import os
import platform
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import listing
from benchmarks.collecting import Collecting, Run
from benchmarks.commits import WHOSE
from benchmarks.intake import FEW, MANY, Intake, Sent
from benchmarks.listing import Listing
from benchmarks.load import event_body
from benchmarks.pacing import Pacing

_COLLECTING = "collecting"


def page(intake: Intake, collecting: Collecting, pacing: Pacing, listed: Listing) -> str:
    """Everything that was measured, and how."""
    parts = [*_head(intake), *_intake(intake), *_collecting(collecting), "", *_pacing(pacing)]
    return "\n".join([*parts, "", *listing.page(listed)]) + "\n"


def _head(intake: Intake) -> list[str]:
    return [
        "# What it costs",
        "",
        (
            f"Printed by `make bench` on {_machine()}; PostgreSQL {intake.durable}; all on the one "
            "machine, over loopback: the load generator, the sandboxes and PostgreSQL share its "
            "processors with what is measured. So the ratios matter, not the rates. "
            f"Medians of {len(intake.noop[FEW])} interleaved runs; the range in brackets."
        ),
        "",
    ]


def _intake(intake: Intake) -> list[str]:
    rows = [["", *(f"{n} connections" for n in (FEW, MANY))]]
    rows.append([f"{intake.driver}, two inserts a commit, a second", *_rates(intake.pgbench)])
    runs = (
        ("one commit a delivery", intake.each),
        ("shared commits (as `twintill serve`)", intake.shared),
        ("a route that does nothing", intake.noop),
    )
    rows += [[f"{name}, answers a second", *_rates(_per_s(sent))] for name, sent in runs]
    for name, sent in runs[:2]:
        rows.append([f"{name} : {intake.driver}", *_ratios(_per_s(sent), intake.pgbench)])
    for name, sent in runs[:2]:
        rows.append([f"{name} : nothing", *_ratios(_per_s(sent), _per_s(intake.noop))])
    rows += [
        [f"{name}, p99 in ms", *_each(sent, lambda s: s.figures.p99_ms)] for name, sent in runs
    ]
    rows += [[f"{name}, web's processor ms an event", *_each(sent, _web_ms)] for name, sent in runs]
    rows.append(
        ["shared commits, PostgreSQL's processor ms an event", *_each(intake.shared, _pg_ms)]
    )
    return [
        "## Webhook intake",
        "",
        (
            f"Signed Stripe events of {len(event_body())} bytes; a 2xx is sent after delivery, "
            "inbox row and doorbell are committed with fsync. Aims: 0.25 of the yardstick with one "
            "commit a delivery, 0.5 where concurrent deliveries share one."
        ),
        "",
        *_table(rows),
        "",
    ]


def _collecting(collecting: Collecting) -> list[str]:
    one, two = collecting.runs[1], collecting.runs[2]
    rows = [["", "1 worker", "2 workers"]]
    figures: tuple[tuple[str, Callable[[Run], float]], ...] = (
        ("invoices a second, finalized to reported", lambda run: run.per_s),
        ("Stripe calls an invoice", lambda run: run.stripe_calls.total() / run.invoices),
        ("webhook events an invoice", lambda run: run.events / run.invoices),
        ("transactions an invoice, as PostgreSQL counts", lambda r: r.commits / r.invoices),
    )
    for name, figure in figures:
        rows.append([name, *(_spread([figure(run) for run in runs]) for runs in (one, two))])
    rows += [
        [f"processor ms an invoice: {name}", *(_cpu(runs, name) for runs in (one, two))]
        for name in one[0].cpu_s
    ]
    return [
        "## Collecting",
        "",
        (
            f"{one[0].invoices} invoices a run, each of its own customer, by processes of their "
            "own: sandbox Stripe, sandbox processor, web, workers. The processor approves at once. "
            f"A lone invoice takes {_spread(collecting.alone_ms)} ms from finalized to reported."
        ),
        "",
        *_table(rows),
        "",
        f"Stripe's calls: {_calls(one)}.",
        "",
        *_spoken(collecting),
    ]


def _spoken(collecting: Collecting) -> list[str]:
    """Commits by whose they are, an invoice."""
    spoken, count = collecting.spoken, collecting.spoken_invoices
    assert spoken is not None
    rows = [["an invoice", "commits that write", "that only read", "statements"]]
    names = [name for name, _ in WHOSE]
    names += [n for n in spoken.statements if n not in names]
    for name in names:
        counts = (spoken.writing[name], spoken.reading[name], spoken.statements[name])
        rows.append([name, *(f"{n / count:.1f}" for n in counts)])
    sums = (spoken.writing, spoken.reading, spoken.statements)
    rows.append(["together", *(f"{counter.total() / count:.1f}" for counter in sums)])
    return [
        (
            "Commits, counted in PostgreSQL's own log of every statement, in a run that is not "
            f"timed ({count} invoices, one worker). Sweep and waking go by time, not by invoice."
        ),
        "",
        *_table(rows),
    ]


def _pacing(pacing: Pacing) -> list[str]:
    rows = [
        ["a turn at Stripe", "alone", "32 at a time"],
        ["ms each", _spread(pacing.alone_ms), _spread(pacing.crowded_ms)],
        [
            ": a transaction that asks nothing",
            *(
                _spread(a / b for a, b in zip(each, pacing.nothing_ms, strict=True))
                for each in (pacing.alone_ms, pacing.crowded_ms)
            ),
        ],
    ]
    return [
        "## Pacing",
        "",
        (
            "What the budget of calls to Stripe costs where no call has to wait (rates out of "
            "reach). A lone call costs one transaction of two statements; those that wait together "
            f"share it. A transaction that asks nothing takes {_spread(pacing.nothing_ms)} ms."
        ),
        "",
        *_table(rows),
    ]


def _per_s(sent: dict[int, list[Sent]]) -> dict[int, list[float]]:
    return {n: [run.per_s for run in runs] for n, runs in sent.items()}


def _rates(rates: dict[int, list[float]]) -> list[str]:
    return [_spread(rates[n]) for n in (FEW, MANY)]


def _ratios(rates: dict[int, list[float]], base: dict[int, list[float]]) -> list[str]:
    """Of runs of the same round."""
    return [_spread([a / b for a, b in zip(rates[n], base[n], strict=True)]) for n in (FEW, MANY)]


def _each(sent: dict[int, list[Sent]], figure: Callable[[Sent], float]) -> list[str]:
    return [_spread([figure(run) for run in sent[n]]) for n in (FEW, MANY)]


def _web_ms(sent: Sent) -> float:
    return sent.web_cpu_s / sent.figures.answered * 1000


def _pg_ms(sent: Sent) -> float:
    return sent.postgres_cpu_s / sent.figures.answered * 1000


def _cpu(runs: Sequence[Run], name: str) -> str:
    return _spread([run.cpu_s[name] / run.invoices * 1000 for run in runs])


def _calls(runs: Sequence[Run]) -> str:
    total: Counter[str] = sum((run.stripe_calls for run in runs), Counter())
    invoices = sum(run.invoices for run in runs)
    return ", ".join(f"{n / invoices:.1f} × `{kind}`" for kind, n in sorted(total.items()))


def _spread(figures: Iterable[float]) -> str:
    """Median (least-most), in as many digits as mean something."""
    ordered = sorted(figures)
    middle = statistics.median(ordered)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    if len(ordered) == 1 or ordered[0] == ordered[-1]:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({ordered[0]:.{digits}f}–{ordered[-1]:.{digits}f})"


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    head, *body = [
        "| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    return [head, rule, *body]


def _machine() -> str:
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [row for row in info.read_text().splitlines() if row.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{os.cpu_count()} × {model}, {platform.system()}, Python {platform.python_version()}"
