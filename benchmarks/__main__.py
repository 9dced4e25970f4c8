"""`python -m benchmarks`: measure, print the table; `--write` also writes docs/benchmarks.md."""

import argparse
import asyncio
import signal
import sys
import time
from typing import Any

import uvloop

from benchmarks import collecting, intake, listing, pacing, report
from benchmarks.stage import REPOSITORY, running_cluster

_INTAKE_S, _ALL_S = 45, 110  # when no other round begins


def main() -> None:
    """A few minutes, half of them to write a million invoices; every process is gone at the end,
    also after Ctrl-C."""
    options = _options()
    signal.signal(signal.SIGTERM, _end)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with running_cluster() as cluster:
        began = time.monotonic()
        taken_in = intake.measure(cluster, options.rounds, began + _INTAKE_S, _tell)
        collected = collecting.measure(
            cluster, options.rounds, options.invoices, began + _ALL_S, _tell
        )
        paced = pacing.measure(cluster, options.rounds, _tell)
        listed = listing.measure(cluster, _tell, options.listed)
    page = report.page(taken_in, collected, paced, listed)
    print(page)
    if options.write:
        written = REPOSITORY / "docs" / "benchmarks.md"
        written.write_text(page)
        _tell(f"written to {written.relative_to(REPOSITORY)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help="also write docs/benchmarks.md")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    parser.add_argument("--invoices", type=int, default=40, help="collected in each run")
    parser.add_argument(
        "--listed", type=int, default=listing.MANY, help="invoices in the lists that are measured"
    )
    return parser.parse_args()


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _end(*_: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
