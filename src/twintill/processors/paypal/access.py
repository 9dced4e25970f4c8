"""The access token that every call carries: fetched ahead, shared, and renewed before it ends.

Source: developer.paypal.com, REST API, Authentication: POST /v1/oauth2/token with the client id and
secret, `expires_in` seconds. Fetching one moves no money, so what fails here was never sent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent, NotSentReason
from twintill.processors import transport
from twintill.processors.fields import Unreadable, read_json, text_of, whole_number_of
from twintill.processors.paypal.refusals import read_problem

# With the request's own deadline it stays below the engine's lease.
DEADLINE_S = 10.0
_MARGIN_S = 300.0
_MOST_S = 366 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Access:
    """A bearer token; `number` tells one from the next."""

    number: int
    token: str = field(repr=False)
    renew_at: float  # on the monotonic clock


class Tokens:
    """One token at a time; those who need the next one wait for the same request."""

    def __init__(
        self, client: httpx.AsyncClient, base_url: str, client_id: str, client_secret: str
    ) -> None:
        self._client = client
        self._url = f"{base_url}/v1/oauth2/token"
        self._auth = httpx.BasicAuth(client_id, client_secret)
        self._lock = asyncio.Lock()
        self._access: Access | None = None
        self._fetched = 0
        self._good = 0  # the number of the last one that was taken

    async def get(self) -> Access | NotSent:
        """One that will last for the call. NotSent: without it nothing can be sent."""
        async with self._lock:
            access = self._access
            if access is None or time.monotonic() >= access.renew_at:
                fetched = await self._fetch()
                if isinstance(fetched, NotSent):
                    return fetched
                access = self._access = fetched
            return access

    def taken(self, access: Access) -> None:
        self._good = max(self._good, access.number)

    def drop(self, access: Access) -> bool:
        """It was refused; a newer one stays. True: it was taken before, and ended early."""
        if self._access is not None and self._access.number == access.number:
            self._access = None
        return self._good >= access.number

    async def _fetch(self) -> Access | NotSent:
        request = self._client.build_request(
            "POST",
            self._url,
            data={"grant_type": "client_credentials"},
            headers={"Accept": "application/json"},
            timeout=transport.timeouts(DEADLINE_S),
        )
        self._auth_header(request)
        answer = await transport.send_once(self._client, request, DEADLINE_S)
        if isinstance(answer, NotSent):
            return answer
        if isinstance(answer, NoAnswer):
            return NotSent(NotSentReason.NETWORK, f"no access token: {answer.detail}")
        self._fetched += 1
        return _read(answer, self._fetched)

    def _auth_header(self, request: httpx.Request) -> None:
        next(self._auth.auth_flow(request))


def _read(answer: httpx.Response, number: int) -> Access | NotSent:
    status = answer.status_code
    if status == 429:
        refused = transport.read_status(answer)
        if isinstance(refused, NotSent):
            return refused
    if status in (400, 401, 403):
        why = read_problem(answer.content).text or _error_of(answer)
        detail = (
            "PayPal refuses the client id or secret: copy both again from the app in its "
            f"Developer Dashboard (HTTP {status} {why})".replace(" )", ")")
        )
        return NotSent(NotSentReason.CREDENTIALS, detail)
    if status != 200:
        return NotSent(NotSentReason.NETWORK, f"no access token: HTTP {status}")
    try:
        fields = read_json(answer.content)
        token, lasts_s = (
            text_of(fields, "access_token"),
            whole_number_of(fields, "expires_in", _MOST_S),
        )
    except Unreadable as error:
        return NotSent(NotSentReason.NETWORK, f"no access token: {error}")
    if not token.isascii():
        return NotSent(NotSentReason.NETWORK, "no access token: not one that can be sent")
    return Access(number, token, time.monotonic() + lasts_s - min(_MARGIN_S, lasts_s / 4))


def _error_of(answer: httpx.Response) -> str:
    try:
        return text_of(read_json(answer.content), "error")[:80]
    except Unreadable:
        return ""
