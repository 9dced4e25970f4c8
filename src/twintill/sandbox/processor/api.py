"""The API for merchants, under /v1, with a bearer key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from twintill.sandbox.processor import charging, giving_back, setups
from twintill.sandbox.processor.engine import Sandbox
from twintill.sandbox.processor.idempotency import Answer
from twintill.sandbox.processor.magic import Line
from twintill.sandbox.processor.objects import Charge, Movement
from twintill.sandbox.processor.refusals import Refusal, not_found
from twintill.sandbox.processor.requests import (
    ChargeBody,
    Here,
    Key,
    NeverAnswers,
    RefundBody,
    SetupBody,
    base_url,
    fingerprint,
    page_of,
    require_key,
    respond,
)

router = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/account")
async def get_account(sandbox: Here) -> dict[str, Any]:
    """Who the key belongs to, and how many decimal places each supported currency has here."""
    return {
        "object": "account",
        "id": sandbox.settings.account_id,
        "exponents": sandbox.world.dialect.exponents,
    }


@router.post("/setup_sessions", status_code=201)
async def start_setup(
    request: Request, body: SetupBody, sandbox: Here, key: Key = None
) -> Response:
    now = await sandbox.catch_up()

    async def act() -> Answer:
        order = setups.SetupOrder(**body.model_dump())
        session = setups.start_setup(sandbox.world, order, base_url(request), now)
        return Answer(201, session.to_json())

    return respond(await sandbox.keys.act_once(key, await fingerprint(request), now, act))


@router.get("/setup_sessions/{session_id}")
async def get_setup(session_id: str, sandbox: Here) -> dict[str, Any]:
    await sandbox.catch_up()
    return sandbox.world.session(session_id).to_json()


@router.post("/setup_sessions/{session_id}/cancel")
async def cancel_setup(session_id: str, sandbox: Here) -> dict[str, Any]:
    now = await sandbox.catch_up()
    return setups.cancel_setup(sandbox.world, session_id, now).to_json()


@router.get("/methods/{token}")
async def get_method(token: str, sandbox: Here) -> dict[str, Any]:
    await sandbox.catch_up()
    return sandbox.world.method(token).to_json()


@router.delete("/methods/{token}", status_code=204)
async def revoke_method(token: str, sandbox: Here) -> None:
    setups.revoke_method(sandbox.world, token, by="merchant", now=await sandbox.catch_up())


@router.post("/charges", status_code=201)
async def create_charge(
    request: Request, body: ChargeBody, sandbox: Here, key: Key = None
) -> Response:
    """201 with the charge, or 402 with the declined charge."""
    now, era = await sandbox.catch_up(), sandbox.world.era
    line = _line(sandbox, body.token)
    if line is Line.LOST_BEFORE and key and _gets_lost(sandbox, body.token, key):
        return NeverAnswers()

    async def act() -> Answer:
        if line is Line.SLOW:
            await asyncio.sleep(sandbox.settings.slow_answer_s)
        if sandbox.world.era != era:
            raise Refusal(409, "reset", "The sandbox forgot everything meanwhile.")
        order = charging.Order(**body.model_dump())
        acted_at = await sandbox.catch_up()
        charge = charging.create_charge(sandbox.world, order, base_url(request), acted_at)
        return _answer(charge, line)

    answer = await sandbox.keys.act_once(key, await fingerprint(request), now, act)
    if line is Line.LOST_AFTER and not answer.replayed:
        return NeverAnswers()
    return respond(answer)


@router.get("/charges")
async def list_charges(
    sandbox: Here, reference: str | None = None, after: str | None = None, limit: Limit = 20
) -> dict[str, Any]:
    """Oldest first; with `reference`, only those that carry it."""
    await sandbox.catch_up()
    world = sandbox.world
    rows = list(world.charges.values())
    if reference is not None:
        rows = list(world.by_reference.get(reference, ()))
    return page_of(rows, after, _most(sandbox, limit))


@router.get("/charges/{charge_id}")
async def get_charge(charge_id: str, sandbox: Here) -> dict[str, Any]:
    await sandbox.catch_up()
    return sandbox.world.charge(charge_id).to_json()


@router.post("/charges/{charge_id}/cancel")
async def cancel_charge(charge_id: str, sandbox: Here) -> dict[str, Any]:
    now = await sandbox.catch_up()
    return charging.cancel_charge(sandbox.world, charge_id, now).to_json()


@router.post("/charges/{charge_id}/refunds", status_code=201)
async def refund_charge(
    request: Request, charge_id: str, body: RefundBody, sandbox: Here, key: Key = None
) -> Response:
    now = await sandbox.catch_up()

    async def act() -> Answer:
        refund = giving_back.refund_charge(
            sandbox.world, charge_id, body.amount, body.reference, now
        )
        return Answer(201, refund.to_json())

    return respond(await sandbox.keys.act_once(key, await fingerprint(request), now, act))


@router.get("/refunds")
async def list_refunds(
    sandbox: Here,
    charge: str | None = None,
    reference: str | None = None,
    created_since: AwareDatetime | None = None,
    after: str | None = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """Oldest first."""
    await sandbox.catch_up()
    rows = [
        refund
        for refund in sandbox.world.refunds.values()
        if charge in (None, refund.charge)
        and reference in (None, refund.reference)
        and (created_since is None or refund.created >= created_since)
    ]
    return page_of(rows, after, _most(sandbox, limit))


@router.get("/refunds/{refund_id}")
async def get_refund(refund_id: str, sandbox: Here) -> dict[str, Any]:
    await sandbox.catch_up()
    return sandbox.world.refund(refund_id).to_json()


@router.get("/disputes")
async def list_disputes(
    sandbox: Here,
    charge: str | None = None,
    opened_since: AwareDatetime | None = None,
    after: str | None = None,
    limit: Limit = 20,
) -> dict[str, Any]:
    """Oldest first."""
    await sandbox.catch_up()
    rows = [
        dispute
        for dispute in sandbox.world.disputes.values()
        if charge in (None, dispute.charge)
        and (opened_since is None or dispute.created >= opened_since)
    ]
    return page_of(rows, after, _most(sandbox, limit))


@router.get("/disputes/{dispute_id}")
async def get_dispute(dispute_id: str, sandbox: Here) -> dict[str, Any]:
    return sandbox.world.dispute(dispute_id).to_json()


@router.get("/transactions")
async def list_transactions(
    sandbox: Here,
    type: str | None = None,
    payout: str | None = None,
    created_from: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """The book: every movement of money, oldest first."""
    await sandbox.catch_up()
    rows = [
        row
        for row in _lines(sandbox, payout)
        if type in (None, row.type)
        and (created_from is None or row.created >= created_from)
        and (created_before is None or row.created < created_before)
    ]
    return page_of(rows, after, _most(sandbox, limit))


@router.get("/payouts")
async def list_payouts(
    sandbox: Here, after: str | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """What was sent to the merchant's bank, oldest first; transactions say what it consists of."""
    await sandbox.catch_up()
    return page_of(list(sandbox.world.payouts.values()), after, _most(sandbox, limit))


