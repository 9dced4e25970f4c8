"""Endpoints of the user's app: made, changed, rotated, switched off and on, asked what they missed.

Their addresses are judged here and again at each delivery (`outbound`). The one that the settings
name is a row like the others, kept in step when web and worker start, and not judged: whoever
writes the settings may reach everything anyway.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.domain.event_types import CATALOGUE
from twintill.errors import BadRequest, ConflictError, VaultError
from twintill.flows import outbound
from twintill.flows.means import Means
from twintill.ids import Scope, derived_id
from twintill.store import endpoints, outgoing
from twintill.store import outgoing_deliveries as deliveries
from twintill.store.endpoints import DISABLED, ENABLED, Endpoint, NewEndpoint

OVERLAP = timedelta(days=1)
OVERLAP_MAX = timedelta(days=7)
ALL_EVENTS = "*"
_PAGE, _PAGES = 500, 20
_TURNED_OFF = "the endpoint is disabled"


@dataclass(frozen=True, slots=True)
class App:
    """What the settings say: where the user's app listens, and our shared secret (`whsec_...`)."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many events are sent again; `more`: ask once more for the rest."""

    count: int
    more: bool


async def add(
    means: Means,
    scope: Scope,
    endpoint_id: str,
    *,
    url: str,
    types: Sequence[str],
    description: str = "",
    enabled: bool = True,
) -> str | None:
    """Its secret, this once; None: this id is there already (a repetition of the request).

    Raises EndpointRefused for an address that must not be called, BadRequest for an unknown type.
    """
    asked = _types(types)
    await outbound.check(means.outbound, url)
    secret = new_secret()
    sealed = _seal(means, scope, endpoint_id, secret)
    status = ENABLED if enabled else DISABLED
    new = NewEndpoint(endpoint_id, url, asked, description, sealed, status)
    async with means.database.begin() as db:
        added = await endpoints.add(db, scope, new)
    return secret if added else None


