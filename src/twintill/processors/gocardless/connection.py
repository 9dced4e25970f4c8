"""Requests to GoCardless, each once, and what their answers say before they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent, NotSentReason
from twintill.errors import ProcessorError, ProcessorRefused, ProcessorUnreachable
from twintill.processors import transport
from twintill.processors.fields import Json
from twintill.processors.gocardless import answers, refusals

VERSION = "2015-07-06"
PAGE = 500
# Of one look: together they stay below the deadline of a single request.
MOST_PAGES = 200
LOOK_S = 30.0


@dataclass(frozen=True, slots=True)
class Gone(NoAnswer):
    """There was such a list, and GoCardless does not show it any more."""


class Connection:
    """One pooled client; `trust_env`: whether the machine's proxy may stand between."""

    def __init__(
        self,
        base_url: str,
        access_token: str,
        client: httpx.AsyncClient | None,
        timeout_s: float,
        *,
        trust_env: bool,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {access_token}",
            "GoCardless-Version": VERSION,
            "Accept": "application/json",
        }
        self._timeouts = transport.timeouts(timeout_s)
        self._owns_client = client is None
        self._client = client or httpx.AsyncClient(trust_env=trust_env)

    async def aclose(self) -> None:
        if self._owns_client:
            await self._client.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        key: str | None = None,
        body: bytes | None = None,
    ) -> httpx.Response | NotSent | NoAnswer:
        """A response comes back where it succeeded, or where its refusal has to be read."""
        headers = dict(self._headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(
            method,
            self._base_url + path,
            params=params,
            content=body,
            headers=headers,
            timeout=self._timeouts,
        )
        answer = await transport.send_once(self._client, request)
        if isinstance(answer, httpx.Response):
            return refusals.read_status(answer) or answer
        return answer

    async def get(self, what: str, its_id: str) -> Json | NotSent | NoAnswer | None:
        """One object; None: GoCardless says that there is none. Raises Unreadable."""
        answer = await self.send("GET", f"/{what}/{quoted(its_id)}")
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code == 200:
            return answers.read_one(answer.content, what, its_id)
        refusal = refusals.read_refusal(answer)
        if refusal is not None and refusal.not_found:
            return None
        return _not_shown(what, answer)

    async def page(
        self, what: str, params: Mapping[str, str], after: str | None = None
    ) -> answers.Page | NotSent | NoAnswer:
        """Newest first. Raises Unreadable."""
        asked = {"limit": str(PAGE), **params}
        if after is not None:
            asked["after"] = after
        answer = await self.send("GET", f"/{what}", params=asked)
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 200:
            return _not_shown(what, answer)
        return answers.read_page(answer.content, what)

    async def all(self, what: str, params: Mapping[str, str]) -> list[Json] | NotSent | NoAnswer:
        """Every page of a list, or nothing at all. Raises Unreadable."""
        rows: list[Json] = []
        after: str | None = None
        try:
            async with asyncio.timeout(LOOK_S):
                for _ in range(MOST_PAGES):
                    page = await self.page(what, params, after)
                    if not isinstance(page, answers.Page):
                        return page
                    rows += page.rows
                    if page.following is None:
                        return rows
                    if page.following == after:
                        return NoAnswer(f"the list of {what} does not go on")
                    after = page.following
        except TimeoutError:
            return NoAnswer(f"the list of {what} could not be read within {LOOK_S:g} s")
        return NoAnswer(f"the list of {what} has more than {MOST_PAGES} pages")

    async def ask(
        self, method: str, path: str, *, key: str | None = None, body: bytes | None = None
    ) -> httpx.Response:
        """For what moves no money: a response that the caller reads. Raises ProcessorError."""
        answer = await self.send(method, path, key=key, body=body)
        if not isinstance(answer, httpx.Response):
            raise as_error(answer)
        return answer

    async def need(self, what: str, its_id: str) -> Json:
        """The object. Raises ProcessorError."""
        found = await self.get(what, its_id)
        if isinstance(found, NotSent | NoAnswer):
            raise as_error(found)
        if found is None:
            raise ProcessorRefused(f"GoCardless knows no such {what}: {its_id}.", code="not_found")
        return found


def as_error(outcome: NotSent | NoAnswer) -> ProcessorError:
    if isinstance(outcome, NotSent) and outcome.reason is NotSentReason.CONFIG:
        return ProcessorRefused(f"GoCardless refused: {outcome.detail}", code="config")
    return transport.as_error(outcome)


def refused(answer: httpx.Response) -> ProcessorError:
    """Only what says that it is a refusal is one."""
    refusal = refusals.read_refusal(answer)
    if answer.status_code < 400 or refusal is None:
        return ProcessorUnreachable(f"GoCardless answered HTTP {answer.status_code}.")
    told = refusals.general(refusal)
    code = "not_found" if refusal.not_found else next(iter(sorted(refusal.reasons)), refusal.type)
    return ProcessorRefused(f"GoCardless refused: {told.detail}", code=code or None)


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def quoted(text: str) -> str:
    return quote(text, safe="")


def _not_shown(what: str, answer: httpx.Response) -> NotSent | NoAnswer:
    refusal = refusals.read_refusal(answer)
    if refusal is not None and answer.status_code == 410:
        return Gone(refusal.detail)
    if refusal is None:
        return NoAnswer(f"could not ask for {what}: HTTP {answer.status_code}")
    return refusals.general(refusal)
