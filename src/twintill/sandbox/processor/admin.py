"""Behind the stage, under /_sandbox: faults, ticks, logs, and what customers and banks do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from twintill.sandbox.clock import ManualClock
from twintill.sandbox.processor import charging, giving_back, setups
from twintill.sandbox.processor.objects import iso
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.requests import Here, sandbox_of

router = APIRouter(prefix="/_sandbox")
Json = dict[str, Any]
Order = Annotated[Json, Body()]


@router.post("/setup_sessions/{session_id}/complete")
async def complete_setup(session_id: str, sandbox: Here, body: Order) -> Json:
    """As the form of the page, without a browser: {"method": "card_ok"}."""
    now = await sandbox.catch_up()
    return setups.complete_setup(sandbox.world, session_id, str(body.get("method")), now).to_json()


@router.post("/methods", status_code=201)
async def create_method(sandbox: Here, body: Order) -> Json:
    """A method without a set-up: {"method": "card_ok", "customer": "pcus_..."}."""
    now = await sandbox.catch_up()
    customer = str(body.get("customer") or sandbox.world.new_id("pcus"))
    return setups.create_method(sandbox.world, customer, str(body.get("method")), now).to_json()


@router.post("/methods/{token}/revoke_by_customer")
async def revoke_by_customer(token: str, sandbox: Here) -> Json:
    now = await sandbox.catch_up()
    return setups.revoke_method(sandbox.world, token, by="customer", now=now).to_json()


@router.post("/methods/{token}/expire")
async def expire_method(token: str, sandbox: Here) -> Json:
    now = await sandbox.catch_up()
    return setups.withdraw_method(sandbox.world, token, "expired", now).to_json()


@router.post("/methods/{token}/block")
async def block_method(token: str, sandbox: Here) -> Json:
    """What a bank does; `restore` is its change of mind."""
    now = await sandbox.catch_up()
    return setups.withdraw_method(sandbox.world, token, "blocked", now).to_json()


@router.post("/methods/{token}/restore")
async def restore_method(token: str, sandbox: Here) -> Json:
    now = await sandbox.catch_up()
    return setups.withdraw_method(sandbox.world, token, "active", now).to_json()


@router.post("/charges/{charge_id}/act")
async def act_as_customer(charge_id: str, sandbox: Here, body: Order) -> Json:
    """What the customer does on the action page: {"approve": true}."""
    now = await sandbox.catch_up()
    approved = body.get("approve") is True
    return charging.resolve_action(sandbox.world, charge_id, now, approved=approved).to_json()


@router.post("/charges/{charge_id}/fail_late")
async def fail_late(charge_id: str, sandbox: Here) -> Json:
    charging.fail_late(sandbox.world, charge_id, await sandbox.catch_up())
    return sandbox.world.charge(charge_id).to_json()


@router.post("/charges/{charge_id}/approve_late")
async def approve_late(charge_id: str, sandbox: Here) -> Json:
    """A decline becomes an approval after all."""
    charging.approve_late(sandbox.world, charge_id, await sandbox.catch_up())
    return sandbox.world.charge(charge_id).to_json()


@router.post("/charges/{charge_id}/dispute", status_code=201)
async def open_dispute(charge_id: str, sandbox: Here, body: Order | None = None) -> Json:
    now = await sandbox.catch_up()
    wish = body or {}
    amount, reason = wish.get("amount"), str(wish.get("reason", "fraudulent"))
    withheld = wish.get("withheld", True) is True
    return giving_back.open_dispute(
        sandbox.world, charge_id, amount, reason, now, withheld=withheld
    ).to_json()


@router.post("/disputes/{dispute_id}/withhold")
async def withhold(dispute_id: str, sandbox: Here) -> Json:
    """The bank takes the money later: for one that was opened with {"withheld": false}."""
    return giving_back.withhold(sandbox.world, dispute_id, await sandbox.catch_up()).to_json()


@router.post("/disputes/{dispute_id}/review")
async def review_dispute(dispute_id: str, sandbox: Here) -> Json:
    now = await sandbox.catch_up()
    return giving_back.review_dispute(sandbox.world, dispute_id, now).to_json()


@router.post("/disputes/{dispute_id}/resolve")
async def resolve_dispute(dispute_id: str, sandbox: Here, body: Order) -> Json:
    """{"outcome": "won"}, "lost" or "accepted", seen from the merchant."""
    now = await sandbox.catch_up()
    outcome = str(body.get("outcome"))
    return giving_back.resolve_dispute(sandbox.world, dispute_id, outcome, now).to_json()


@router.post("/webhook_endpoints", status_code=201)
async def add_endpoint(sandbox: Here, body: Order) -> Json:
    try:
        endpoint = sandbox.deliveries.add_endpoint(
            str(body.get("url") or ""), str(body.get("secret") or "")
        )
    except ValueError as error:
        raise Refusal(400, "invalid_request", str(error)) from None
    return {"id": endpoint.id, "url": endpoint.url}


@router.delete("/webhook_endpoints", status_code=204)
async def remove_endpoints(sandbox: Here) -> None:
    sandbox.deliveries.endpoints.clear()


@router.post("/faults", status_code=201)
async def add_fault(sandbox: Here, body: Order) -> Json:
    try:
        return asdict(sandbox.faults.add(body))
    except (ValueError, TypeError) as error:
        raise Refusal(400, "invalid_request", str(error)) from None


@router.get("/faults")
async def list_faults(sandbox: Here) -> list[Json]:
    return sandbox.faults.to_json()


@router.delete("/faults", status_code=204)
async def clear_faults(sandbox: Here) -> None:
    sandbox.faults.clear()
    sandbox.deliveries.release_held()


@router.get("/requests")
async def list_requests(request: Request) -> list[Json]:
    """Every call of the API, oldest first, also those that were never answered."""
    logged: list[Json] = request.app.state.request_log.to_json()
    return logged


@router.get("/deliveries")
async def list_deliveries(sandbox: Here) -> list[Json]:
    return [asdict(attempt) for attempt in sandbox.deliveries.log]


@router.get("/state")
async def get_state(sandbox: Here) -> Json:
    now, world = await sandbox.catch_up(), sandbox.world
    return {
        "now": iso(now),
        "setup_sessions": [session.to_json() for session in world.sessions.values()],
        "methods": [method.to_json() for method in world.methods.values()],
        "charges": [charge.to_json() for charge in world.charges.values()],
        "refunds": [refund.to_json() for refund in world.refunds.values()],
        "disputes": [dispute.to_json() for dispute in world.disputes.values()],
        "transactions": [movement.to_json() for movement in world.book],
        "balances": world.balances(),
        "faults": sandbox.faults.to_json(),
        "webhook_endpoints": [endpoint.url for endpoint in sandbox.deliveries.endpoints],
    }


@router.post("/tick")
async def tick(sandbox: Here) -> Json:
    """Returns when everything that is due has happened, and its webhooks were tried once."""
    return {"now": iso(await sandbox.tick())}


@router.post("/clock")
async def advance_clock(sandbox: Here, body: Order) -> Json:
    """{"advance_s": 3600}; only for a clock that stands still."""
    if not isinstance(sandbox.clock, ManualClock):
        raise Refusal(409, "not_a_manual_clock", "This sandbox does not own its clock.")
    sandbox.clock.advance(float(body.get("advance_s", 0)))
    return {"now": iso(await sandbox.tick())}


@router.post("/reset", status_code=204)
async def reset(request: Request) -> None:
    await sandbox_of(request).forget()
    request.app.state.request_log.forget()
