"""Proves the proof: plants each bug of tests/mutants in a copy; worlds pass until one fails.

A patch that no longer applies is a failure; so is a bug that no world noticed.
"""

# ruff: noqa: T201 -- speaks to a terminal
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PATCHES = REPOSITORY / "tests" / "mutants"
_COPIED = ("src", "migrations", "tests", "alembic.ini", "pyproject.toml")
_FIRST = re.compile(r"^seed (\d+): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    caught: bool
    said: str


def main() -> int:
    options = _options()
    patches = [p for p in sorted(PATCHES.glob("*.patch")) if options.only in p.stem]
    sound = _judge(None, options.sound)
    if sound.caught:
        print(f"the code as it is fails: {sound.said}")
        return 1
    caught = 0
    for patch in patches:
        verdict = _judge(patch, options.seeds)
        caught += verdict.caught
        print(
            f"{'caught' if verdict.caught else 'MISSED':7} {patch.stem:34} {verdict.said}",
            flush=True,
        )
    print(f"{caught} of {len(patches)} planted bugs were caught")
    return 0 if caught == len(patches) else 1


def _judge(patch: Path | None, seeds: int) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="twintill-mutant-") as name:
        copy = Path(name)
        for part in _COPIED:
            _copy(REPOSITORY / part, copy / part)
        refused = apply(patch, copy) if patch is not None else ""
        if refused:
            return Verdict(caught=False, said=f"does not apply: {refused}")
        return _simulate(copy, seeds)


def apply(patch: Path, copy: Path, *flags: str) -> str:
    """Why the patch does not apply there; empty when it did."""
    command = ["git", "apply", "-C1", *flags, str(patch)]
    applied = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return applied.stderr.strip() if applied.returncode else ""


def _simulate(copy: Path, seeds: int) -> Verdict:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--quiet", "--seeds", str(seeds)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": f"{copy / 'src'}:{copy}", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    first = _FIRST.search(ran.stdout)
    if first is None:
        said = ran.stdout.strip() or ran.stderr.strip().rpartition("\n")[2]
        return Verdict(caught=False, said=said)
    return Verdict(caught=True, said=f"after {int(first[1]) + 1} worlds: {first[2]}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.prove", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="at most so many worlds for each")
    parser.add_argument("--sound", type=int, default=30, help="worlds without a planted bug first")
    parser.add_argument("--only", default="", help="patches with this in their name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
