"""The duties of a worker: which there are, and how one is run.

Each has a row, made when a worker starts: any number of workers, and one run at a time. A duty that
fails backs off and says so; it is never parked. One that this version does not know is left to the
newer worker that made it.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from twintill.flows import (
    catch_up,
    catch_up_processors,
    due_dates,
    expiring,
    find_disputes,
    find_refunds,
    purge,
    read_settlements,
    review_notices,
    sweep_invoices,
    verify,
    verify_remote,
    watch,
)
from twintill.flows.duty import Duty, Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import duties

DUTIES: Mapping[str, Duty] = {
    "catch_up": catch_up.catch_up,
    "compare_events": catch_up.compare_events,
    "catch_up_processors": catch_up_processors.catch_up_processors,
    "sweep_invoices": sweep_invoices.sweep_invoices,
    "find_disputes": find_disputes.find_disputes,
    "find_refunds": find_refunds.find_refunds,
    "read_settlements": read_settlements.read_settlements,
    "purge_answers": purge.purge_answers,
    "verify": verify.verify_duty,
    "verify_remote": verify_remote.verify_remote,
    "watch": watch.watch,
    "tell_expiring": expiring.tell_expiring,
    "announce_reviews": review_notices.announce_reviews,
    "tell_due_dates": due_dates.tell_due_dates,
}

DEADLINE = timedelta(seconds=40)  # below the lease
# After so many failures in a row. The first is also how long a worker's death is waited out.
_PAUSES = tuple(timedelta(seconds=s) for s in (60, 60, 120, 300))
_ERROR_LENGTH = 500
_log = structlog.get_logger(__name__)


async def begin(means: Means, known: Mapping[str, Duty] = DUTIES) -> None:
    """A row for each duty that has none."""
    async with means.database.begin() as db:
        await duties.begin(db, means.scope, known)


async def look(means: Means, scope: Scope, name: str, known: Mapping[str, Duty] = DUTIES) -> bool:
    """Run a duty if it is due; False for a stale bell. Raises nothing but database errors."""
    duty = known.get(name)
    if duty is None:
        return False
    async with means.database.begin() as db:
        claimed = await duties.claim(db, scope, name, _PAUSES)
    if claimed is None:
        return False
    said = await _run(duty, means, scope, name, claimed.cursor)
    async with means.database.begin() as db:
        if isinstance(said, Ran):
            await duties.succeeded(db, claimed, said.again_in, said.result, said.cursor)
        else:
            await duties.failed(db, claimed, said)
    return True


async def _run(
    duty: Duty, means: Means, scope: Scope, name: str, cursor: Mapping[str, Any]
) -> Ran | str:
    """Its end, or why it failed."""
    try:
        async with asyncio.timeout(DEADLINE.total_seconds()):
            ran = await duty(means, scope, cursor)
    except Exception as error:  # noqa: BLE001 -- one duty's failure must not stop the others
        _log.warning("duty_failed", duty=name, error=str(error), exc_info=error)
        return f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
    _log.info("duty_ran", duty=name, result=dict(ran.result))
    return ran
