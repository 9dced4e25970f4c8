"""Proves the proof: plants each bug of tests/mutants in a copy; worlds pass until one fails.

The world that failed must pass in the code as it is. A bug that no world notices is a failure, and
so is a patch that no longer applies. How a patch is read: `bugs`.
"""

# ruff: noqa: T201 -- speaks to a terminal
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PATCHES = REPOSITORY / "tests" / "mutants"
_COPIED = ("src", "migrations", "tests", "alembic.ini", "pyproject.toml")
_FAILED = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)
_PLAYED = re.compile(r"^(\d+) (?:\w+ worlds|histories)", re.MULTILINE)
_AIM = re.compile(r"^(Worlds|Core):(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Bug:
    """A patch, and where it shows: `where` is a weather (`aim`), empty for any."""

    patch: Path
    world: str = "small"
    where: str = ""

    @property
    def name(self) -> str:
        return self.patch.stem


@dataclass(frozen=True)
class Verdict:
    """`seed`: of the first world that noticed; None when none did, and `said` is why."""

    bug: Bug
    seed: int | None
    played: int
    said: str


def main() -> int:
    options = _options()
    began = time.monotonic()
    found = [bug for bug in bugs() if options.only in bug.name]
    with tempfile.TemporaryDirectory(prefix="twintill-sound-") as name:
        sound = Path(name)
        for part in _COPIED:
            _copy(REPOSITORY / part, sound / part)
        with ThreadPoolExecutor(options.jobs) as pool:
            verdicts = list(_told(pool.map(lambda bug: _try(bug, sound, options.seeds), found)))
        unsound = _fail_anyway(verdicts, sound)
    return _conclude(verdicts, unsound, time.monotonic() - began)


def bugs() -> list[Bug]:
    """Above the patch stands what the bug is; below that, perhaps, where to look for it.

    Worlds: mischief>=0.6      only small worlds of this weather
    Core:                      histories of the core, in memory
    """
    return [_read(patch) for patch in sorted(PATCHES.glob("*.patch"))]


def apply(patch: Path, copy: Path, *flags: str) -> str:
    """Why the patch does not apply there; empty when it did."""
    command = ["git", "apply", "-C1", *flags, str(patch)]
    applied = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return applied.stderr.strip() if applied.returncode else ""


def _read(patch: Path) -> Bug:
    aim = _AIM.search(patch.read_text().partition("\n--- ")[0])
    if aim is None:
        return Bug(patch)
    return Bug(patch, "core") if aim[1] == "Core" else Bug(patch, where=aim[2].strip())


def _try(bug: Bug, sound: Path, seeds: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="twintill-mutant-") as name:
        copy = Path(name) / "copy"
        shutil.copytree(sound, copy)
        refused = apply(bug.patch, copy)
        if refused:
            return Verdict(bug, None, 0, f"does not apply: {refused}")
        most = seeds if bug.world != "core" else 20 * seeds
        ran = _simulate(copy, bug.world, "--seeds", str(most), "--where", bug.where)
    return _judge(bug, ran)


def _judge(bug: Bug, ran: "subprocess.CompletedProcess[str]") -> Verdict:
    failed, played = _FAILED.search(ran.stdout), _PLAYED.search(ran.stdout)
    if failed is not None and played is not None:
        return Verdict(bug, int(failed[1]), int(played[1]), failed[2])
    said = ran.stderr.strip().rpartition("\n")[2] if played is None else "nobody noticed"
    return Verdict(bug, None, int(played[1]) if played else 0, said)


def _told(verdicts: Iterable[Verdict]) -> Iterable[Verdict]:
    for v in verdicts:
        where = f"{'core' if v.bug.world == 'core' else 'world'} {v.seed}, the {v.played}."
        what = (
            f"caught {v.bug.name:36} {where:18}" if v.seed is not None else f"MISSED {v.bug.name}"
        )
        print(f"{what} {v.said}", flush=True)
        yield v


def _fail_anyway(verdicts: Sequence[Verdict], sound: Path) -> set[tuple[str, int]]:
    """The seeds that caught a bug, and that fail in the code as it is as well."""
    found = set()
    for world in sorted({v.bug.world for v in verdicts}):
        caught = {v.seed for v in verdicts if v.bug.world == world and v.seed is not None}
        if caught:
            these = ",".join(map(str, sorted(caught)))
            ran = _simulate(sound, world, "--these", these, "--keep-going")
            found |= {(world, int(seed)) for seed, _ in _FAILED.findall(ran.stdout)}
            if _PLAYED.search(ran.stdout) is None:
                raise RuntimeError(ran.stderr)
    return found


def _conclude(verdicts: Sequence[Verdict], unsound: set[tuple[str, int]], took_s: float) -> int:
    for v in verdicts:
        if v.seed is not None and (v.bug.world, v.seed) in unsound:
            print(f"NOT PROVEN {v.bug.name}: seed {v.seed} fails in the code as it is, too")
    caught = [v for v in verdicts if v.seed is not None and (v.bug.world, v.seed) not in unsound]
    print(f"{len(caught)} of {len(verdicts)} planted bugs were caught in {took_s:.0f} s")
    if caught:
        after = [v.played for v in caught]
        print(
            f"after {statistics.median(after):.0f} worlds (the median; {max(after)} at most); "
            "each of these worlds passes in the code as it is"
        )
    return 0 if len(caught) == len(verdicts) else 1


def _simulate(copy: Path, world: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tests.simulation", "--quiet", "--world", world, *flags]
    paths = f"{copy / 'src'}:{copy}"
    return subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.prove", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="at most so many worlds for each")
    parser.add_argument("--only", default="", help="patches with this in their name")
    parser.add_argument("--jobs", type=int, default=1, help="bugs at a time")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
