"""Feeding a world's inbox: the sandboxes' real events, as their webhooks would bring them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from tests.flows.world import SCOPE, World
from twintill.flows import intake
from twintill.store import inbox
from twintill.store.clock import NOW
from twintill.store.tables import inbox as inbox_table

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)


async def stripe_events(world: World, *types: str) -> list[dict[str, Any]]:
    """What Stripe would send, oldest first."""
    return list(reversed(await world.means.stripe.list_events(EPOCH, types)))


async def deliver(world: World, events: Sequence[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Bring them in this order and take them in; the verdict and note of each new one."""
    before = await _last_id(world)
    for event in events:
        row = inbox.Event(event["id"], event["type"], str(event["data"]["object"].get("id")))
        body = json.dumps(event).encode()
        async with world.db() as db:
            delivery = inbox.Delivery(SCOPE, "stripe", {}, body, "new", (row,))
            await inbox.receive(db, [delivery])
    await take_in(world)
    async with world.db() as db:
        c = inbox_table.c
        query = select(c.state, c.note).where(c.inbox_id > before).order_by(c.inbox_id)
        return [(row.state, row.note) for row in await db.execute(query)]


async def take_in(world: World) -> None:
    """Look at every inbox row that is due."""
    c = inbox_table.c
    async with world.db() as db:
        due = await db.execute(
            select(c.inbox_id).where(
                c.next_look_at <= NOW, c.ended_at.is_(None), c.parked_at.is_(None)
            )
        )
        found = list(due.scalars())
    for inbox_id in found:
        await intake.look(world.means, SCOPE, inbox_id)


async def _last_id(world: World) -> int:
    async with world.db() as db:
        found = await db.execute(select(inbox_table.c.inbox_id).order_by(inbox_table.c.inbox_id))
        return max(found.scalars(), default=0)
