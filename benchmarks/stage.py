"""The stage: a durable PostgreSQL, the processes on it, what each of them uses, and their end."""

import asyncio
import base64
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from twintill.sandbox import postgres
from twintill.sandbox.postgres import OWNER, SUPERUSER, Cluster
from twintill.store import migrations

REPOSITORY = Path(__file__).parents[1]
ACCOUNT = "acct_1TwintillBench"
OURS = "benchmark"  # what our own connections are called
STRIPE_KEY = "sk_test_bench"
PROCESSOR_KEY = "sandbox_key_bench"
PROCESSOR_SECRET = "whsec_processor_bench"
ENCRYPTION_KEY_BYTES = os.urandom(32)
ENCRYPTION_KEY = base64.b64encode(ENCRYPTION_KEY_BYTES).decode()
_START_S = 60.0
_STOP_S = 15.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Part:
    """One process that we started; what it says goes to `log`."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        return cpu_s(self.process.pid)


@dataclass
class Stage:
    """A database of its own on the benchmarks' cluster, and the processes around it."""

    cluster: Cluster
    database: str
    folder: Path  # for logs and scripts
    closing: contextlib.ExitStack
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.cluster.url(self.database)

    async def admin(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self.cluster.url(self.database, SUPERUSER), server_settings={"application_name": OURS}
        )

    def start(self, name: str, *arguments: object) -> Part:
        """`python -m benchmarks.child name arguments`; it is stopped when the stage is struck."""
        log = self.folder / f"{name}-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.child", name, *map(str, arguments)],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours: we stop it, in order
            )
        part = Part(name, process, log)
        self.closing.callback(stop, part)
        return part

    def postgres_cpu_s(self) -> float:
        """Of the server and of all its processes, also of those that have ended."""
        pid = int((self.cluster.data_dir / "postmaster.pid").read_text().split()[0])
        return cpu_s(pid, with_ended=True) + sum(cpu_s(child) for child in _children(pid))


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """As durable as any: fsync and synchronous_commit are on. Removed at the end.

    Its folder is on the disk of the repository, and of this run alone.
    """
    (REPOSITORY / ".twintill").mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=REPOSITORY / ".twintill"))
    with postgres.stopped_at_the_end(folder, discard=True):
        yield postgres.start(folder, durable=True)


@contextlib.contextmanager
def new_stage(cluster: Cluster, database: str, settings: Mapping[str, str]) -> Iterator[Stage]:
    """A migrated, empty database; every process of it is gone when the block ends."""
    postgres.ensure_database(cluster, database)
    asyncio.run(migrations.migrate(cluster.url(database, OWNER)))
    with contextlib.ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="twintill-bench-")))
        stage = Stage(cluster, database, folder, closing)
        stage.environment = _environment(stage, settings)
        yield stage


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(part: Part, port: int) -> None:
    """Until it listens. Raises RuntimeError with the end of its log."""
    _wait(part, lambda: _answers(port))


def wait_for_word(part: Part, word: str) -> None:
    """Until its log says so."""
    _wait(part, lambda: word.encode() in part.log.read_bytes())


def stop(part: Part) -> None:
    """Asked first; nothing happens to one that has ended."""
    if part.process.poll() is None:
        part.process.send_signal(signal.SIGTERM)
        try:
            part.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            part.process.kill()
            part.process.wait()
    if part.process.stdin is not None:
        part.process.stdin.close()


def cpu_s(pid: int, *, with_ended: bool = False) -> float:
    """Processor time so far, in user and in system mode; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    ticks = [int(ticks) for ticks in fields[11 : 15 if with_ended else 13]]
    return sum(ticks) / _TICKS_PER_S


def _environment(stage: Stage, settings: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the surroundings' own settings gets in."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TWINTILL_")}
    return {
        **inherited,
        "PYTHONUNBUFFERED": "1",
        "TWINTILL_DATABASE_URL": stage.url,
        "TWINTILL_STRIPE_API_KEY": STRIPE_KEY,
        "TWINTILL_STRIPE_ACCOUNT_ID": ACCOUNT,
        "TWINTILL_ENCRYPTION_KEYS": ENCRYPTION_KEY,
        "TWINTILL_SANDBOX_PROCESSOR_API_KEY": PROCESSOR_KEY,
        "TWINTILL_SANDBOX_PROCESSOR_WEBHOOK_SECRETS": PROCESSOR_SECRET,
        **settings,
    }


def _wait(part: Part, ready: Any) -> None:
    ends_at = time.monotonic() + _START_S
    while not ready():
        if part.process.poll() is not None or time.monotonic() > ends_at:
            said = part.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{part.name} does not start: {said}")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            match = re.match(r"(\d+) \(.*\) \S (\d+) ", stat.read_text())
            if match and int(match.group(2)) == pid:
                found.append(int(match.group(1)))
    return found
