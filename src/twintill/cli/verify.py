"""`twintill verify`: the rules that must always hold, checked on the live database."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from twintill.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def verify(*, as_json: Json = False) -> None:
    """Check that the books agree with themselves, and that nothing was forgotten.

    Read-only, at any time, on a database of any size. Exit code 0: every rule holds; 1: at least
    one does not; 2: it could not be checked.

    Example: `twintill verify --json`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import read_settings

    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        verification = asyncio.run(_verify(settings))
    print(json.dumps(verification)) if as_json else _show(verification)
    sys.exit(0 if verification["ok"] else 1)


async def _verify(settings: "Settings") -> dict[str, Any]:
    """The object that --json prints: its fields are documented in docs/verify.md."""
    from twintill.app import open_settings_database, scope_of
    from twintill.flows.verify import verify_books
    from twintill.store.verifying import CHECKS

    database = open_settings_database(settings)
    try:
        scope = await scope_of(settings, database)
        report, payments = await verify_books(database, scope, settings.policy, _progress)
    finally:
        await database.dispose()
    checks = [
        {
            "name": check.name,
            "rule": check.rule,
            "broken": report[check.name].count,
            "findings": [finding.told() for finding in report[check.name].findings],
        }
        for check in CHECKS
    ]
    return {
        "object": "verification",
        "stripe_account": scope.stripe_account_id,
        "livemode": scope.livemode,
        "ok": not any(check["broken"] for check in checks),
        "payments": payments,
        "checks": checks,
        "remote": None,
    }


def _progress(payments: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{payments} payments", end="", file=sys.stderr, flush=True)


def _show(verification: dict[str, Any]) -> None:
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for check in verification["checks"]:
        print(f"{'BROKEN' if check['broken'] else 'ok    '}  {check['rule']}")
    for check in verification["checks"]:
        for finding in check["findings"]:
            print(f"  {check['name']}: {finding['id']}: {finding['detail']}")
        unseen = check["broken"] - len(check["findings"])
        if unseen:
            print(f"  {check['name']}: and {unseen} more")
    print(f"{verification['payments']} payments checked.")
