"""`twintill verify`: the rules that must always hold, checked on the live database."""

import json
import sys
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def verify(*, as_json: Json = False) -> None:
    """Check that the books agree with themselves, and that nothing was forgotten.

    Read-only, at any time. Exit code 0: every rule holds; 1: at least one does not.

    Example: `twintill verify --json`
    """
    from twintill.cli.asking import ask
    from twintill.store import checks

    found = ask(checks.find_all)
    broken = [finding for findings in found.values() for finding in findings]
    if as_json:
        print(json.dumps({name: [f.told() for f in findings] for name, findings in found.items()}))
    else:
        for check in checks.CHECKS:
            print(f"{'ok    ' if not found[check.name] else 'BROKEN'}  {check.rule}")
        for finding in broken:
            print(f"  {finding.check}: {finding.object_id}: {finding.detail}")
    sys.exit(1 if broken else 0)