async def change(
    means: Means,
    scope: Scope,
    endpoint_id: str,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> Endpoint:
    """None: as it was. Raises as `add` does, and ConflictError for what the settings say."""
    given = {"url": url, "types": types, "description": description}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if types is not None:
        changes["types"] = _types(types)
    async with means.database.connect() as db:
        endpoint = await endpoints.read(db, scope, endpoint_id)
    if url is not None:
        _of_the_settings(endpoint, "change TWINTILL_APP_WEBHOOK_URL")
        await outbound.check(means.outbound, url)
    async with means.database.begin() as db:
        endpoint = await endpoints.read(db, scope, endpoint_id)
        if changes:
            await endpoints.change(db, scope, endpoint_id, **changes)
        if enabled is not None:
            await switch(db, scope, endpoint, on=enabled)
        return await endpoints.read(db, scope, endpoint_id)


async def switch(db: AsyncConnection, scope: Scope, endpoint: Endpoint, *, on: bool) -> None:
    """Off: what waits is given up; `recover` brings it back. On: from now on, nothing else."""
    if on and endpoint.status != ENABLED:
        await endpoints.enable(db, scope, endpoint.id)
    if not on and endpoint.status != DISABLED:
        await turn_off(db, scope, endpoint.id, "somebody switched it off")


async def turn_off(db: AsyncConnection, scope: Scope, endpoint_id: str, why: str) -> None:
    await endpoints.disable(db, scope, endpoint_id, why)
    await deliveries.drop_all(db, scope, endpoint_id, _TURNED_OFF)


async def remove(db: AsyncConnection, scope: Scope, endpoint_id: str) -> None:
    """Raises NotFoundError, and ConflictError for the one of the settings."""
    endpoint = await endpoints.read(db, scope, endpoint_id)
    _of_the_settings(endpoint, "remove TWINTILL_APP_WEBHOOK_URL, or disable it")
    await endpoints.remove(db, scope, endpoint_id)
    await deliveries.drop_all(db, scope, endpoint_id, "the endpoint was removed")


async def rotate(means: Means, scope: Scope, endpoint_id: str, overlap: timedelta = OVERLAP) -> str:
    """The new secret, this once; the former one signs too until the overlap is over."""
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise BadRequest("The overlap is from none to 7 days.", param="overlap_s")
    secret = new_secret()
    async with means.database.begin() as db:
        endpoint = await endpoints.read(db, scope, endpoint_id)
        _of_the_settings(endpoint, "change TWINTILL_APP_WEBHOOK_SECRET")
        sealed = _seal(means, scope, endpoint_id, secret)
        await endpoints.rotate(db, scope, endpoint_id, sealed, overlap)
    return secret


async def test(db: AsyncConnection, scope: Scope, endpoint_id: str) -> str:
    """A delivery of an event that means nothing; its id. Raises ConflictError when it is off."""
    _must_be_on(await endpoints.read(db, scope, endpoint_id))
    return await outgoing.add_test(db, scope, endpoint_id)


async def resend(
    db: AsyncConnection, scope: Scope, event_id: str, endpoint_id: str | None = None
) -> int:
    """One event, to one endpoint or to all that ask for it; how many deliveries."""
    if endpoint_id is not None:
        _must_be_on(await endpoints.read(db, scope, endpoint_id))
    return await outgoing.resend(db, scope, event_id, endpoint_id)


async def recover(means: Means, scope: Scope, endpoint_id: str, since: datetime) -> Recovered:
    """Everything that it asks for and has not got since then is sent to it (again)."""
    async with means.database.connect() as db:
        _must_be_on(await endpoints.read(db, scope, endpoint_id))
    count = 0
    for _ in range(_PAGES):
        async with means.database.begin() as db:
            found = await outgoing.recover(db, scope, endpoint_id, since, _PAGE)
        count += found
        if found < _PAGE:
            return Recovered(count, more=False)
    return Recovered(count, more=True)


async def keep_in_step(means: Means, scope: Scope, app: App | None) -> None:
    """The endpoint that the settings name, as they name it; safe to repeat, in any process."""
    endpoint_id = derived_id("we", scope, "settings")
    async with means.database.begin() as db:
        known = await endpoints.lock(db, scope, endpoint_id)
        if app is None:
            if known is not None:
                await endpoints.remove(db, scope, endpoint_id)
                await deliveries.drop_all(db, scope, endpoint_id, "it left the settings")
            return
        sealed = _seal(means, scope, endpoint_id, app.secret)
        if known is None:
            words = "TWINTILL_APP_WEBHOOK_URL"
            new = NewEndpoint(endpoint_id, app.url, None, words, sealed, source="settings")
            if not await endpoints.add(db, scope, new):
                await endpoints.put_back(db, scope, endpoint_id, sealed)
                await endpoints.change(db, scope, endpoint_id, url=app.url)
            return
        if known.url != app.url:
            await endpoints.change(db, scope, endpoint_id, url=app.url)
        if not _is_its_secret(means, scope, known, app.secret):
            await endpoints.rotate(db, scope, endpoint_id, sealed, OVERLAP)


def open_secrets(means: Means, scope: Scope, endpoint: Endpoint) -> tuple[str, ...]:
    """The present one first. Raises VaultError."""
    return tuple(
        means.vault.open(sealed, scope, "webhook_endpoint", endpoint.id).decode()
        for sealed in endpoint.secrets
    )


def _is_its_secret(means: Means, scope: Scope, endpoint: Endpoint, secret: str) -> bool:
    try:
        return open_secrets(means, scope, endpoint)[0] == secret
    except VaultError:
        return False  # sealed with a key that is gone: the settings know it still


def _seal(means: Means, scope: Scope, endpoint_id: str, secret: str) -> bytes:
    return means.vault.seal(secret.encode(), scope, "webhook_endpoint", endpoint_id)


def new_secret() -> str:
    """As the Standard Webhooks specification has it: 24 to 64 random bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _types(asked: Sequence[str]) -> list[str] | None:
    """None: all of them, also those of later versions."""
    if ALL_EVENTS in asked:
        return None
    unknown = sorted(set(asked) - set(CATALOGUE))
    if unknown or not asked:
        raise BadRequest(
            f"Unknown event type {', '.join(unknown) or '(none)'}: see the list of events, or "
            'send "*" for all.',
            code="event_type_unknown",
            param="enabled_events",
        )
    return sorted(set(asked))


def _of_the_settings(endpoint: Endpoint, instead: str) -> None:
    if endpoint.source == "settings":
        raise ConflictError(
            f"{endpoint.id} is what the settings say: {instead}.", code="endpoint_of_settings"
        )


def _must_be_on(endpoint: Endpoint) -> None:
    if endpoint.status != ENABLED:
        raise ConflictError(
            f"{endpoint.id} is disabled: enable it first.", code="endpoint_disabled"
        )
