"""The sandbox's switches, under /_sandbox: faults, time, hosted payments, what happened.

POST   /_sandbox/tick          returns when everything due is done and every webhook was tried
POST   /_sandbox/clock         {"advance_s": 3600}, where the clock can be moved; then a tick
POST   /_sandbox/faults        a fault (see faults.py)      GET, DELETE  the faults in force
POST   /_sandbox/pay_hosted    {"invoice": "in_...", "outcome": "succeed"}
                               or "processing", and later "confirm" or "fail"
GET    /_sandbox/requests      the calls to /v1 so far      DELETE       forget them
GET    /_sandbox/deliveries    each event's deliveries and their attempts
GET    /_sandbox/state         everything the sandbox knows
POST   /_sandbox/reset         an empty account; {"keep_webhook_endpoints": true} keeps those
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from twintill.sandbox.clock import ManualClock
from twintill.sandbox.stripe import settling
from twintill.sandbox.stripe.asgi import Receive, Scope, Send, read_body, send_json
from twintill.sandbox.stripe.faults import BadFault
from twintill.sandbox.stripe.refusal import Refusal
from twintill.sandbox.stripe.world import Json, Moment

if TYPE_CHECKING:
    from twintill.sandbox.stripe.app import StripeSandbox

Switch = Callable[["StripeSandbox", Any], Awaitable[Any]]


async def answer(sandbox: StripeSandbox, scope: Scope, receive: Receive, send: Send) -> None:
    raw = await read_body(receive)
    switch = _SWITCHES.get((scope["method"], scope["path"].removeprefix("/_sandbox/")))
    if switch is None:
        known = sorted(f"{method} /_sandbox/{path}" for method, path in _SWITCHES)
        error = {"message": f"No such switch; there are {', '.join(known)}."}
        await send_json(send, 404, {"error": error})
        return
    try:
        result = await switch(sandbox, json.loads(raw) if raw else {})
    except Refusal as refusal:
        await send_json(send, refusal.status, refusal.body())
    except (BadFault, ValueError, KeyError, TypeError) as error:
        await send_json(send, 400, {"error": {"message": f"{type(error).__name__}: {error}"}})
    else:
        await send_json(send, 200, result)


async def tick(sandbox: StripeSandbox, _given: Any) -> Json:
    await sandbox.engine.tick()
    return {"now": await _now(sandbox)}


async def move_clock(sandbox: StripeSandbox, given: Any) -> Json:
    if not isinstance(sandbox.clock, ManualClock):
        raise Refusal("This sandbox's clock is not its own to move.")
    sandbox.clock.advance(given["advance_s"])
    return await tick(sandbox, given)


async def add_fault(sandbox: StripeSandbox, given: Any) -> Json:
    return asdict(sandbox.faults.add(given))


async def list_faults(sandbox: StripeSandbox, _given: Any) -> Json:
    return {"data": sandbox.faults.listing()}


async def clear_faults(sandbox: StripeSandbox, _given: Any) -> Json:
    sandbox.postman.release(sandbox.faults.clear())
    return {"data": []}


async def pay_hosted(sandbox: StripeSandbox, given: Any) -> Json:
    """What the customer does on Stripe's hosted invoice page, and what the bank says later."""
    world, outcome = sandbox.world, given.get("outcome", "succeed")
    invoice = world.find("invoice", given["invoice"])
    moment = world.moment_of(invoice["customer"], Moment(await _now(sandbox)))
    if invoice["status"] not in ("open", "uncollectible"):
        raise Refusal(f"The invoice is {invoice['status']}; its page takes no payment.")
    if (outcome in ("confirm", "fail")) != settling.is_processing(world, invoice):
        raise Refusal(f"'{outcome}' does not fit: is a payment of this invoice processing?")
    payment, intent = settling.default_payment(world, invoice)
    if outcome in ("succeed", "confirm"):
        settling.payment_succeeded(world, invoice, payment, moment)
    elif outcome == "processing":
        settling.start_processing(world, intent, "pm_sepa_debit", moment)
    elif outcome == "fail":
        settling.payment_failed(world, invoice, moment)
    else:
        raise Refusal("outcome must be succeed, processing, confirm or fail")
    sandbox.engine.wake()
    return invoice


async def list_requests(sandbox: StripeSandbox, _given: Any) -> Json:
    return {"data": [asdict(call) for call in sandbox.calls]}


async def forget_requests(sandbox: StripeSandbox, _given: Any) -> Json:
    sandbox.calls.clear()
    return {"data": []}


async def list_deliveries(sandbox: StripeSandbox, _given: Any) -> Json:
    events = sandbox.world.all("event")
    return {
        "data": [
            {**asdict(delivery), "type": events[event_id]["type"]}
            for event_id, deliveries in sandbox.world.outbox.by_event.items()
            for delivery in deliveries
        ]
    }


async def show_state(sandbox: StripeSandbox, _given: Any) -> Json:
    world = sandbox.world
    agenda = [
        {"clock": clock_id, "at": due.at, "kind": due.kind, "id": due.id}
        for clock_id, due in world.agenda.entries()
    ]
    tables = {kind: list(table.values()) for kind, table in world.tables.items()}
    return {"now": await _now(sandbox), "objects": tables, "agenda": agenda}


async def reset(sandbox: StripeSandbox, given: Any) -> Json:
    sandbox.reset(keep_webhook_endpoints=bool(given.get("keep_webhook_endpoints")))
    return {"now": await _now(sandbox)}


async def _now(sandbox: StripeSandbox) -> int:
    return int((await sandbox.clock.now()).timestamp())


_SWITCHES: dict[tuple[str, str], Switch] = {
    ("POST", "tick"): tick,
    ("POST", "clock"): move_clock,
    ("POST", "faults"): add_fault,
    ("GET", "faults"): list_faults,
    ("DELETE", "faults"): clear_faults,
    ("POST", "pay_hosted"): pay_hosted,
    ("GET", "requests"): list_requests,
    ("DELETE", "requests"): forget_requests,
    ("GET", "deliveries"): list_deliveries,
    ("GET", "state"): show_state,
    ("POST", "reset"): reset,
}
