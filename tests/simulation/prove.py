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
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import FOLDER_VARIABLE, folder_of_this_run

REPOSITORY = Path(__file__).parents[2]
PATCHES = REPOSITORY / "tests" / "mutants"
_COPIED = ("src", "migrations", "tests", "alembic.ini", "pyproject.toml")
_FAILED = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)
_PLAYED = re.compile(r"^(\d+) (?:\w+ worlds|histories)", re.MULTILINE)
_AIM = re.compile(r"^Worlds: (.*)$", re.MULTILINE)
_CHANGED = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)
_PURE = "src/twintill/domain/"
_CORE, _SMALL = "core", "small"
_FOR_ONE_WORLD = 20  # histories of the core: they cost next to nothing


@dataclass(frozen=True)
class Bug:
    """A patch, the files that it changes, and the weather in which it may show (empty: any)."""

    patch: Path
    changed: tuple[str, ...]
    where: str

    @property
    def name(self) -> str:
        return self.patch.stem

    @property
    def worlds(self) -> tuple[str, ...]:
        """The pure core's histories come first where they can tell."""
        is_pure = all(path.startswith(_PURE) for path in self.changed)
        return (_CORE, _SMALL) if is_pure else (_SMALL,)

    @property
    def has_tables_of_its_own(self) -> bool:
        return any(path.startswith("migrations/") for path in self.changed)


@dataclass(frozen=True)
class Verdict:
    """`seed`: of the first world that noticed; None when none did, and `said` is why."""

    bug: Bug
    world: str
    seed: int | None
    played: int
    said: str


def main() -> int:
    options = _options()
    began = time.monotonic()
    wanted = options.only.split(",")
    found = [bug for bug in bugs() if any(part in bug.name for part in wanted)]
    with tempfile.TemporaryDirectory(prefix="twintill-sound-") as name, folder_of_this_run():
        sound = Path(name)
        for part in _COPIED:
            _copy(REPOSITORY / part, sound / part)
        with ThreadPoolExecutor(options.jobs) as pool:
            tried = pool.map(lambda bug: _try(bug, sound, options.seeds), found)
            verdicts = list(_told(tried))
        unsound = _fail_anyway(verdicts, sound)
    caught = [v for v in verdicts if v.seed is not None and (v.world, v.seed) not in unsound]
    _tell_in_short(verdicts, caught, time.monotonic() - began)
    return 0 if len(caught) == len(verdicts) else 1


def bugs() -> list[Bug]:
    """Above the patch stands what the bug is; below that, perhaps, where to look for it:

        Worlds: mischief>=0.6 deaths>=0.1

    What concerns the pure core alone is looked for in its histories first.
    """
    return [_read(patch) for patch in sorted(PATCHES.glob("*.patch"))]


def apply(patch: Path, copy: Path, *flags: str) -> str:
    """Why the patch does not apply there; empty when it did."""
    command = ["git", "apply", "-C1", *flags, str(patch)]
    applied = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return applied.stderr.strip() if applied.returncode else ""


def _read(patch: Path) -> Bug:
    text = patch.read_text()
    aim = _AIM.search(text)
    return Bug(patch, tuple(_CHANGED.findall(text)), aim[1] if aim else "")


def _try(bug: Bug, sound: Path, seeds: int) -> Verdict:
    verdict = Verdict(bug, "", None, 0, "")
    with tempfile.TemporaryDirectory(prefix="twintill-mutant-") as name:
        copy = Path(name) / "copy"
        shutil.copytree(sound, copy)
        refused = apply(bug.patch, copy)
        if refused:
            return Verdict(bug, "", None, 0, f"does not apply: {refused}")
        for world in bug.worlds:
            most = str(seeds * _FOR_ONE_WORLD if world == _CORE else seeds)
            flags = ("--seeds", most, "--where", bug.where)
            ran = _simulate(copy, world, *flags, shared=not bug.has_tables_of_its_own)
            verdict = _judge(bug, world, ran)
            if verdict.seed is not None:
                break
    return verdict


def _judge(bug: Bug, world: str, ran: "subprocess.CompletedProcess[str]") -> Verdict:
    failed, played = _FAILED.search(ran.stdout), _PLAYED.search(ran.stdout)
    if failed is not None and played is not None:
        return Verdict(bug, world, int(failed[1]), int(played[1]), failed[2])
    said = ran.stderr.strip().rpartition("\n")[2] if played is None else "nobody noticed"
    return Verdict(bug, world, None, int(played[1]) if played else 0, said)


def _told(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    for v in verdicts:
        if v.seed is None:
            print(f"MISSED {v.bug.name:34} after {v.played} ({v.world}): {v.said}", flush=True)
        else:
            where = f"seed {v.seed} ({v.world})"
            print(f"caught {v.bug.name:34} after {v.played:3}: {where:18} {v.said}", flush=True)
        yield v


def _fail_anyway(verdicts: Collection[Verdict], sound: Path) -> set[tuple[str, int]]:
    """The seeds that caught a bug, and that fail in the code as it is as well."""
    found = set()
    for world in sorted({v.world for v in verdicts}):
        seeds = sorted({v.seed for v in verdicts if v.world == world and v.seed is not None})
        if seeds:
            these = ",".join(map(str, seeds))
            ran = _simulate(sound, world, "--these", these, "--keep-going")
            if _PLAYED.search(ran.stdout) is None:
                raise RuntimeError(ran.stderr)
            for seed, said in _FAILED.findall(ran.stdout):
                print(f"NOT PROVEN by seed {seed} ({world}): the code as it is fails there: {said}")
                found.add((world, int(seed)))
    return found


def _tell_in_short(
    verdicts: Collection[Verdict], caught: Collection[Verdict], took_s: float
) -> None:
    print(
        f"{len(caught)} of {len(verdicts)} planted bugs were caught, in {took_s:.0f} s, "
        "by worlds in which the code as it is does nothing wrong"
    )
    for world, what in ((_CORE, "histories of the core"), (_SMALL, "small worlds")):
        after = [v.played for v in caught if v.world == world]
        if after:
            median = statistics.median(after)
            print(
                f"  {len(after)} by {what}: after {median:.0f} (the median; {max(after)} at most)"
            )


def _simulate(
    copy: Path, world: str, *flags: str, shared: bool = True
) -> "subprocess.CompletedProcess[str]":
    """`shared`: on the one PostgreSQL of this run, whose tables are those of the sound code."""
    command = [sys.executable, "-m", "tests.simulation", "--quiet", "--world", world, *flags]
    environment = {k: v for k, v in os.environ.items() if shared or k != FOLDER_VARIABLE}
    paths = f"{copy / 'src'}:{copy}"
    return subprocess.run(
        command,
        cwd=copy,
        env={**environment, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
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
    parser.add_argument("--only", default="", help="patches with this in their name: key,refund")
    parser.add_argument("--jobs", type=int, default=1, help="bugs at a time")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
