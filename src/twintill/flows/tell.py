"""Telling the user's app: one signed event to one endpoint, until it answers 2xx or days are over.

Standard Webhooks: the body is signed with the event's id and the time of this delivery; the app
drops duplicates by the id. That time is the wall's: the app checks it against its own clock, which
no sandbox moves. While a secret is being replaced, both sign.
"""

import json
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from standardwebhooks import Webhook

from twintill.domain import endpoint as rules
from twintill.domain.event_types import DISABLED
from twintill.errors import VaultError
from twintill.flows import outbound
from twintill.flows.endpoints import open_secrets, turn_off
from twintill.flows.means import Means
from twintill.ids import Scope
from twintill.store import endpoints, outgoing, work
from twintill.store import outgoing_deliveries as deliveries
from twintill.store.endpoints import ENABLED, Endpoint
from twintill.store.outgoing_deliveries import Claimed, Heard
from twintill.store.work import OUTGOING

_GONE = 410  # "do not call again", says the specification
_log = structlog.get_logger(__name__)


async def look(
    means: Means, scope: Scope, delivery_id: str, transport: httpx.AsyncHTTPTransport
) -> bool:
    """Send one event to one endpoint once; False for a stale bell. Raises only database errors."""
    async with means.database.begin() as db:
        claimed = await deliveries.claim(db, scope, delivery_id)
        if claimed is None:
            return False
        endpoint = claimed.endpoint
        if endpoint is None or endpoint.status != ENABLED:
            await deliveries.drop(db, claimed.lease, "the endpoint is disabled or removed")
            return True
    heard = await _send(means, scope, claimed, endpoint, transport)
    async with means.database.begin() as db:
        if heard.delivered:
            await endpoints.answers(db, scope, endpoint.id)
            await deliveries.heard(db, claimed.lease, heard, None)
        else:
            await _failed(db, scope, claimed, endpoint.id, heard)
        await deliveries.ring_next(db, scope, endpoint.id)
    return True


async def spread(means: Means, scope: Scope, event_id: str) -> bool:
    """An event that a former version left: it gets its deliveries now."""
    async with means.database.begin() as db:
        if await work.claim(db, OUTGOING, scope, event_id) is None:
            return False
        await outgoing.spread(db, scope, event_id)
    return True


async def _send(
    means: Means,
    scope: Scope,
    claimed: Claimed,
    endpoint: Endpoint,
    transport: httpx.AsyncHTTPTransport,
) -> Heard:
    body = _body(claimed.event)
    try:
        headers = _signed(means, scope, claimed, endpoint, body)
    except (VaultError, ValueError) as error:  # ValueError: the settings' one is no `whsec_...`
        return Heard(None, f"its secret cannot be used: {error}")
    trusted = endpoint.trusted
    answer = await outbound.post(
        means.outbound, transport, endpoint.url, body.encode(), headers, trusted=trusted
    )
    if isinstance(answer, str):
        return Heard(None, answer)
    success = 200 <= answer.status < 300
    why = None if success else f"the app answered {answer.status}"
    return Heard(answer.status, why, answer.beginning)


def _body(event: Any) -> str:
    """The same at each delivery."""
    told = {
        "id": event.event_id,
        "type": event.type,
        "timestamp": event.created_at.isoformat(),
        "data": event.payload,
    }
    return json.dumps(told, separators=(",", ":"))


def _signed(
    means: Means, scope: Scope, claimed: Claimed, endpoint: Endpoint, body: str
) -> dict[str, str]:
    event_id, wall = claimed.event.event_id, claimed.wall
    secrets = open_secrets(means, scope, endpoint)
    if endpoint.former_until is None or endpoint.former_until <= claimed.now:
        secrets = secrets[:1]
    return {
        "content-type": "application/json",
        "user-agent": "Twintill",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(wall.timestamp())),
        "webhook-signature": " ".join(Webhook(s).sign(event_id, wall, body) for s in secrets),
    }


async def _failed(
    db: AsyncConnection, scope: Scope, claimed: Claimed, endpoint_id: str, heard: Heard
) -> None:
    """Tried again later, or given up; an endpoint that has failed for days is switched off."""
    endpoint, now = await endpoints.lock(db, scope, endpoint_id), claimed.now
    again_at = None if heard.status == _GONE else rules.next_try(claimed.lease.looks, now)
    if not await deliveries.heard(db, claimed.lease, heard, again_at):
        return
    if endpoint is None or endpoint.status != ENABLED:
        return
    standing = rules.after_failure(endpoint.standing, now)
    await endpoints.failed(db, scope, endpoint.id, standing)
    if heard.status == _GONE:
        await _switch_off(db, scope, endpoint, "it answered 410: not to be called again")
    elif rules.gives_up(standing, now):
        why = f"it failed for {rules.FAILS_FOR.days} days: {heard.error}"
        await _switch_off(db, scope, endpoint, why)


async def _switch_off(db: AsyncConnection, scope: Scope, endpoint: Endpoint, why: str) -> None:
    """The others hear of it."""
    await turn_off(db, scope, endpoint.id, why)
    host = urlsplit(endpoint.url).hostname
    _log.error("endpoint_disabled", endpoint=endpoint.id, host=host, why=why)
    data = {
        "id": endpoint.id,
        "object": "webhook_endpoint",
        "url": endpoint.url.partition("?")[0],
        "why": why,
    }
    await outgoing.add(db, scope, DISABLED, endpoint.id, data)
