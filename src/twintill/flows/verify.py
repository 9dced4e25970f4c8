"""Verifying the books: all of them for a person, and page by page as a duty of the workers.

A rule that newly breaks is told to the user's app; the figures of the last pass are the duty's.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from twintill.domain.policy import Policy
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import outgoing, verifying
from twintill.store.verifying import CHECKS, Finding, Report

_EVERY = timedelta(hours=1)
_PAGES_A_RUN = 5
_EXAMPLES = 3


async def verify_books(
    database: AsyncEngine,
    scope: Scope,
    policy: Policy,
    tell: Callable[[int], None] = lambda _: None,
) -> tuple[Report, int]:
    """Every check of every payment, and how many payments; `tell` hears how far it is.

    A transaction per page: on a large database it holds nothing back for long.
    """
    report, after, seen = verifying.nothing_broken(), "", 0
    async with database.connect() as db:
        await verifying.ask_whole(db, scope, policy, report)
    while True:
        async with database.connect() as db:
            after, count = await verifying.ask_page(db, scope, after, report)
        seen += count
        tell(seen)
        if not after:
            return report, seen


async def verify_duty(means: Means, scope: Scope, cursor: Mapping[str, Any]) -> Ran:
    """Some pages of a pass; the last one tells what newly broke."""
    after, seen = str(cursor.get("after", "")), int(cursor.get("payments", 0))
    report = _carried(cursor.get("report", {}))
    if not after:
        async with means.database.connect() as db:
            await verifying.ask_whole(db, scope, means.policy, report)
    for _ in range(_PAGES_A_RUN):
        async with means.database.connect() as db:
            after, count = await verifying.ask_page(db, scope, after, report)
        seen += count
        if not after:
            return await _passed(means, scope, cursor, report, seen)
    going_on = {**cursor, "after": after, "payments": seen, "report": _carry(report)}
    return Ran(timedelta(0), cursor.get("result", {}), going_on)


async def _passed(
    means: Means, scope: Scope, cursor: Mapping[str, Any], report: Report, seen: int
) -> Ran:
    broken = [name for name, of_it in report.items() if of_it.count]
    news = [name for name in broken if name not in cursor.get("broken", ())]
    if news and means.tells_app:
        async with means.database.begin() as db:
            await _tell(db, scope, report, news)
    result = {
        "payments": seen,
        "broken_rules": len(broken),
        **{f"broken_{name}": of_it.count for name, of_it in report.items()},
    }
    return Ran(_EVERY, result, {"broken": broken, "result": result})


async def _tell(db: AsyncConnection, scope: Scope, report: Report, news: list[str]) -> None:
    rules = {check.name: check.rule for check in CHECKS}
    data = {
        "object": "verification",
        "broken": [
            {
                "check": name,
                "rule": rules[name],
                "count": report[name].count,
                "examples": [f.told() for f in report[name].findings[:_EXAMPLES]],
            }
            for name in news
        ],
    }
    await outgoing.add(db, scope, "verify.broken", "books", data)


def _carry(report: Report) -> dict[str, Any]:
    """What a pass has found so far, for the cursor: counts, and a few examples."""
    return {
        name: [of_it.count, [[f.object_id, f.detail] for f in of_it.findings[:_EXAMPLES]]]
        for name, of_it in report.items()
        if of_it.count
    }


def _carried(carried: Mapping[str, Any]) -> Report:
    report = verifying.nothing_broken()
    for name, (count, examples) in carried.items():
        if name in report:
            found = [Finding(name, object_id, detail) for object_id, detail in examples]
            report[name].count, report[name].findings = count, found
    return report
