"""`twintill verify`: the rules that must always hold, checked on the live database, and outside."""

import asyncio
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from twintill.flows.compare import Walk
    from twintill.flows.means import Means
    from twintill.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
Remote = Annotated[
    bool, typer.Option("--remote", help="Also against Stripe and the processors (reads only).")
]
Since = Annotated[
    str,
    typer.Option(help="With --remote: what was created since, a day (2026-11-01) or an age (7d)."),
]
_USED_UP = "the day's reads of Stripe are used up (TWINTILL_STRIPE_READS_PER_DAY)"
_AGE = re.compile(r"([1-9]\d{0,4})([dh])\Z")


def verify(*, remote: Remote = False, since: Since = "2d", as_json: Json = False) -> None:
    """Check that the books agree with themselves, and that nothing was forgotten.

    Changes nothing, at any time, on a database of any size. With --remote each invoice is compared
    with Stripe's, and each attempt and refund with its processor's, inside the day's budget of
    reads.

    Exit code 0: every rule holds; 1: at least one does not, or something differs; 2: it could not
    be checked, or not to the end.

    Example: `twintill verify --remote --since 7d`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.settings import read_settings

    back = _parse(since)
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        verification = asyncio.run(_verify(settings, back if remote else None))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(json.dumps(verification)) if as_json else _show(verification)
    sys.exit(_exit_code(verification))


def _parse(since: str) -> timedelta | datetime:
    age = _AGE.match(since)
    if age is not None:
        return timedelta(**{"d": {"days": int(age[1])}, "h": {"hours": int(age[1])}}[age[2]])
    try:
        day = datetime.fromisoformat(since)
    except ValueError:
        raise typer.BadParameter(f"--since {since}: neither a day nor an age like 7d") from None
    return day if day.tzinfo else day.replace(tzinfo=UTC)


def _exit_code(verification: dict[str, Any]) -> int:
    remote = verification["remote"]
    if not verification["ok"]:
        return 1
    return 2 if remote is not None and not remote["complete"] else 0


async def _verify(settings: "Settings", back: timedelta | datetime | None) -> dict[str, Any]:
    """The object that --json prints: its fields are documented in docs/verify.md."""
    from twintill.app import open_means, open_settings_database, scope_of

    if back is not None:
        async with open_means(settings, pool_size=2) as means:
            local = await _local(means.database, means.scope, settings)
            remote = await _compare(means, back)
            return {**local, "ok": local["ok"] and not remote["differ"], "remote": remote}
    database = open_settings_database(settings)
    try:
        return await _local(database, await scope_of(settings, database), settings)
    finally:
        await database.dispose()


async def _local(database: Any, scope: Any, settings: "Settings") -> dict[str, Any]:
    from twintill.flows.verify import verify_books
    from twintill.store.verifying import CHECKS

    report, payments = await verify_books(
        database, scope, settings.policy, lambda seen: _progress(f"{seen} payments")
    )
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


async def _compare(means: "Means", back: timedelta | datetime) -> dict[str, Any]:
    """Until the end, or until it cannot go on: then why is said, and what was found so far."""
    from twintill.errors import StripeError
    from twintill.flows import compare
    from twintill.flows.compare import Part

    since = back if isinstance(back, datetime) else None
    age = back if isinstance(back, timedelta) else None
    walk = await compare.begin(means, age, since)
    while walk.part is not Part.DONE:
        if walk.part is not Part.PROCESSORS and not await compare.reads_left(means, means.scope):
            return _remote(walk, _USED_UP)
        try:
            walk = await compare.step(means, means.scope, walk)
        except StripeError as error:
            return _remote(walk, f"Stripe: {error}")
        _progress(f"{walk.invoices} invoices, {walk.attempts} attempts compared")
    return _remote(walk, None)


def _remote(walk: "Walk", stopped: str | None) -> dict[str, Any]:
    return {
        "since": walk.since.isoformat(),
        "complete": stopped is None,
        "stopped": stopped,
        "invoices": walk.invoices,
        "payments": walk.payments,
        "attempts": walk.attempts,
        "not_asked": walk.not_asked,
        "differ": walk.differ,
        "differences": list(walk.differences),
    }


def _progress(told: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{told}", end="", file=sys.stderr, flush=True)


def _show(verification: dict[str, Any]) -> None:
    for check in verification["checks"]:
        print(f"{'BROKEN' if check['broken'] else 'ok    '}  {check['rule']}")
    for check in verification["checks"]:
        for finding in check["findings"]:
            print(f"  {check['name']}: {finding['id']}: {finding['detail']}")
        unseen = check["broken"] - len(check["findings"])
        if unseen:
            print(f"  {check['name']}: and {unseen} more")
    print(f"{verification['payments']} payments checked.")
    if verification["remote"] is not None:
        _show_remote(verification["remote"])


def _show_remote(remote: dict[str, Any]) -> None:
    print(
        f"{remote['invoices']} invoices of Stripe's and {remote['attempts']} attempts of "
        f"{remote['payments']} payments compared, since {remote['since']}."
    )
    if remote["not_asked"]:
        print(f"{remote['not_asked']} attempts could not be asked for.")
    for differs in remote["differences"]:
        names = ("payment_id", "attempt_id", "processor_payment_id", "processor_refund_id")
        named = (differs.get(name) for name in names)
        print(f"DIFFERS  {differs['invoice_id']}: {differs['says']}", *filter(None, named))
    unseen = remote["differ"] - len(remote["differences"])
    if unseen:
        print(f"and {unseen} more differences.")
    if remote["stopped"] is not None:
        print(f"NOT TO THE END: {remote['stopped']}")
