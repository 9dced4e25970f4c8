"""A primary and its synchronous standby, both our own; the standby takes over when asked to."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.crash.stage import free_port
from twintill.sandbox import postgres
from twintill.sandbox.postgres_owner import ServerUser, choose_user


@dataclass(frozen=True)
class Pair:
    """Where both live; an address of both leads to whichever is the primary."""

    primary: postgres.Cluster
    standby: postgres.Cluster
    user: ServerUser

    def both(self, url: str) -> str:
        """The address of the primary, made one of both."""
        first = f"127.0.0.1:{self.primary.port}"
        two = url.replace(first, f"{first},127.0.0.1:{self.standby.port}")
        return f"{two}?target_session_attrs=read-write"

    def kill_the_primary(self) -> None:
        """kill -9, of the server and of everything that it forked: the machine is gone."""
        pid = int((self.primary.data_dir / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for victim in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def promote(self) -> None:
        """Returns when the standby takes writes."""
        run(self.user, self.standby.bin_dir / "pg_ctl", "promote", "-w", "-D", self.data)

    @property
    def data(self) -> Path:
        return self.standby.data_dir


@contextlib.contextmanager
def standing_by(primary: postgres.Cluster) -> Iterator[Pair]:
    """A copy of the primary that follows it; a commit waits for both. Gone after the block."""
    user = choose_user(primary.data_dir)
    data = primary.data_dir.parent / "standby"
    port = free_port()
    url = primary.url("postgres", postgres.SUPERUSER)
    run(user, primary.bin_dir / "pg_basebackup", "-d", url, "-D", data, "-R", "-X", "stream")
    settings = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "port": str(port),
        "max_connections": "200",
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    log = data.parent / "standby.log"
    pg_ctl = primary.bin_dir / "pg_ctl"
    run(user, pg_ctl, "start", "-w", "-D", data, "-l", log, "-o", options)
    try:
        yield Pair(primary, postgres.Cluster(primary.bin_dir, data, port, primary.passwords), user)
    finally:
        run(user, pg_ctl, "stop", "-w", "-D", data, "-m", "immediate")
        shutil.rmtree(data, ignore_errors=True)


def run(user: ServerUser, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """Raises AssertionError with what it said, without the password."""
    done = user.run(*command)
    said = re.sub(r"://[^@]*@", "://", done.stderr or done.stdout)
    assert done.returncode == 0, f"{Path(command[0]).name}: {said[-1500:]}"
    return done
