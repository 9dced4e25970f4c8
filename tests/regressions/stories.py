"""What several of these stories share: workers that die, webhooks that come at a bad moment."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import select, update

from tests.flows.events import take_in
from tests.flows.world import PROCESSOR_ACCOUNT, PROCESSOR_KEY, SCOPE, World
from twintill.domain.outcomes import ChargeOutcome
from twintill.flows.look import look
from twintill.ids import new_id, payment_id
from twintill.processors import PreparedCharge, Processor
from twintill.store import clock, inbox
from twintill.store.tables import ledger_transactions
from twintill.store.tables import payments as payments_table

AUTHORIZED = {"authorization": f"Bearer {PROCESSOR_KEY}"}


async def opened(world: World, method: str = "card_ok", amount_minor: int = 4900) -> str:
    """An open invoice of a customer with this method, and its payment that is due."""
    customer_id = await world.customer(method)
    invoice_id = await world.invoice(customer_id, amount_minor)
    await world.open_payment(invoice_id, customer_id)
    return invoice_id


@dataclass(frozen=True)
class Meanwhile:
    """A processor like the real one; but something happens before its answer is heard."""

    real: Processor
    happens: Callable[[ChargeOutcome], Awaitable[None]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await self.real.charge(prepared)
        await self.happens(outcome)
        return outcome


def with_meanwhile(world: World, happens: Callable[[ChargeOutcome], Awaitable[None]]) -> World:
    odd = cast("Processor", Meanwhile(world.means.processors["sandbox"], happens))
    return replace(world, means=replace(world.means, processors={"sandbox": odd}))


async def dies_with_the_answer(world: World, invoice_id: str) -> None:
    """A worker charges, and is killed before it could write down what came of it."""

    async def killed(_: ChargeOutcome) -> None:
        raise asyncio.CancelledError

    with contextlib.suppress(asyncio.CancelledError):
        await look(with_meanwhile(world, killed).means, SCOPE, payment_id(SCOPE, invoice_id))
    async with world.db() as db:  # and a minute passes
        gone = clock.WALL - timedelta(seconds=1)
        await db.execute(update(payments_table).values(lease_until=gone))
    await world.advance(timedelta(minutes=1))


async def tell(world: World, event_type: str, charge: dict[str, Any], account: str = "") -> None:
    """The processor's webhook about a charge, as it would come, and its taking in."""
    event_id = new_id("pev")
    created = datetime.now(UTC).isoformat()
    event = {"id": event_id, "type": event_type, "created": created, "data": {"object": charge}}
    body = json.dumps({"events": [event]}).encode()
    source = f"sandbox:{account or PROCESSOR_ACCOUNT}"
    row = inbox.Event(event_id, event_type, str(charge["id"]))
    async with world.db() as db:
        await inbox.receive(db, [inbox.Delivery(SCOPE, source, {}, body, "verified", (row,))])
    await take_in(world)


async def its_charge(world: World, charge_id: str) -> dict[str, Any]:
    """The charge as the processor shows it."""
    answer = await world.processor.get(f"/v1/charges/{charge_id}", headers=AUTHORIZED)
    assert answer.is_success, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def sent(world: World) -> list[dict[str, Any]]:
    """Every request to charge that reached the processor, with its key."""
    seen = (await world.processor.get("/_sandbox/requests")).json()
    return [r for r in seen if (r["method"], r["path"]) == ("POST", "/v1/charges")]


async def told_stripe(world: World, invoice_id: str) -> list[tuple[str, str]]:
    """Method and path of what Stripe was asked about this invoice, in order."""
    seen = (await world.stripe.get("/_sandbox/requests")).json()["data"]
    return [(r["method"], r["path"]) for r in seen if invoice_id in r["path"]]


async def causes(world: World) -> list[str]:
    """What the ledger has booked, and why."""
    async with world.db() as db:
        return list((await db.execute(select(ledger_transactions.c.cause))).scalars())
