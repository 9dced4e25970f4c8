"""PayPal's list of the events of this app, for those that were never delivered.

Source: the Webhooks v1 reference, GET /v1/notifications/webhooks-events: thirty days back.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.processors.fields import Json, Unreadable, list_of, read_json, text_of
from twintill.processors.paypal.line import Line
from twintill.processors.paypal.refusals import could_not
from twintill.processors.paypal.transactions import Clock
from twintill.processors.reports import EventPage

_PATH = "/v1/notifications/webhooks-events"
_PAGE = 100
_MAX_QUERY = 2000


async def list_since(
    line: Line, since: datetime, after: str | None, clock: Clock | None
) -> EventPage | NoAnswer | NotSent:
    if after is None:
        after = f"page_size={_PAGE}&start_time={_time(since)}"
        if clock is not None:
            after += f"&end_time={_time(max(clock(), since + timedelta(minutes=1)))}"
    answer = await line.send("GET", f"{_PATH}?{after}")
    if not isinstance(answer, httpx.Response):
        return answer
    if answer.status_code != 200:
        return could_not(answer, "list PayPal's events")
    try:
        return read_page(answer.content)
    except Unreadable as error:
        return NoAnswer(f"a list that cannot be believed: {error}")


def read_page(body: bytes) -> EventPage:
    """Each event as its webhook would have brought it. Raises Unreadable."""
    page = read_json(body)
    events = list_of(page, "events")
    if not all(isinstance(event, dict) for event in events):
        raise Unreadable("an event is not an object")
    bodies = tuple(json.dumps(event, separators=(",", ":")).encode() for event in events)
    return EventPage(bodies, _following(page))


def _following(page: Json) -> str | None:
    """Only the question of the link is used, never its address: the key goes with it."""
    links = page.get("links") or []
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("rel") == "next":
            parts = urlsplit(text_of(link, "href"))
            if not parts.path.rstrip("/").endswith(_PATH) or not 0 < len(parts.query) <= _MAX_QUERY:
                raise Unreadable("a next page that is not of this list")
            return parts.query
    return None


def _time(moment: datetime) -> str:
    return quote(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), safe="")