@router.get("/balance")
async def get_balance(sandbox: Here) -> dict[str, Any]:
    await sandbox.catch_up()
    sums = sorted(sandbox.world.balances().items())
    return {
        "object": "balance",
        "balances": [{"currency": currency, "amount": amount} for currency, amount in sums],
    }


@router.get("/events")
async def list_events(
    sandbox: Here,
    created_since: AwareDatetime | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> dict[str, Any]:
    """Everything that was, or should have been, delivered by webhook; oldest first."""
    await sandbox.catch_up()
    rows = [
        event
        for event in sandbox.world.events
        if created_since is None or event.created >= created_since
    ]
    return page_of(rows, after, _most(sandbox, limit))


def _most(sandbox: Sandbox, limit: int) -> int:
    return min(limit, sandbox.settings.most_per_page)


def _lines(sandbox: Sandbox, payout_id: str | None) -> Sequence[Movement]:
    if payout_id is None:
        return sandbox.world.book
    payout = sandbox.world.payouts.get(payout_id)
    if payout is None:
        raise not_found("payout", payout_id)
    return payout.lines


def _line(sandbox: Sandbox, token: str) -> Line:
    method = sandbox.world.methods.get(token)
    return method.magic.line if method else Line.CLEAR


def _gets_lost(sandbox: Sandbox, token: str, key: str) -> bool:
    """Once per key: the same request sent again arrives."""
    lost_keys = sandbox.world.method(token).lost_keys
    if key in lost_keys:
        return False
    lost_keys.add(key)
    return True


def _answer(charge: Charge, line: Line) -> Answer:
    if line is Line.ERROR_AFTER:
        error = {"code": "internal_error", "message": "Something went wrong."}
        return Answer(500, {"error": error})
    return Answer(402 if charge.status == "declined" else 201, charge.to_json())
