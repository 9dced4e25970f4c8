"""Runs seeds: `python -m tests.simulation --seeds 100 --seed 0 --world small`."""

# ruff: noqa: T201 -- speaks to a terminal
import argparse
import os
import sys
import time

from tests.simulation.database import own_database
from tests.simulation.world import SIZES, Result, simulate


def main() -> int:
    options = _options()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets must be the same in every process, too.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    began = time.monotonic()
    failed: list[Result] = []
    payments = charges = 0
    with own_database() as database:
        for seed in range(options.seed, options.seed + options.seeds):
            result = simulate(database, seed, options.world)
            payments += result.payments
            charges += result.charges
            if options.trace:
                print("\n".join(result.lines))
            if result.wrongs:
                failed.append(result)
                _tell(result, options)
                if not options.keep_going:
                    break
    count = seed - options.seed + 1
    took_s = time.monotonic() - began
    print(
        f"{count} {options.world} worlds, {payments} invoices, {charges} charges in {took_s:.0f} s "
        f"({count / took_s:.1f} a second): {len(failed)} failed"
    )
    return 1 if failed else 0


def _tell(result: Result, options: argparse.Namespace) -> None:
    if not options.quiet:
        print("\n".join(result.lines))
    for wrong in result.wrongs:
        print(f"seed {result.seed}: {wrong}")
    print(f"again: make simulate SEEDS=1 SEED={result.seed} WORLD={result.size}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--world", choices=sorted(SIZES), default="small")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--quiet", action="store_true", help="name failures, print no trace")
    parser.add_argument("--trace", action="store_true", help="print every trace")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
