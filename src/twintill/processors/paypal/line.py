"""The line to PayPal: each request once, under an access token that was fetched before."""

from __future__ import annotations

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent, NotSentReason
from twintill.processors import transport
from twintill.processors.fields import Json, read_json
from twintill.processors.paypal import refusals
from twintill.processors.paypal.access import Access, Tokens

# After the time for a token: both together stay below the engine's lease.
DEADLINE_S = 30.0


class Line:
    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        client: httpx.AsyncClient,
        timeout_s: float,
    ) -> None:
        self.base_url = base_url
        self._client = client
        self._timeouts = transport.timeouts(timeout_s)
        self._tokens = Tokens(client, base_url, client_id, client_secret)

    async def send(
        self, method: str, path: str, *, key: str | None = None, body: bytes | None = None
    ) -> httpx.Response | NotSent | NoAnswer:
        """Once. A response comes back only where its body has to be read."""
        access = await self._tokens.get()
        if isinstance(access, NotSent):
            return access
        request = self._request(method, path, access, key, body)
        answer = await transport.send_once(self._client, request, DEADLINE_S)
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code == 401:
            return await self._refused(access)
        self._tokens.taken(access)
        if answer.status_code == 403:
            return refusals.read_forbidden(answer) or answer
        return transport.read_status(answer) or answer

    async def ask(
        self, method: str, path: str, *, key: str | None = None, body: bytes | None = None
    ) -> Json:
        """For what moves no money: the object, or ProcessorError."""
        answer = await self.send(method, path, key=key, body=body)
        if not isinstance(answer, httpx.Response) or answer.status_code not in (200, 201):
            raise refusals.as_error(answer)
        return read_json(answer.content)

    def _request(
        self, method: str, path: str, access: Access, key: str | None, body: bytes | None
    ) -> httpx.Request:
        headers = {"Authorization": f"Bearer {access.token}", "Accept": "application/json"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Prefer": "return=representation"}
        if key is not None:
            headers["PayPal-Request-Id"] = key
        return self._client.build_request(
            method, self.base_url + path, content=body, headers=headers, timeout=self._timeouts
        )

    async def _refused(self, access: Access) -> NotSent:
        """401: PayPal did nothing. Whether the key is wrong, only a new token tells: PayPal may
        have ended the old one early, and that must not stop all charging."""
        ended_early = self._tokens.drop(access)
        renewed = await self._tokens.get()
        if isinstance(renewed, NotSent):
            return renewed
        if ended_early:
            detail = "PayPal ended the access token early (HTTP 401); there is a new one now"
            return NotSent(NotSentReason.NETWORK, detail)
        detail = "PayPal refuses an access token that it has just given (HTTP 401): check the app"
        return NotSent(NotSentReason.CREDENTIALS, detail)
