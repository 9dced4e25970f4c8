"""The user's app in tests: it listens, answers as it is told to, and remembers what it heard."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.flows.world import SCOPE, World
from twintill.flows import endpoints, outbound, tell
from twintill.flows.outbound import Outbound
from twintill.ids import new_id
from twintill.sandbox.serve import running
from twintill.store import outgoing
from twintill.store.clock import NOW
from twintill.store.tables import outgoing_deliveries


@dataclass
class Listener:
    """`status`: what it answers; `silent`: set, it answers nobody until it is cleared."""

    url: str = ""
    status: int = 204
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.let_go.set()

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.heard]

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append((dict(request.headers), body))
        self.heard.append(json.loads(body))
        await self.let_go.wait()
        return Response(self.body, self.status, self.headers)


@contextlib.asynccontextmanager
async def listening(kind: type[Listener] = Listener, **answer: Any) -> AsyncIterator[Listener]:
    listener = kind(**answer)
    async with running(Starlette(routes=[Route("/{p}", listener.hear, methods=["POST"])])) as url:
        listener.url = f"{url}/hook"
        try:
            yield listener
        finally:
            listener.let_go.set()


def told(world: World, **outbound: Any) -> World:
    """The same world, in which events are made, and addresses on this machine may be called."""
    its = Outbound(**{"allow_loopback": True, **outbound})
    return replace(world, means=replace(world.means, tells_app=True, outbound=its))


async def endpoint(world: World, url: str, *types: str) -> tuple[str, str]:
    """(id, secret)."""
    endpoint_id = new_id("we")
    means = world.means
    secret = await endpoints.add(means, SCOPE, endpoint_id, url=url, types=types or ("*",))
    assert secret is not None
    return endpoint_id, secret


async def happen(world: World, event_type: str = "payment.collected", n: int = 1) -> str:
    """The last one's id."""
    event_id = ""
    for _ in range(n):
        async with world.db() as db:
            data = {"id": "pay_1", "object": "payment"}
            event_id = await outgoing.add(db, SCOPE, event_type, "pay_1", data)
    return event_id


async def deliver(world: World, limit: int = 60) -> int:
    """Look at deliveries until none is due; how many looks it took."""
    c = outgoing_deliveries.c
    async with outbound.open_transport(world.means.outbound) as transport:
        for count in range(limit):
            async with world.db() as db:
                due = select(c.delivery_id).where(c.next_look_at <= NOW, c.ended_at.is_(None))
                found = (await db.execute(due.limit(1))).scalar_one_or_none()
            if found is None:
                return count
            await tell.look(world.means, SCOPE, found, transport)
    raise AssertionError("the deliveries never come to rest")


async def deliveries(world: World) -> list[Any]:
    async with world.db() as db:
        c = outgoing_deliveries.c
        return list(await db.execute(select(outgoing_deliveries).order_by(c.created_at)))
