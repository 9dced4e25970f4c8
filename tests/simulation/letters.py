"""Webhooks on their way: signed, sent until they are answered 2xx, in no order, some twice; and
those that were never sent by whom they name, or that tell what is not so."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.simulation.faults import GIVES_UP_S
from tests.simulation.houses import SECRET
from twintill.flows.arrivals import STRIPE
from twintill.stripe_billing import signature

if TYPE_CHECKING:
    from tests.simulation.processor import Bank
    from tests.simulation.world import World
    from twintill.sandbox.processor.objects import Charge

FORGED = "forged"  # in the id of everything that no processor ever made
_TRIES = 60
DAY_S = 86_400.0


class Post:
    """`under_way`: letters that may still arrive."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.under_way: set[asyncio.Task[Any]] = set()
        self.held_until_s: dict[str, float] = {}  # what an object's events do not arrive before
        self.hurry = False  # what is sent just now arrives first of all
        self._delivered: list[tuple[str, bytes, dict[str, str]]] = []

    def send(self, source: str, body: str) -> None:
        deliver = self._deliver(source, body.encode(), express=self.hurry)
        letter = self._world.loop.create_task(deliver)
        self.under_way.add(letter)
        letter.add_done_callback(self.under_way.discard)

    async def _deliver(self, source: str, body: bytes, *, express: bool) -> None:
        world, lost = self._world, 0.0 if express else self._world.weather.lost_webhooks
        await asyncio.sleep(0.05 if express else world.rng.choice((0.05, 1.0, 1.0, 30.0)))
        for tries in range(_TRIES):
            copies = 2 if world.network.stormy(lost) else 1
            heard = False
            for _ in range(copies):
                if world.is_deaf or self._is_held(body) or world.network.stormy(lost):
                    continue  # our door never saw it
                headers = self._signed(source, body, SECRET)
                self._delivered.append((source, body, headers))
                answered = await world.web.take(source, body, headers)
                if answered < 300:
                    self._must_be_stored(body)
                heard = answered < 300 and not world.network.stormy(lost)
                world.dispatcher.stirred()
            if heard:
                if world.twin is not None:
                    world.deed(world.twin.take(source, body, headers))
                if source == STRIPE:
                    world.stripe.undelivered.discard(json.loads(body)["id"])
                return
            if world.is_deaf and world.weather.deaf_s == GIVES_UP_S:
                return
            await asyncio.sleep(min(10.0 * 2**tries, 6 * 3600) * world.rng.uniform(0.5, 1.5))

    def _is_held(self, body: bytes) -> bool:
        told = json.loads(body).get("data", {}).get("object", {}) if self.held_until_s else {}
        return self._world.loop.time() < self.held_until_s.get(str(told.get("id")), 0.0)

    def _must_be_stored(self, body: bytes) -> None:
        """Who has heard 2xx never sends it again."""
        told = json.loads(body)
        for event in told.get("events", [told]):
            stored = "SELECT 1 FROM inbox WHERE dedupe_key = $1"
            if not self._world.database.fetch(stored, event["id"]):
                self._world.trace.blame(f"{event['id']}: answered 2xx, and it is not stored")

    async def forge(self) -> None:
        """Somebody who knows our address, and neither the secret nor the time."""
        if not self._delivered:
            return
        source, body, headers = self._world.rng.choice(self._delivered)
        if self._world.rng.random() < 0.5 or not self._knows_its_age(source):
            headers = self._signed(source, body, "whsec_guessed")
            await self._must_be_refused(source, body, headers, "signed with another secret")
        else:
            await asyncio.sleep(2 * self._tolerance_s(source) + 300)
            await self._must_be_refused(source, body, headers, "sent again long after")

    async def tell_what_is_not_so(self, bank: Bank, charge: Charge) -> None:
        """Correctly signed, of another amount, another reference, or by another processor."""
        if bank.kind.own:
            await self.forge()
            return
        rng = self._world.rng
        told = charge.to_json() | {"status": "succeeded", "finality": "final"}
        told |= {"id": f"chg_{FORGED}_{rng.randrange(10**6)}", "decline": None}
        sender = bank.kind.name
        others = [b.kind.name for b in self._world.banks.values() if not b.kind.own]
        names = sorted({*others} - {sender})
        match rng.randrange(3):
            case 0:
                told["amount"] = charge.amount * 2 + 1
            case 2 if names:
                sender = rng.choice(names)
            case _:
                told["reference"] = f"{charge.reference}-{FORGED}"
        event = {
            "id": f"evt_{told['id']}",
            "type": "charge.succeeded",
            "created": self._now().isoformat(),
            "data": {"object": told},
        }
        body = json.dumps({"events": [event]}).encode()
        self._world.trace.say("forger", f"{sender} tells of {told['id']} {told['amount']}")
        await self._world.web.take(sender, body, self._signed(sender, body, SECRET))
        self._world.dispatcher.stirred()

    async def tell_of_a_method(self, bank: Bank, token: str) -> None:
        """Correctly signed, and long over, or never so: that it was revoked."""
        if bank.kind.own:
            await self.forge()
            return
        told = bank.book.methods[token].to_json() | {"status": "revoked"}
        event = {
            "id": f"evt_{FORGED}_{self._world.rng.randrange(10**6)}",
            "type": "method.revoked",
            "created": self._now().isoformat(),
            "data": {"object": told},
        }
        body = json.dumps({"events": [event]}).encode()
        sender = bank.kind.name
        self._world.trace.say("forger", f"{sender} tells that a method was revoked")
        await self._world.web.take(sender, body, self._signed(sender, body, SECRET))
        self._world.dispatcher.stirred()

    async def _must_be_refused(
        self, source: str, body: bytes, headers: dict[str, str], what: str
    ) -> None:
        answered = await self._world.web.take(source, body, headers)
        self._world.trace.say("forger", f"{source} {what}: {answered}")
        if answered < 300:
            self._world.trace.blame(f"a webhook of {source} was believed, {what}")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._world.loop.time(), UTC)

    def _signed(self, source: str, body: bytes, secret: str) -> dict[str, str]:
        now = self._now()
        if source == STRIPE:
            return {"stripe-signature": signature.sign(body, secret, now)}
        return self._world.banks[source].sign(body, secret, now)

    def _tolerance_s(self, source: str) -> float:
        return 3 * DAY_S if source == "paypal" else signature.TOLERANCE_S

    def _knows_its_age(self, source: str) -> bool:
        return source == STRIPE or self._world.banks[source].kind.signs_the_time
