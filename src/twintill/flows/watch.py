"""The watch: each minute, the tripwires' figures are judged, and whoever must know is told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain import tripwires as rules
from twintill.domain.policy import Policy
from twintill.domain.tripwires import Figures, Trip
from twintill.flows.brakes import trip
from twintill.flows.duty import Ran
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import brakes, outgoing, tripwires
from twintill.store.brakes import Brake

PAUSED, RESUMED = "processor.paused", "processor.resumed"
_MINUTE = timedelta(minutes=1)
_log = structlog.get_logger(__name__)


async def watch(means: Means, scope: Scope, _cursor: Mapping[str, Any]) -> Ran:
    """The duty. Only what happened since a processor's last release counts."""
    async with means.database.begin() as db:
        tripped = [t for t in await _judge(db, means.policy, scope) if await trip(db, scope, t)]
    async with means.database.begin() as db:
        told = await _tell(db, means, scope)
        paused = len(await brakes.all_on(db, scope))
    return Ran(_MINUTE, {"tripped": len(tripped), "told": told, "paused": paused}, {})


async def _judge(db: AsyncConnection, policy: Policy, scope: Scope) -> list[Trip]:
    figures = [
        await _with_history(db, scope, seen) if rules.asks_for_history(seen, policy) else seen
        for seen in await tripwires.hours(db, scope)
    ]
    return rules.judge(figures, await tripwires.charged(db, scope), policy)


async def _with_history(db: AsyncConnection, scope: Scope, seen: Figures) -> Figures:
    approved, declined = await tripwires.week_before(db, scope, seen.processor)
    return replace(seen, approved_before=approved, declined_before=declined)


async def _tell(db: AsyncConnection, means: Means, scope: Scope) -> int:
    """Trips and releases, by whomever and however, are told here, once: a single place."""
    untold = await brakes.take_untold(db, scope)
    for brake in untold:
        if not brake.told:
            _log.error("processor_paused", **_shown(brake))
            await _tell_app(db, means, scope, PAUSED, brake)
        if not brake.on:
            _log.warning("processor_resumed", **_shown(brake))
            await _tell_app(db, means, scope, RESUMED, brake)
    return len(untold)


async def _tell_app(
    db: AsyncConnection, means: Means, scope: Scope, event_type: str, brake: Brake
) -> None:
    if means.tells_app:
        await outgoing.add(db, scope, event_type, brake.id, {"object": "brake", **_shown(brake)})


def _shown(brake: Brake) -> dict[str, Any]:
    return {
        "id": brake.id,
        "processor": brake.processor,
        "why": brake.why,
        "paused_by": brake.tripped_by,
        "paused_at": _seconds(brake.tripped_at),
        "resumed_by": brake.released_by,
        "resumed_why": brake.released_why,
        "resumed_at": _seconds(brake.released_at),
    }


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
