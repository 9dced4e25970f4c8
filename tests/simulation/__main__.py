"""Runs seeds: `python -m tests.simulation --seeds 100 --seed 0 --world small`."""

# ruff: noqa: T201 -- speaks to a terminal
import argparse
import itertools
import os
import sys
import time
from typing import TYPE_CHECKING

from tests.simulation import aim, faces
from tests.simulation.database import own_database
from tests.simulation.doubt import SOON_S, Doubt
from tests.simulation.world import SIZES, Result, simulate

if TYPE_CHECKING:
    from tests.simulation import core

_CORE = "core"


def main() -> int:
    options = _options()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets must be the same in every process, too.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    return _run_core(options) if options.world == _CORE else _run_worlds(options)


def _run_worlds(options: argparse.Namespace) -> int:
    began = time.monotonic()
    failed: list[Result] = []
    count = payments = charges = 0
    doubts: list[Doubt] = []
    slow: list[int] = []  # seeds
    with own_database() as database:
        for seed in _seeds(options):
            count += 1
            result = simulate(database, seed, options.world, options.processor)
            payments += result.payments
            charges += result.charges
            doubts += result.doubts
            if _soon(result.doubts) < len(result.doubts):
                slow.append(seed)
            if options.trace:
                print("\n".join(result.lines))
            if result.wrongs:
                failed.append(result)
                _tell(result, options)
                if not options.keep_going:
                    break
    took_s = time.monotonic() - began
    print(
        f"{count} {options.world} worlds, {payments} invoices, {charges} charges in {took_s:.0f} s "
        f"({count / took_s:.1f} a second): {len(failed)} failed"
    )
    calm = [doubt for doubt in doubts if not doubt.disturbed]
    print(
        f"{len(doubts)} charges were in doubt while the processor answered, "
        f"{_soon(doubts)} closed within {SOON_S:.0f} s; {len(calm)} of them "
        f"while no process of ours was disturbed, {_soon(calm)} within {SOON_S:.0f} s"
    )
    if slow:
        print(f"longer in: {', '.join(map(str, slow))}")
    return 1 if failed else 0


def _soon(doubts: list[Doubt]) -> int:
    return sum(doubt.seconds < SOON_S for doubt in doubts)


def _run_core(options: argparse.Namespace) -> int:
    """Histories of one payment, without a database."""
    from tests.simulation import core  # what it is made of plays histories when it is read

    began = time.monotonic()
    count = failed = charges = 0
    for seed in _seeds(options):
        count += 1
        history = core.live(seed)
        charges += history.charges
        if history.wrong is not None:
            failed += 1
            _tell_history(history, options)
            if not options.keep_going:
                break
    took_s = time.monotonic() - began
    print(
        f"{count} histories of the core, {charges} charges in {took_s:.0f} s "
        f"({count / took_s:.0f} a second): {failed} failed"
    )
    return 1 if failed else 0


def _seeds(options: argparse.Namespace) -> list[int]:
    if options.these:
        return [int(seed) for seed in options.these.split(",")]
    if options.world == _CORE:
        return list(range(options.seed, options.seed + options.seeds))
    found = aim.seeds(options.seed, options.world, aim.read(options.where))
    return list(itertools.islice(found, options.seeds))


def _tell_history(history: "core.History", options: argparse.Namespace) -> None:
    from tests.simulation import core

    lines: list[str] = []
    core.live(history.seed, lines)
    if not options.quiet:
        print("\n".join(lines))
    print(f"seed {history.seed}: {history.wrong}")
    print(f"again: make simulate SEEDS=1 SEED={history.seed} WORLD={_CORE}")


def _tell(result: Result, options: argparse.Namespace) -> None:
    if not options.quiet:
        print("\n".join(result.lines))
    for wrong in result.wrongs:
        print(f"seed {result.seed}: {wrong}")
    by = "" if options.processor == "sandbox" else f" PROCESSOR={options.processor}"
    print(f"again: make simulate SEEDS=1 SEED={result.seed} WORLD={result.size}{by}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--these", default="", help="just these: 3,17,99")
    parser.add_argument("--where", default="", help="only worlds of such weather: mischief>=0.6")
    parser.add_argument("--world", choices=[*sorted(SIZES), _CORE], default="small")
    parser.add_argument("--processor", choices=sorted(faces.WORLDS), default="sandbox")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failure")
    parser.add_argument("--quiet", action="store_true", help="name failures, print no trace")
    parser.add_argument("--trace", action="store_true", help="print every trace")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
