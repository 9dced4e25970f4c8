"""Watching from between the two sides: at no moment can both of them charge for one debt.

After every request that changes something, and before anybody hears its answer, both books are
read as they are then.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.flows.world import SCOPE, World
from twintill.ids import reference
from twintill.stripe_billing.marks import HANDED
from twintill.stripe_billing.switching import REPLACES

N = range(1, 5)  # more than any invoice here is tried
_ALIVE = ("pending", "requires_action", "succeeded")


@dataclass
class OneSide:
    """`both`: what was seen that must not be."""

    world: World | None = None
    moments: int = 0
    both: list[str] = field(default_factory=list)

    def watch(self, app: Any) -> Any:
        async def watched(scope: Any, receive: Any, send: Any) -> None:
            changes = scope["type"] == "http" and scope["method"] in ("POST", "DELETE")
            if self.world is None or not changes or scope["path"].startswith("/_sandbox"):
                await app(scope, receive, send)
                return
            answer: list[Any] = []

            async def keep(message: Any) -> None:
                answer.append(message)

            await app(scope, receive, keep)
            await self._look(self.world, f"{scope['method']} {scope['path']}")
            for message in answer:
                await send(message)

        return watched

    async def _look(self, world: World, after: str) -> None:
        self.moments += 1
        stripe = (await world.stripe.get("/_sandbox/state")).json()["objects"]
        charges = (await world.processor.get("/_sandbox/state")).json()["charges"]
        said = [wrong for debt in _debts(stripe, charges) if (wrong := debt.wrong)]
        self.both += [f"{after}: {wrong}" for wrong in said]


@dataclass
class _Debt:
    """An invoice, and the one that was issued in its place."""

    invoices: list[dict[str, Any]] = field(default_factory=list)
    stripes: list[str] = field(default_factory=list)  # its payments there, by status
    ours: list[str] = field(default_factory=list)  # its charges that live

    @property
    def wrong(self) -> str:
        open_ones = [i for i in self.invoices if i["status"] == "open"]
        waits = any(_stripe_charges(i) for i in open_ones)
        handed = any(HANDED in i["metadata"] for i in open_ones)
        if len(open_ones) > 1:
            return f"two invoices to pay: {[i['id'] for i in open_ones]}"
        if len(self.ours) + self.stripes.count("succeeded") > 1:
            return f"charged twice: {self.ours}, {self.stripes}"
        if self.ours and (waits or handed or "processing" in self.stripes):
            return f"ours: {self.ours}, Stripe's: {self.stripes}, may charge: {waits or handed}"
        return ""


def _stripe_charges(invoice: dict[str, Any]) -> bool:
    """By itself, and again after a decline."""
    return bool(invoice["collection_method"] == "charge_automatically" and invoice["auto_advance"])


def _debts(stripe: Any, charges: Iterable[dict[str, Any]]) -> list[_Debt]:
    debts: dict[str, _Debt] = defaultdict(_Debt)
    of = {i["id"]: i["metadata"].get(REPLACES) or i["id"] for i in stripe.get("invoice", [])}
    for invoice in stripe.get("invoice", []):
        debts[of[invoice["id"]]].invoices.append(invoice)
    intents = {i["id"]: i["status"] for i in stripe.get("payment_intent", [])}
    for paid in stripe.get("invoice_payment", []):
        status = intents.get(paid["payment"].get("payment_intent"), paid["status"])
        debts[of[paid["invoice"]]].stripes.append(status)
    whose = {reference(SCOPE, i, "charge", n): i for i in of for n in N}
    for charge in charges:
        if charge["status"] in _ALIVE and charge["reference"] in whose:
            debts[of[whose[charge["reference"]]]].ours.append(charge["id"])
    return list(debts.values())
