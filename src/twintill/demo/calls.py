"""Calls of the three APIs, as their users make them; an unexpected answer ends the story."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx

from twintill.demo.trouble import StoryBroken

_SHOWN = 600


def client(base_url: str, key: str) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=30, trust_env=False)


async def get(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    return _read(await client.get(path, params=query))


async def post(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> Any:
    """JSON, as Twintill and the processor take it; a repeated POST would change nothing."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    return _read(await client.post(path, json=body, headers=headers))


async def put(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> Any:
    return _read(await client.put(path, json=body))


async def post_form(client: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> Any:
    """A form with brackets, as Stripe takes it."""
    return _read(await client.post(path, data=_bracketed(body)))


async def delete(client: httpx.AsyncClient, path: str) -> Any:
    return _read(await client.delete(path))


async def silence(client: httpx.AsyncClient, event_type: str, events_path: str) -> None:
    """Of a sandbox: its next webhooks of that type are an hour late, its list of events is down."""
    late = {"kind": "webhook_delay", "types": [event_type], "delay_s": 3600, "times": 3}
    down = {"kind": "status", "code": 503, "body": {}}
    match = {"method": "GET", "path_regex": f"^{events_path}", "times": 3}
    await post(client, "/_sandbox/faults", late)
    await post(client, "/_sandbox/faults", {**down, "match": match})


async def rows(
    client: httpx.AsyncClient, path: str, cursor: str, **query: str
) -> AsyncIterator[Any]:
    """Every row of a list, page by page, as Stripe and the sandbox processor list."""
    after: dict[str, str] = {}
    while True:
        page = await get(client, path, limit="100", **query, **after)
        for row in page["data"]:
            yield row
        if not page["has_more"]:
            return
        after = {cursor: page["data"][-1]["id"]}


def _read(answer: httpx.Response) -> Any:
    if not answer.is_success:
        request = answer.request
        raise StoryBroken(
            f"{request.method} {request.url} answered {answer.status_code}: {answer.text[:_SHOWN]}"
        )
    return answer.json()


def _bracketed(value: Any, name: str = "") -> dict[str, str]:
    """{"items": [{"price": "p"}]} -> {"items[0][price]": "p"}"""
    if isinstance(value, Mapping):
        parts = [(f"{name}[{k}]" if name else str(k), v) for k, v in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = [(f"{name}[{n}]", v) for n, v in enumerate(value)]
    else:
        return {name: str(value).lower() if isinstance(value, bool) else str(value)}
    return {k: v for part, inner in parts for k, v in _bracketed(inner, part).items()}
