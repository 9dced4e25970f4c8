"""Telling the user's app: one signed event, delivered until its endpoint answers 2xx.

Standard Webhooks: the body is signed with the event's id and the time of this delivery; the app
drops duplicates by the id. That time is the wall's: the app checks it against its own clock, which
no sandbox moves. The app's own address comes from the settings, so loopback is allowed.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks import Webhook

from twintill.domain.policy import pause_after
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import clock, outgoing, work
from twintill.store.work import OUTGOING, Lease

TIMEOUT_S = 15.0
_TRIES_MAX = 10
_PAUSES = tuple(
    timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)


@dataclass(frozen=True, slots=True)
class App:
    """Where the user's app listens, and the secret that we share with it (`whsec_...`)."""

    url: str
    secret: str = field(repr=False)


async def look(
    means: Means, scope: Scope, event_id: str, app: App, client: httpx.AsyncClient
) -> bool:
    """Deliver one event once; False for a stale bell. Raises nothing but database errors."""
    async with means.database.begin() as db:
        lease = await work.claim(db, OUTGOING, scope, event_id)
        if lease is None:
            return False
        event = await outgoing.read(db, scope, event_id)
        wall = await clock.wall(db)
    answer = await _deliver(event, wall, app, client)
    async with means.database.begin() as db:
        if isinstance(answer, int):
            await outgoing.delivered(db, scope, event_id, answer)
        else:
            await _again_later(db, lease, answer)
    return True


async def _again_later(db: AsyncConnection, lease: Lease, why: str) -> None:
    pause = pause_after(_PAUSES, lease.looks - 1)
    await work.back_off(db, OUTGOING, lease, why, tries_max=_TRIES_MAX, pause=pause)


async def _deliver(event: Any, wall: datetime, app: App, client: httpx.AsyncClient) -> int | str:
    """The 2xx, or why it was none."""
    body = json.dumps(
        {
            "id": event.event_id,
            "type": event.type,
            "timestamp": event.created_at.isoformat(),
            "data": event.payload,
        },
        separators=(",", ":"),
    )
    headers = {
        "content-type": "application/json",
        "webhook-id": event.event_id,
        "webhook-timestamp": str(int(wall.timestamp())),
        "webhook-signature": Webhook(app.secret).sign(event.event_id, wall, body),
    }
    try:
        response = await client.post(app.url, content=body, headers=headers, timeout=TIMEOUT_S)
    except httpx.HTTPError as error:
        return f"{type(error).__name__}: {error}"
    if response.is_success:
        return response.status_code
    return f"the app answered {response.status_code}"
