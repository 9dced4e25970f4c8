"""The command line as a person or a script uses it: `twintill` in a process of its own.

Reading all the code costs a command more than what it does. So each is forked from a process that
has read it, and has arguments, environment, folder and output of its own; `afresh` takes an
interpreter of its own as well.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twintill import cli

# Also of a copy of the code whose interpreter was installed for another one.
CODE = {"PYTHONPATH": path} if (path := os.environ.get("PYTHONPATH")) else {}
OUR_OWN = {"PATH": os.environ["PATH"], "COLUMNS": "100", **CODE}


def twintill(
    *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        order = {
            "arguments": arguments,
            "env": OUR_OWN | (env or {}),
            "cwd": str(cwd or Path.cwd()),
            "output": [str(out), str(err)],
        }
        code = _commands().run(order)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


def afresh(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "twintill", *arguments],
        env=OUR_OWN | (env or {}),
        capture_output=True,
        text=True,
        check=False,
    )


class _Commands:
    """The process that forks: it ends with its standard input, so with us."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            env=OUR_OWN,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal reaches only us
        )

    def run(self, order: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@functools.cache
def _commands() -> _Commands:
    commands = _Commands()
    atexit.register(commands.close)
    return commands


def _read_the_code() -> None:
    for module in pkgutil.iter_modules(cli.__path__, f"{cli.__name__}."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # shared with all that is forked


def _serve() -> None:
    """Until its standard input ends."""
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
            code = _end(cli.main)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # taking apart all that was read would cost more than the command
        _answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _answer(code: int) -> None:
    sys.stdout.write(f"{code}\n")
    sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    for here, path in enumerate(["/dev/null", *order["output"]]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, here)
        os.close(opened)
    sys.argv = ["twintill", *order["arguments"]]


def _end(command: Callable[[], None]) -> int:
    """As an interpreter ends."""
    try:
        command()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 -- its traceback is what is asked for
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _read_the_code()
    _serve()
