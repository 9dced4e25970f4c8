"""`python -m twintill.testing --stage package.module:stage`: the contract, and its table."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

SUITE = Path(__file__).with_name("suite.py")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m twintill.testing",
        description="Runs the contract of processors on each stage and prints processor x case.",
        epilog="Exit status: 0 when every case passed or does not apply, else 1 (2: misused).",
    )
    parser.add_argument(
        "--stage",
        action="append",
        required=True,
        metavar="MODULE:NAME",
        help="where the stage is: an async context manager without arguments, e.g."
        " acme.tests.stage:acme_stage; may be given several times",
    )
    parser.add_argument("-k", metavar="WORDS", default="", help="only cases with these words")
    parser.add_argument("-x", action="store_true", help="stop at the first failure")
    chosen = parser.parse_args(arguments)
    options = ["-q", "--no-header", "--tb=short", "-rN", "-p", "no:cacheprovider"]
    # Nobody's settings of pytest: the same run everywhere.
    options += ["-c", os.devnull, "--rootdir", ".", "-p", "twintill.testing.table"]
    options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    for stage in chosen.stage:
        options += ["--stage", stage]
    options += ["-k", chosen.k] if chosen.k else []
    options += ["-x"] if chosen.x else []
    # A process of its own: pytest must be there before the cases are imported.
    return subprocess.run([sys.executable, "-m", "pytest", *options, SUITE], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
