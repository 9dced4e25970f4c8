"""API keys: shown once when made, stored as a hash, revoked but never forgotten.

A key is `tw_test_` or `tw_live_`, 43 random characters, and 6 of a checksum, which refuses a
mistyped key without asking the database and lets scanners find leaked ones. It has 250 bits of
chance, so a plain SHA-256 is as good as a slow hash, and no salt is needed.
"""

import hashlib
import hmac
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import BadRequest, NotFoundError
from twintill.ids import Scope, new_id
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import api_keys

SCOPES = ("read", "collect", "refund", "admin")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 43, 6


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key without its secret."""

    id: str
    owner: str
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None


async def create(
    db: AsyncConnection, scope: Scope, owner: str, scopes: Iterable[str]
) -> tuple[str, str]:
    """(id, secret): the secret is not stored. Raises BadRequest for an unknown scope."""
    wanted = sorted(set(scopes))
    unknown = [s for s in wanted if s not in SCOPES]
    if unknown or not wanted:
        known = ", ".join(SCOPES)
        raise BadRequest(f"Unknown scope {', '.join(unknown) or '(none)'}: choose of {known}.")
    if not owner.strip() or not owner.isprintable():
        raise BadRequest("An API key needs an owner: a person or a program, e.g. 'shop backend'.")
    api_key_id, secret = new_id("key"), _new_secret(scope)
    row = {
        **key(scope),
        "api_key_id": api_key_id,
        "secret_hash": _hash(secret),
        "owner": owner.strip(),
        "scopes": wanted,
        "created_at": NOW,
    }
    await db.execute(insert(api_keys).values(row))
    return api_key_id, secret


def looks_right(secret: str, scope: Scope) -> bool:
    """Its mode and checksum are right: worth asking the database."""
    body, check = secret[:-_CHECK], secret[-_CHECK:]
    whole = len(secret) == len(_prefix(scope)) + _RANDOM + _CHECK
    return whole and body.startswith(_prefix(scope)) and secret.isascii() and check == _check(body)


async def find(db: AsyncConnection, scope: Scope, secret: str) -> ApiKey | None:
    """The living key of this secret."""
    c = api_keys.c
    hashed = _hash(secret)
    found = await db.execute(
        select(api_keys).where(
            mine(api_keys, scope), c.secret_hash == hashed, c.revoked_at.is_(None)
        )
    )
    row = found.one_or_none()
    # The index has compared hashes already, whose bytes a caller cannot steer; this is the belt.
    if row is None or not hmac.compare_digest(row.secret_hash, hashed):
        return None
    return _read(row)


async def list_all(db: AsyncConnection, scope: Scope) -> list[ApiKey]:
    query = select(api_keys).where(mine(api_keys, scope)).order_by(api_keys.c.created_at)
    return [_read(row) for row in await db.execute(query)]


async def revoke(db: AsyncConnection, scope: Scope, api_key_id: str) -> None:
    """From the next request on it is refused. Raises NotFoundError."""
    c = api_keys.c
    revoked = await db.execute(
        update(api_keys)
        .where(mine(api_keys, scope), c.api_key_id == api_key_id, c.revoked_at.is_(None))
        .values(revoked_at=NOW)
    )
    if revoked.rowcount == 0:
        raise NotFoundError(f"No living API key {api_key_id}.")


def _prefix(scope: Scope) -> str:
    return "tw_live_" if scope.livemode else "tw_test_"


def _new_secret(scope: Scope) -> str:
    body = _prefix(scope) + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _check(body)


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), []
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _read(row: Any) -> ApiKey:
    return ApiKey(row.api_key_id, row.owner, frozenset(row.scopes), row.created_at, row.revoked_at)
