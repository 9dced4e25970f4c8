"""The system user that a cluster runs as: ourselves, or, for root, somebody without power."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from twintill.errors import SettingsError


@dataclass(frozen=True)
class ServerUser:
    """Who runs PostgreSQL and owns its files; `switch` is true where we are root."""

    uid: int
    gid: int
    switch: bool

    def run(self, *command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the program as this user, with nothing of our environment that could mislead it."""
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def may_enter(self, folder: Path) -> bool:
        """Whether this user gets as far as the folder, or would once it is there."""
        there = next(p for p in (folder, *folder.parents) if p.exists())
        return not self.switch or self.run("test", "-x", there).returncode == 0

    def own(self, path: Path) -> None:
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def make_private(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(folder)

    def write_private(self, path: Path, text: str) -> None:
        """Writes a file that only this user, and root, can read."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        self.own(path)


def choose_user(folder: Path) -> ServerUser:
    """Who shall run a cluster in this folder: for root, the owner of what is there, or nearby."""
    if os.geteuid() != 0:
        return ServerUser(os.geteuid(), os.getegid(), switch=False)
    nearest_first = (folder / "data", folder, *folder.parents)
    owners = [_by_uid(p.stat().st_uid) for p in nearest_first if p.exists()]
    for entry in (*owners, _by_name("postgres"), _by_name("nobody")):
        if entry and entry.pw_uid != 0:
            return ServerUser(entry.pw_uid, entry.pw_gid, switch=True)
    raise SettingsError(
        "PostgreSQL refuses to run as root, and this machine has no user postgres or nobody. "
        "Run as an ordinary user instead."
    )


def _by_uid(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _by_name(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and friends would steer pg_ctl elsewhere; a strange locale would hide words
    # that we look for in the log.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
