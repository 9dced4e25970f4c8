"""What is going on when a process dies: how it begins, and what others do meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.crash.stage import Stage
from tests.flows import signing_up
from tests.flows.events import EPOCH
from tests.flows.world import SCOPE
from twintill.store import api_keys, inbox

_AGAIN_S = 0.03


@dataclass(frozen=True, slots=True)
class Case:
    """`prepare` sets the scene; `stir` is what others do while the process runs, until they are
    content: a sender of webhooks wants 2xx, a caller his answer."""

    name: str
    role: str  # who is killed: worker, web
    about: str
    prepare: Callable[[Stage], Awaitable[Any]]
    stir: Callable[[Stage, Any], Awaitable[None]] | None = None
    webhooks: bool = False
    blind: bool = False
    since: str = ""  # only points from the first one on whose name holds this ...
    until: str = ""  # ... and before the first one that holds this
    charges: int = 1
    reported: int = 1
    refunded: int = 0


async def _finalized(stage: Stage) -> None:
    """Stripe's event of a finalized invoice lies in the inbox."""
    world = stage.world
    customer_id = await world.customer()
    await world.invoice(customer_id)
    [event] = await world.means.stripe.list_events(EPOCH, ("invoice.finalized",))
    row = inbox.Event(event["id"], event["type"], event["data"]["object"]["id"])
    delivery = inbox.Delivery(SCOPE, "stripe", {}, json.dumps(event).encode(), "new", (row,))
    async with world.db() as db:
        await inbox.receive(db, [delivery])


async def _charged_unanswered(stage: Stage) -> None:
    """The processor has charged; its answer was lost. It is asked for after five seconds."""
    await _in_doubt(stage, "reset_after")


async def _lost_on_its_way(stage: Stage) -> None:
    """The request never reached the processor, but nobody can know that."""
    await _in_doubt(stage, "reset_before")


async def _in_doubt(stage: Stage, fault: str) -> None:
    world = stage.world
    await world.break_processor("^/v1/charges$", fault)
    await world.collect(await world.customer())
    await stage.passes(10)


async def _stranded(stage: Stage) -> None:
    """Collected; the report did not get through, then the invoice was voided: it is given back."""
    world = stage.world
    customer_id = await world.customer()
    invoice_id = await world.invoice(customer_id)
    await world.open_payment(invoice_id, customer_id)
    await world.break_stripe(f"/v1/invoices/{invoice_id}/pay$", "status", code=500, times=3)
    await world.work()
    await world.means.stripe.void(invoice_id, key=f"void-{invoice_id}")
    await stage.passes(60)
    await world.work()
    await stage.passes(world.means.policy.refund_pause.total_seconds() + 1)


async def _customer(stage: Stage) -> str:
    return await stage.world.customer()


async def _finalize(stage: Stage, customer_id: str) -> None:
    """Stripe sends its event until the door says 2xx."""
    await stage.world.invoice(customer_id)
    await all_delivered(stage)


async def all_delivered(stage: Stage) -> None:
    """The door has said 2xx to every event that Stripe sends."""
    while True:
        told = (await stage.world.stripe.get("/_sandbox/deliveries")).json()["data"]
        ours = [d for d in told if d["type"] == "invoice.finalized"]
        if ours and all(d["state"] == "delivered" for d in ours):
            return
        await asyncio.sleep(_AGAIN_S)


async def _debit_under_way(stage: Stage) -> None:
    """A bank debit was accepted; days later the processor will say that it succeeded."""
    world = stage.world
    await world.collect(await world.customer("debit_ok"))


async def _debit_succeeds(stage: Stage, _prepared: Any) -> None:
    await stage.passes(2.1 * 86400)
    while True:
        log = (await stage.world.processor.get("/_sandbox/deliveries")).json()
        heard = {t for d in log if d["status"] in (200, 204) for t in d["types"]}
        if "charge.succeeded" in heard:
            return
        await asyncio.sleep(_AGAIN_S)


