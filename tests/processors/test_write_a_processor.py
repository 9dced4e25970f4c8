"""docs/write-a-processor.md: its example is installed as somebody outside would, and tried."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.postgres import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "examples" / "acme_pay"
ENVIRONMENT = {
    "TWINTILL_STRIPE_API_KEY": "sk_test_4711",
    "TWINTILL_STRIPE_WEBHOOK_SECRETS": "whsec_one",
    "TWINTILL_ENCRYPTION_KEYS": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
    "TWINTILL_ACME_API_KEY": "test_key",
    "TWINTILL_ACME_ACCOUNT_ID": "shop-1",
    "TWINTILL_ACME_WEBHOOK_SECRETS": "sign_123",
}
OPENS = """
from twintill.settings import read_settings
for plug, settings in read_settings().processors:
    processor = plug.open(settings)
    print(plug.name, processor.account_id, processor.capabilities.display_name)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installer leaves: the packages, and what pyproject.toml says of them."""
    folder = tmp_path_factory.mktemp("site")
    for package in ("acme_pay", "acme_pay_tests"):
        shutil.copytree(EXAMPLE / package, folder / package)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / "twintill_acme_pay-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for group, named in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(points))
    return folder


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Away from the repository; strict, as its own tests would be."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("TWINTILL_", "PYTEST_"))}
    paths = os.pathsep.join([str(site), str(REPOSITORY / "src")])
    return subprocess.run(
        [sys.executable, *arguments],
        env=keep | ENVIRONMENT | {"PYTHONPATH": paths},
        cwd=site,
        check=False,
        capture_output=True,
        text=True,
    )


def test_an_installed_adapter_is_configured_and_opened(site: Path) -> None:
    ran = run(site, "-c", OPENS)
    assert ran.stdout == "acme shop-1 Acme Pay\n", ran.stderr


def test_it_keeps_the_contract_and_the_table_says_so(site: Path) -> None:
    ran = run(site, "-m", "twintill.testing", "--stage", "acme_pay_tests.stage:acme_stage")
    assert ran.returncode == 0, ran.stdout
    assert "acme: 5" in ran.stdout
    assert " 0 failed" in ran.stdout
    assert "  - Acme Pay gives nothing back (" in ran.stdout


def test_a_fault_in_it_is_in_the_table_and_the_exit_status(site: Path) -> None:
    adapter = site / "acme_pay" / "adapter.py"
    sound = adapter.read_text()
    adapter.write_text(sound.replace('raise SignatureRefused("Acme Pay did not sign this.")', ""))
    words = ("-k", "stranger or every_signer or no_signature")
    ran = run(site, "-m", "twintill.testing", "--stage", "acme_pay_tests.stage:acme_stage", *words)
    adapter.write_text(sound)
    assert ran.returncode == 1
    rows = {
        line.strip().rpartition("  ")[0].strip(): line.split()[-1] for line in table(ran.stdout)
    }
    assert rows == {
        "the signature of a stranger is refused": "FAILED",
        "every signer of ours is accepted": "passed",
        "no signature is refused": "FAILED",
    }


def table(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.endswith(("passed", "FAILED", "-"))]
