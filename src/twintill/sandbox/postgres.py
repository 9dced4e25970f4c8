"""A PostgreSQL of the project's own: a private cluster on loopback, for the demo and the tests.

It works for an ordinary user and for root alike. PostgreSQL refuses to run as root, so root's
cluster belongs to an unprivileged user; where that user cannot enter the folder asked for, the
cluster lives in a private one below /var/tmp, and the folder asked for remembers where.
"""

import asyncio
import contextlib
import fcntl
import json
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from twintill.errors import BrokenInvariant, SettingsError
from twintill.sandbox import postgres_binaries
from twintill.sandbox.postgres_binaries import Binaries
from twintill.sandbox.postgres_owner import ServerUser, choose_user

DATABASE = "twintill"
SUPERUSER = "postgres"
OWNER = "twintill_owner"  # owns the schema; migrations run as it
RUNTIME = "twintill_app"  # what web and worker connect as
RUNTIME_GROUP = "twintill_runtime"  # migrations grant to this one; RUNTIME is its member

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # socket paths have a limit of 107 bytes, clones do not
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}
_UNSAFE_BUT_FAST = {
    # These lose data with the machine only; synchronous_commit = off would lose it with PostgreSQL.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_START_TRIES = 40
_PAUSE_S = 0.25


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL; `data_dir` is its PGDATA."""

    bin_dir: Path
    data_dir: Path
    port: int
    passwords: Mapping[str, str]

    def url(self, database: str = DATABASE, role: str = RUNTIME) -> str:
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"


def start(data_dir: Path, *, durable: bool) -> Cluster:
    """The cluster of this folder, created and started as needed; one that runs is taken as it is.

    `durable` is for data that must outlive the machine's power; tests do without.
    """
    data_dir = data_dir.absolute()
    with _locked(data_dir):
        home, user = _settle(data_dir)
        binaries = _binaries_for(home, user)
        if not (home / "data").exists():
            _create(home, binaries, user, durable=durable)
        port = _running_port(home / "data") or _boot(home, binaries, user, durable=durable)
        passwords = json.loads((home / "passwords.json").read_text())
    return Cluster(binaries.bin_dir, home / "data", port, passwords)


def stop(cluster: Cluster) -> None:
    """A clean shutdown that waits; nothing happens where nothing runs."""
    _pg_ctl_stop(cluster, "fast")


def crash(cluster: Cluster) -> None:
    """What a power cut does: no checkpoint, connections torn; the next start recovers."""
    _pg_ctl_stop(cluster, "immediate")


@contextlib.contextmanager
def running(data_dir: Path, *, durable: bool) -> Iterator[Cluster]:
    """The cluster while the block runs; one that ran before goes on running after it."""
    home = _moved_to(data_dir) or data_dir.absolute()
    if _running_port(home / "data"):
        yield start(data_dir, durable=durable)
        return
    with stopped_at_the_end(data_dir):
        yield start(data_dir, durable=durable)


@contextlib.contextmanager
def stopped_at_the_end(data_dir: Path, *, discard: bool = False) -> Iterator[None]:
    """Whatever cluster runs in the folder when the block ends is stopped, and maybe removed.

    A child process sees to it, so it also happens when this process is killed with -9.
    """
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, str(data_dir.absolute()), "discard" if discard else "keep"],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in the terminal must not reach it
        cwd="/",
    )
    try:
        yield
    finally:
        guard.communicate()


def discard(data_dir: Path) -> None:
    """Stops the cluster of this folder, and removes it with all its data."""
    with stopped_at_the_end(data_dir, discard=True):
        pass


def ensure_database(cluster: Cluster, name: str) -> None:
    """Creates the database, owned by the owner role, unless it is there."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise BrokenInvariant(f"{name!r} is no plain database name")
    with ThreadPoolExecutor(1) as apart:  # so that it also works under a running event loop
        apart.submit(
            asyncio.run, _ensure_database(cluster.url("postgres", SUPERUSER), name)
        ).result()


async def _ensure_database(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    finally:
        await connection.close()


# Its standard input ends when we end, however we end.
_GUARD = """
read -r _
home="$0"
[ ! -f "$0/moved" ] || home="$(cat "$0/moved")"
pidfile="$home/data/postmaster.pid"
pid="$(head -n 1 "$pidfile" 2>/dev/null)"
# A stale file may name a stranger's process.
[ ! -d /proc/self ] || grep -qaF -- "$home/data" "/proc/$pid/cmdline" 2>/dev/null || pid=""
if [ -n "$pid" ] && kill -INT "$pid" 2>/dev/null; then
    while [ -e "$pidfile" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
[ "$1" = keep ] || rm -rf "$0" "$home"
"""


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (data_dir / "lock").open("w")
    except PermissionError as error:
        raise SettingsError(
            f"{data_dir} belongs to another user, e.g. to the one that PostgreSQL ran as when root "
            "started it here. Remove it as root, or be root again."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _settle(data_dir: Path) -> tuple[Path, ServerUser]:
    """Where the cluster lives, and as whom."""
    home = _moved_to(data_dir) or data_dir
    user = choose_user(home)
    if not user.may_enter(home.parent):
        home = Path(tempfile.mkdtemp(prefix="twintill-pg-", dir="/var/tmp"))
        user.write_private(data_dir / "moved", str(home))
    user.make_private(home)
    return home, user


def _moved_to(data_dir: Path) -> Path | None:
    note = data_dir / "moved"
    home = Path(note.read_text()) if note.exists() else None
    return home if home and home.exists() else None


def _binaries_for(home: Path, user: ServerUser) -> Binaries:
    version_file = home / "data" / "PG_VERSION"
    major = int(version_file.read_text()) if version_file.exists() else None
    binaries = postgres_binaries.find(major)
    if user.run("test", "-x", binaries.bin_dir / "postgres").returncode == 0:
        return binaries
    return binaries.copied_to(home / "binaries")


def _create(home: Path, binaries: Binaries, user: ServerUser, *, durable: bool) -> None:
    """Makes the data folder, whole or not at all: a rename ends it."""
    new = home / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    passwords = {role: secrets.token_urlsafe(24) for role in (SUPERUSER, OWNER, RUNTIME)}
    user.write_private(home / "passwords.json", json.dumps(passwords))
    password_file = home / "superuser-password"
    user.write_private(password_file, passwords[SUPERUSER])
    initdb = user.run(
        binaries.bin_dir / "initdb",
        f"--pgdata={new}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        *_locale(binaries.major),
        *(() if durable else ("--no-sync",)),
    )
    password_file.unlink()
    _expect_success(initdb, "initdb")
    single = user.run(
        binaries.bin_dir / "postgres",
        *("--single", "-D", str(new), "-c", "exit_on_error=on"),
        *("-c", f"fsync={'on' if durable else 'off'}", SUPERUSER),
        stdin=_first_statements(passwords),
    )
    _expect_success(single, "making its roles and database")
    new.rename(home / "data")


def _locale(major: int) -> tuple[str, ...]:
    """The same order of text on each machine: by code point."""
    if major >= 17:
        return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    return ("--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C",)


def _first_statements(passwords: Mapping[str, str]) -> str:
    """One statement a line, as the single-user server reads them."""
    return f"""
CREATE ROLE {RUNTIME_GROUP} NOLOGIN
CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{passwords[OWNER]}'
CREATE ROLE {RUNTIME} LOGIN PASSWORD '{passwords[RUNTIME]}' IN ROLE {RUNTIME_GROUP}
GRANT {RUNTIME_GROUP} TO {OWNER} WITH ADMIN OPTION
CREATE DATABASE {DATABASE} OWNER {OWNER}
""".lstrip()


def _running_port(data: Path) -> int | None:
    """The port of the server of this data folder, once it answers; None where none runs."""
    for _ in range(_START_TRIES):
        pid, port = _pid_and_port(data)
        if pid is None or not _is_ours(pid, data):
            return None
        if port and _answers(port):
            return port
        time.sleep(_PAUSE_S)  # starting, or stopping
    return None


def _pid_and_port(data: Path) -> tuple[int | None, int | None]:
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None, None
    pid = int(lines[0]) if lines and lines[0].isdigit() else None
    return pid, int(lines[3]) if len(lines) > 3 and lines[3].isdigit() else None


def _is_ours(pid: int, data: Path) -> bool:
    """Whether the process is this folder's server: after a crash its number may be another's."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return False
        asked = ["ps", "-p", str(pid), "-o", "command="]
        command = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return str(data) in command


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _boot(home: Path, binaries: Binaries, user: ServerUser, *, durable: bool) -> int:
    data, log = home / "data", home / "log"
    port = _last_port(home) or _free_port()
    for _ in range(_START_TRIES):
        _forget_stale_pid(data)
        log.unlink(missing_ok=True)
        settings = _SETTINGS | ({} if durable else _UNSAFE_BUT_FAST) | {"port": str(port)}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        pg_ctl = binaries.bin_dir / "pg_ctl"
        done = user.run(pg_ctl, "start", "-w", "-D", data, "-l", log, "-o", options)
        if done.returncode == 0:
            user.write_private(home / "port", str(port))
            return port
        said = log.read_text(errors="replace") if log.exists() else done.stderr
        if "could not bind" in said:
            port = _free_port()
        elif "shared memory block" in said:
            time.sleep(_PAUSE_S)  # a killed server's children are still about to notice
        else:
            raise SettingsError(f"PostgreSQL does not start in {data}: {said.strip()[-2000:]}")
    raise SettingsError(f"PostgreSQL does not start in {data}; its log is {log}.")


def _last_port(home: Path) -> int | None:
    """The port of last time, so that addresses people noted stay good."""
    note = home / "port"
    return int(note.read_text()) if note.exists() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _forget_stale_pid(data: Path) -> None:
    # PostgreSQL itself removes the file of a dead process, but not when the number now
    # belongs to somebody else, as happens at once in a restarted container.
    pid, _ = _pid_and_port(data)
    if pid is not None and not _is_ours(pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _pg_ctl_stop(cluster: Cluster, mode: str) -> None:
    pid, _ = _pid_and_port(cluster.data_dir)
    if pid is None or not _is_ours(pid, cluster.data_dir):
        return
    user = choose_user(cluster.data_dir.parent)
    pg_ctl = cluster.bin_dir / "pg_ctl"
    _expect_success(user.run(pg_ctl, "stop", "-w", "-D", cluster.data_dir, "-m", mode), "stop")


def _expect_success(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise SettingsError(f"PostgreSQL: {what} failed: {said}")