async def _shop(stage: Stage) -> dict[str, Any]:
    async with stage.world.db() as db:
        _, secret = await api_keys.create(db, SCOPE, "crash", ("read", "collect"))
    params = {
        "customer": {"email": "ada@example.com"},
        "items": [{"price": await signing_up.price(stage.world)}],
        "success_url": "https://app.example/welcome",
        "cancel_url": "https://app.example/pricing",
    }
    headers = {"authorization": f"Bearer {secret}", "idempotency-key": "signup-1"}
    return {"params": params, "headers": headers}


async def _sign_up(stage: Stage, shop: dict[str, Any]) -> None:
    """The user's app asks, and asks again under the same key until it is told."""
    answer = await _ask_until(
        stage, "POST", "/v1/signups", 201, json=shop["params"], headers=shop["headers"]
    )
    signup_id = answer.json()["id"]
    shown = await signing_up.show(stage.world, signup_id)
    assert shown.state == "checkout_open", shown.state


async def _at_the_processor(stage: Stage) -> str:
    """The customer has chosen a method on the processor's page, and is about to come back."""
    signup_id = await signing_up.sign_up(stage.world)
    checkout = await signing_up.its_checkout(stage.world, signup_id)
    await signing_up.choose(stage.world, checkout.id)
    return checkout.id


async def _come_back(stage: Stage, checkout_id: str) -> None:
    """The browser follows the processor's redirect; the customer presses reload on an error."""
    await _ask_until(stage, "GET", f"/checkout/{checkout_id}/return", 303)


async def _ask_until(
    stage: Stage, method: str, path: str, status: int, **request: Any
) -> httpx.Response:
    async with httpx.AsyncClient(base_url=stage.web_url, trust_env=False, timeout=15) as client:
        while True:
            try:
                answer = await client.request(method, path, **request)
            except httpx.TransportError:
                await asyncio.sleep(_AGAIN_S)
                continue
            if answer.status_code == status:
                return answer
            assert answer.status_code in (409, 500, 502, 503), answer.text
            await asyncio.sleep(_AGAIN_S)


CASES = (
    Case(
        "collect",
        "worker",
        "an event taken in, the invoice charged and reported, the user's app told",
        _finalized,
    ),
    Case(
        "collect-blind",
        "worker",
        "the same at a processor that offers no look-up: the same key is sent again",
        _finalized,
        blind=True,
        since="processor: POST /v1/charges",
        until="user's app",
    ),
    Case(
        "ask",
        "worker",
        "a charge whose answer was lost is looked up, and reported",
        _charged_unanswered,
        since="UPDATE payments lease_until",
        until="user's app",
    ),
    Case(
        "replay",
        "worker",
        "a request that was lost is sent again under its key, and reported",
        _lost_on_its_way,
        since="UPDATE payments lease_until",
        until="user's app",
    ),
    Case(
        "refund",
        "worker",
        "money of an invoice that was voided meanwhile goes back by itself",
        _stranded,
        since="UPDATE payments lease_until",
        reported=0,
        refunded=1,
    ),
    Case(
        "refund-blind",
        "worker",
        "the same at a processor that offers no look-up",
        _stranded,
        since="processor: POST /v1/charges",
        until="user's app",
        blind=True,
        reported=0,
        refunded=1,
    ),
    Case(
        "stripe-webhook",
        "web",
        "Stripe's delivery, sent again until it is answered 2xx",
        _customer,
        _finalize,
        webhooks=True,
    ),
    Case(
        "processor-webhook",
        "web",
        "the processor's delivery: an accepted debit succeeded",
        _debit_under_way,
        _debit_succeeds,
        webhooks=True,
    ),
    Case(
        "sign-up",
        "web",
        "POST /v1/signups, asked again under its Idempotency-Key",
        _shop,
        _sign_up,
        charges=0,
        reported=0,
    ),
    Case(
        "checkout",
        "web",
        "the customer comes back from the processor; the first invoice is collected",
        _at_the_processor,
        _come_back,
    ),
)
