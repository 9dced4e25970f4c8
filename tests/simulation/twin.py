"""A second copy of Twintill by mistake: its own database, the same Stripe, the same keys.

Whoever writes its mark second sees the first one's and stops: noticed, parked, never two charges.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.simulation.dispatcher import Dispatcher
from tests.simulation.houses import LOST, SCOPE, VAULT, House, MachineClock, WebHouse, WorkerHouse
from twintill.domain.invoice import InvoiceStatus
from twintill.ids import payment_id
from twintill.store import methods, mirror

if TYPE_CHECKING:
    from tests.simulation.database import SimDatabase
    from tests.simulation.invoice import Invoice
    from tests.simulation.world import World

INSTALLATION = "hijklmn2"
_TRIES = 5


class Twin:
    """`database`: what it knows; everything else is as in the world that it stands in."""

    def __init__(self, world: World) -> None:
        self.database = world.database.twin()
        self._outside = replace(
            world.outside,
            database=self.database,
            stripe=world.stripe.seen_by(INSTALLATION),
            installation_id=INSTALLATION,
        )
        clock = MachineClock(world.loop, 0, 0)
        self._web = WebHouse(self._outside, "twin-web", clock)
        self._office = House(self._outside, "twin-office")
        self._worker = WorkerHouse(self._outside, "twin-worker", world.transport)
        self._dispatcher = Dispatcher(self._outside, world.network, world.rng)
        self.houses = (self._web, self._office, self._worker, self._dispatcher.house)
        self._outside.start(self._worker.process, self._work())

    async def take(self, source: str, body: bytes, headers: dict[str, str]) -> None:
        """Stripe and the processors know its address, too."""
        for _ in range(_TRIES):
            if await self._web.take(source, body, headers) < 300:
                break
            await asyncio.sleep(30)
        self._dispatcher.stirred()

    async def add_method(self, new: methods.NewMethod) -> None:
        try:
            async with self._office.means.database.begin() as db:
                await mirror.add_customer(db, SCOPE, new.customer_id)
                await methods.add(db, VAULT, SCOPE, new)
        except LOST:
            self._outside.trace.say("twin", f"a method of {new.customer_id} was lost")

    async def _work(self) -> None:
        while True:
            bell = await self._dispatcher.next()
            await self._worker.answer(bell)
            self._dispatcher.stirred()


def check(world: World, twin: Twin) -> None:
    """Between the two copies everything is known, and somebody was told that there are two."""
    for invoice in world.stripe.invoices.values():
        _check_invoice(world, twin, invoice)


def _check_invoice(world: World, twin: Twin, invoice: Invoice) -> None:
    both = (world.database, twin.database)
    rows = [
        row
        for database in both
        for row in database.fetch("SELECT * FROM payments WHERE invoice_id = $1", invoice.id)
    ]
    payment = payment_id(SCOPE, invoice.id)  # the same in both
    attempts = [a for database in both for a in _of(database, "attempts", payment)]
    receipts = [r for database in both for r in _of(database, "receipts", payment)]
    parked = [row["parked_why"] for row in rows if row["parked_at"] is not None]
    approved = {a["reference"] for a in attempts if a["outcome"] == "approved"}
    for _, charge in world.rules.of(invoice.id):
        if charge.status == "succeeded" and charge.reference not in approved and not parked:
            world.trace.blame(f"{invoice.id}: {charge.id} was taken, and neither copy knows")
    told, booked = invoice.told_minor, sum(r["reported_minor"] for r in receipts)
    if booked not in (told, told + invoice.paid_by_hand_minor) and not parked:
        world.trace.blame(f"{invoice.id}: Stripe was told {told}, both books say {booked}")
    marks = {name.split("_")[1] for name in invoice.metadata if name.count("_") == 2}
    two = {INSTALLATION, world.outside.installation_id} <= marks
    noticed = any("installation" in why for why in parked)
    if two and invoice.status is InvoiceStatus.OPEN and not noticed:
        world.trace.blame(f"{invoice.id}: two copies meant to charge it, and nobody noticed")


def _of(database: SimDatabase, table: str, payment: str) -> list[Any]:
    sql = f"SELECT * FROM {table} WHERE payment_id = $1"
    return list(database.fetch(sql, payment))
