"""Asking the checks of a live database: page by page of payments, each check one statement.

Read-only. Memory and the time of one statement do not grow with the database; of each check at
most FINDINGS_MAX findings are kept, the rest is counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.policy import Policy
from twintill.ids import Scope
from twintill.store import checks, settlement_checks, work_checks
from twintill.store.checks import Check

CHECKS: tuple[Check, ...] = (
    *checks.CHECKS,
    *settlement_checks.CHECKS,
    *work_checks.CHECKS,
)
FINDINGS_MAX = 100
PAGE = 2000  # payments; about a second with all that hangs on them
_LAST = "zzzz"  # after every payment's id


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that breaks a rule."""

    check: str
    object_id: str
    detail: str

    def told(self) -> dict[str, str]:
        return {"id": self.object_id, "detail": self.detail}


@dataclass(slots=True)
class Broken:
    """What broke one rule: how many rows, and the first of them."""

    count: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, count: int, check: str, rows: Iterable[Any]) -> None:
        """`count` more of them, of which `rows` are the first."""
        self.count += count
        room = FINDINGS_MAX - len(self.findings)
        self.findings += [Finding(check, str(r.object_id), str(r.detail)) for r in rows][:room]


Report = Mapping[str, Broken]  # every check by its name, in the order of CHECKS


def nothing_broken() -> Report:
    return {check.name: Broken() for check in CHECKS}


async def ask_whole(db: AsyncConnection, scope: Scope, policy: Policy, report: Report) -> None:
    """Adds to `report` what is asked of everything at once."""
    deadlines = {
        "doubt_s": policy.doubt_deadline.total_seconds(),
        "pending_s": policy.pending_deadline.total_seconds(),
    }
    await _ask(db, scope, [c for c in CHECKS if not c.paged], deadlines, report)


async def ask_page(
    db: AsyncConnection, scope: Scope, after: str, report: Report
) -> tuple[str, int]:
    """Adds to `report` what is asked of the payments after `after` (at first: an empty text).

    Answers where to go on (an empty text: that was the last page), and how many payments it were.
    """
    asked = {"after": after, "size": PAGE, **_whose(scope)}
    end, count = (await db.execute(_END_OF_PAGE, asked)).one()
    upto = str(end) if count == PAGE else _LAST
    bounds = {"after": after, "upto": upto}
    await _ask(db, scope, [c for c in CHECKS if c.paged], bounds, report)
    return ("" if upto == _LAST else upto), int(count)


async def _ask(
    db: AsyncConnection,
    scope: Scope,
    some: Iterable[Check],
    asked: Mapping[str, Any],
    report: Report,
) -> None:
    for check in some:
        statement = text(_BOUNDED.format(query=check.query, most=FINDINGS_MAX))
        known = {**_whose(scope), **asked}
        used = {name: known[name] for name in statement.compile().params}
        rows = list(await db.execute(statement, used))
        report[check.name].add(rows[0].total if rows else 0, check.name, rows)


def _whose(scope: Scope) -> dict[str, Any]:
    return {"account": scope.stripe_account_id, "live": scope.livemode}


_BOUNDED = """
    SELECT object_id, detail, count(*) OVER () AS total FROM ({query}) AS broken LIMIT {most}
"""
_END_OF_PAGE = text(
    "SELECT max(payment_id), count(*) FROM (SELECT payment_id FROM payments "
    "WHERE stripe_account_id = :account AND livemode = :live AND payment_id > :after "
    "ORDER BY payment_id LIMIT :size) AS page"
)
