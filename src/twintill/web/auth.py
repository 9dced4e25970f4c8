"""Who is calling: an API key as a bearer token, with scopes; asked of the database each time."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from fastapi.security import HTTPBearer
from starlette.requests import Request

from twintill.errors import Forbidden, Unauthorized
from twintill.ids import Scope, derived_id, new_id
from twintill.store import api_keys
from twintill.web.doors import the_means

KeyScope = Literal["read", "collect", "refund", "admin"]
# Only for the OpenAPI page; the check is ours.
BEARER = HTTPBearer(auto_error=False, description="An API key: `twintill keys create`.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A known API key; every object that it reaches is of its `scope`."""

    api_key_id: str
    owner: str
    scopes: frozenset[str]
    scope: Scope
    idempotency_key: str | None = None
    first_asked_at: datetime | None = None  # when this idempotency key was first used

    @property
    def actor(self) -> str:
        """For the history."""
        return f"api:{self.owner}"

    def new_id(self, prefix: str) -> str:
        """The id of what this request creates: the same for a repetition after a crash."""
        if self.idempotency_key is None or self.first_asked_at is None:
            return new_id(prefix)
        since = self.first_asked_at.isoformat()
        return derived_id(prefix, self.scope, self.api_key_id, self.idempotency_key, since)

    def allows(self, needed: KeyScope) -> bool:
        """admin includes all others; each of them includes read."""
        return needed in self.scopes or "admin" in self.scopes or needed == "read"

    def require(self, needed: KeyScope) -> None:
        """Raises Forbidden: for what only some requests of a call need."""
        if not self.allows(needed):
            raise Forbidden(f"This API key lacks the scope {needed!r}.")


def may(needed: KeyScope) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """A dependency: `caller: Annotated[Caller, Depends(may("collect"))]`."""

    async def check(request: Request) -> Caller:
        caller = await authenticate(request)
        caller.require(needed)
        return caller

    return check


async def authenticate(request: Request) -> Caller:
    """Raises Unauthorized. Asked once a request."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        known = request.state.caller = await _ask(request)
    return known


async def _ask(request: Request) -> Caller:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret.strip():
        raise Unauthorized("Send an API key: `Authorization: Bearer tw_...`.")
    means = the_means(request)
    if not api_keys.looks_right(secret.strip(), means.scope):
        mode = "live" if means.scope.livemode else "test"
        raise Unauthorized(f"This is not an API key of this installation ({mode} mode).")
    async with means.database.connect() as db:
        key = await api_keys.find(db, means.scope, secret.strip())
    if key is None:
        raise Unauthorized("This API key is unknown or revoked.")
    return Caller(key.id, key.owner, key.scopes, means.scope)
