"""Drafts in tests: a subscription's, a one-off's; rules for them, and the app that is asked."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tests.domain.test_drafting import RULE
from tests.flows.events import deliver, stripe_events
from tests.flows.listening import Listener, listening
from tests.flows.signing_up import price, work
from tests.flows.world import SCOPE, World
from twintill.domain.drafting import Hook, Rule, Then, Verb
from twintill.flows import draft_rules as flow
from twintill.flows import operations as operating
from twintill.flows import reviews as verbs
from twintill.flows.reviews import Deed
from twintill.ids import derived_id, new_id
from twintill.store import invoice_actions, operations, reviews
from twintill.store.reviews import Review

ADA, GRACE = "person:ada", "person:grace"
TYPES = ("invoice.created", "invoice.updated", "invoice.finalized", "invoice.paid")
ENDS = ("invoice.voided", "invoice.deleted")
A_RULE = replace(RULE, id="", place=0)


async def rule(world: World, **fields: Any) -> Rule:
    """Kept, by Ada."""
    made = replace(A_RULE, **{"id": new_id("drl"), **fields})
    await flow.add(world.means, SCOPE, made, ADA)
    return made


async def subscribed(world: World, customer_id: str, amount_minor: int = 4900) -> str:
    """A new subscription that somebody made in Stripe: its first invoice is a draft for an hour."""
    v1 = world.means.stripe.client.v1
    made = await v1.subscriptions.create_async(
        {
            "customer": customer_id,
            "items": [{"price": await price(world, amount_minor)}],
            "collection_method": "send_invoice",
            "days_until_due": 14,
        }
    )
    return str(made.latest_invoice)


async def one_off(world: World, customer_id: str, amount_minor: int = 4900) -> str:
    """A draft with one item that finalizes by itself."""
    v1 = world.means.stripe.client.v1
    made = await v1.invoices.create_async(
        {
            "customer": customer_id,
            "collection_method": "send_invoice",
            "days_until_due": 14,
            "currency": "eur",
            "auto_advance": True,
        }
    )
    await v1.invoice_items.create_async(
        {"customer": customer_id, "invoice": made.id, "amount": amount_minor, "currency": "eur"}
    )
    return str(made.id)


async def told(world: World, *types: str) -> None:
    """What Stripe would send, all of it (again); and workers do what follows."""
    await deliver(world, await stripe_events(world, *(types or (*TYPES, *ENDS))))
    await work(world)


async def draft(world: World, invoice_id: str) -> dict[str, Any]:
    raw: dict[str, Any] = (
        await world.means.stripe.client.v1.invoices.retrieve_async(invoice_id)
    ).to_dict(for_json=True)
    return raw


async def window(world: World, invoice_id: str) -> operations.Operation:
    async with world.db() as db:
        return await operations.read(db, SCOPE, derived_id("dwn", SCOPE, invoice_id))


async def review(world: World, invoice_id: str) -> Review | None:
    async with world.db() as db:
        return await reviews.find(db, SCOPE, invoice_id)


async def queued(world: World, invoice_id: str) -> Review:
    found = await review(world, invoice_id)
    assert found is not None
    return found


async def deeds(world: World, invoice_id: str) -> list[tuple[str, str]]:
    """(Who, what), the oldest first."""
    async with world.db() as db:
        rows = await invoice_actions.of_invoice(db, SCOPE, invoice_id)
    return [(row.actor.partition("_")[0], row.action) for row in rows]


async def held_by_hand(world: World, invoice_id: str, by: str = ADA) -> str:
    """Begun, and walked to its end; the operation."""
    operation_id = new_id("dee")
    await verbs.hold(world.means, SCOPE, operation_id, invoice_id, by=by, why="let me look")
    await operating.look(world.means, SCOPE, operation_id)
    return operation_id


async def do(world: World, invoice_id: str, verb: Verb, by: str = ADA, **more: Any) -> None:
    """As a door does it. Raises what it is refused with."""
    operation_id = await asked(world, invoice_id, verb, by, **more)
    await operating.drive(world.means, SCOPE, operation_id)
    async with world.db() as db:
        verbs.require_done(await operations.read(db, SCOPE, operation_id))


async def asked(world: World, invoice_id: str, verb: Verb, by: str = ADA, **more: Any) -> str:
    operation_id = new_id("dee")
    await verbs.begin(world.means, SCOPE, operation_id, invoice_id, Deed(verb, by, **more))
    return operation_id


async def approve(world: World, invoice_id: str, by: str = GRACE) -> None:
    await verbs.approve(world.means, SCOPE, new_id("act"), invoice_id, by=by)


@dataclass
class App(Listener):
    """Answers about the invoice that it is asked about; `otherwise`: what it says instead."""

    says: Mapping[str, Any] = field(default_factory=dict)
    otherwise: str | None = None
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, request: Request) -> Response:
        self.came.set()
        await super().hear(request)
        about = self.heard[-1]["data"]["invoice"]
        said = json.dumps({"invoice": about, **self.says})
        return Response(self.otherwise or said, self.status, self.headers)


@contextlib.asynccontextmanager
async def asking(world: World, **fields: Any) -> AsyncIterator[App]:
    """A rule whose hook is this app, while the block runs."""
    timeout_s = fields.pop("timeout_s", 5)
    async with listening(kind=App, status=200, says={"then": "proceed"}) as app:
        assert isinstance(app, App)
        await rule(world, then=Then.ASK, hook=Hook(app.url, timeout_s), **fields)
        yield app
