"""Kills real processes at every point where they touch the outside, and judges what is left.

make crash                      every point that differs, crashes of PostgreSQL, a failover
make crash ALL=1                also those points that differ for nobody
make crash ONLY=collect         one case; ONLY=postgres, ONLY=failover: one of the others
"""

# ruff: noqa: T201 -- speaks to a terminal
import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.crash import choice, points, storm
from tests.crash.cases import CASES, Case
from tests.crash.crew import Crew, hired
from tests.crash.points import Verdict
from tests.crash.storm import Weather
from tests.crash.victim import Point
from tests.postgres import Databases, new_folder
from twintill.sandbox import postgres

_LOGS = Path(".twintill/crash").absolute()
Play = Callable[[Crew, Path], Awaitable[Weather]]


def main() -> int:
    options = _options()
    _LOGS.mkdir(parents=True, exist_ok=True)
    return asyncio.run(_main(options))


async def _main(options: argparse.Namespace) -> int:
    began_s = time.monotonic()
    sound = await _points(options)
    async with hired() as crew:
        for name, play in _storms(options).items():
            if options.only in name and not options.at:
                sound &= _tell(name, await play(crew, _LOGS / name))
    print(f"{time.monotonic() - began_s:.0f} s in all; {'sound' if sound else 'NOT SOUND'}")
    return 0 if sound else 1


def _storms(options: argparse.Namespace) -> dict[str, Play]:
    n = options.invoices
    return {
        "postgres": lambda crew, folder: storm.crashes(
            crew, folder, invoices=n, count=options.crashes, every_s=2
        ),
        "failover": lambda crew, folder: storm.failover(crew, folder, invoices=n, after_s=2),
    }


def _tell(name: str, weather: Weather) -> bool:
    outages = ", ".join(f"{outage_s:.2f}" for outage_s in weather.outages_s)
    print(
        f"{name}: {weather.invoices} invoices, 2 workers and web under deliveries, "
        f"{len(weather.outages_s)} outages ({outages} s), all done after {weather.took_s:.0f} s: "
        f"{'WRONG' if weather.wrong else 'each charged once and reported once, none lost'}"
    )
    for line in weather.wrong:
        print(f"    {line}")
    return not weather.wrong


async def _points(options: argparse.Namespace) -> bool:
    chosen = [case for case in CASES if options.only in case.name]
    if not chosen:
        return True
    folder = new_folder()
    with postgres.stopped_at_the_end(folder, discard=True):
        cluster = await asyncio.to_thread(postgres.start, folder, durable=False)
        with contextlib.closing(Databases(cluster)) as databases:
            databases.ensure_template()
            async with hired() as crew:
                _print_row("case", "dies", "points", "played", "there", "wrong", "s")
                told = [await _case(databases, crew, case, options) for case in chosen]
    print(f"{sum(n for n, _ in told)} deaths")
    return all(sound for _, sound in told)


async def _case(
    databases: Databases, crew: Crew, case: Case, options: argparse.Namespace
) -> tuple[int, bool]:
    began_s = time.monotonic()
    passed = await points.record(databases, crew, case, _LOGS)
    played = passed if options.all else choice.different(passed)
    played = [p for p in played if options.at in str(p)][:: options.step]
    verdicts = await _play_all(databases, crew, case, played, options.lanes)
    _note(case, passed, verdicts)
    died = [v for v in verdicts if v.reached]
    wrong = [v for v in verdicts if v.wrong]
    took = f"{time.monotonic() - began_s:.0f}"
    _print_row(case.name, case.role, len(passed), len(played), len(died), len(wrong), took)
    for verdict in verdicts:
        if options.list or verdict.wrong or not verdict.reached:
            _print_verdict(verdict)
    return len(died), not wrong and len(died) >= 0.95 * len(played)


async def _play_all(
    databases: Databases, crew: Crew, case: Case, played: list[Point], lanes: int
) -> list[Verdict]:
    """In their order, so many at a time."""
    free = asyncio.Semaphore(lanes)

    async def one(number: int, point: Point) -> Verdict:
        async with free:
            folder = _LOGS / case.name / str(number)
            return await points.play(databases, crew, case, point, folder)

    return await asyncio.gather(*(one(n, p) for n, p in enumerate(played)))


def _note(case: Case, passed: list[Point], verdicts: list[Verdict]) -> None:
    """The whole list, for whoever wants to see it."""
    said = {v.point: ("wrong" if v.wrong else "ok" if v.reached else "missed") for v in verdicts}
    by_party = Counter(point.party for point in passed)
    lines = [f"{case.name}: {case.about}", f"{dict(by_party)}"]
    lines += [f"{said.get(point, '-'):7} {point}" for point in passed]
    (_LOGS / f"{case.name}.txt").write_text("\n".join(lines) + "\n")


def _print_row(*cells: object) -> None:
    first, second, *numbers = cells
    print(f"{first!s:18} {second!s:7}" + "".join(f"{n!s:>8}" for n in numbers), flush=True)


def _print_verdict(verdict: Verdict) -> None:
    word = "ok" if verdict.reached and not verdict.wrong else "WRONG" if verdict.wrong else "missed"
    print(f"    {word:6} {verdict.point}")
    for line in verdict.wrong:
        print(f"           {line}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--at", default="", help="points with this in their name")
    parser.add_argument("--all", action="store_true", help="also points that differ for nobody")
    parser.add_argument("--step", type=int, default=1, help="every so-manieth point")
    parser.add_argument("--invoices", type=int, default=60, help="while the database goes away")
    parser.add_argument("--crashes", type=int, default=6, help="of PostgreSQL, two seconds apart")
    parser.add_argument("--lanes", type=int, default=3, help="so many at a time")
    parser.add_argument("--list", action="store_true", help="print every point")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
