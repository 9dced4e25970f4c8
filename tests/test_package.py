"""The package as it is installed: what must travel with the code."""

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.postgres import REPOSITORY


def test_an_installed_package_brings_its_migrations_and_pages(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    migrations = {f"twintill/{p.relative_to(REPOSITORY)}" for p in versions()}
    pages = {
        f"twintill/{p.relative_to(REPOSITORY / 'src/twintill')}"
        for p in (REPOSITORY / "src/twintill").rglob("*")
        if p.suffix in (".html", ".css")
    }
    assert migrations
    assert pages
    assert {"twintill/migrations/env.py", "twintill/py.typed"} | migrations | pages <= inside


def versions() -> list[Path]:
    return list((REPOSITORY / "migrations" / "versions").glob("*.py"))
