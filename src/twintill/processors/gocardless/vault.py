"""Mandates at GoCardless: asked for on its own page, read and cancelled. Raise ProcessorError."""

from __future__ import annotations

import httpx

from twintill.domain.outcomes import NoAnswer, NotSent
from twintill.errors import ProcessorRefused
from twintill.processors import (
    MethodState,
    MethodStatus,
    SetupRequest,
    SetupResult,
    SetupSession,
    SetupStatus,
)
from twintill.processors.fields import Json, text_of
from twintill.processors.gocardless import answers, refusals, requests, setups
from twintill.processors.gocardless.connection import Connection, as_error, quoted, refused
from twintill.processors.gocardless.currencies import SCHEMES


async def start_setup(at: Connection, request: SetupRequest, creditor_id: str) -> SetupSession:
    """The same key comes to the same billing request, each time with a new page for it."""
    if request.currency not in SCHEMES:
        offered = ", ".join(sorted(SCHEMES))
        raise ProcessorRefused(
            f"GoCardless collects no {request.currency}: only {offered}.",
            code="currency_not_offered",
        )
    body = requests.billing_request(request, creditor_id)
    answer = await at.ask("POST", "/billing_requests", key=request.idempotency_key, body=body)
    session_id = _made(answer)
    flow = requests.billing_request_flow(request, session_id)
    answer = await at.ask("POST", "/billing_request_flows", body=flow)
    if answer.status_code != 201:
        raise refused(answer)
    shown = answers.read_one(answer.content, "billing_request_flows")
    return setups.read_session(shown, session_id)


async def get_setup(at: Connection, session_id: str) -> SetupResult:
    """The page fulfils it by itself: it is complete also when the browser never came back."""
    asked = await at.need("billing_requests", session_id)
    status = setups.read_setup_status(asked)
    if status is not SetupStatus.COMPLETE:
        return SetupResult(status)
    method = setups.read_setup_method(asked)
    mandate = await at.need("mandates", method.token)
    return SetupResult(status, method, setups.read_display(mandate, await _account(at, mandate)))


async def cancel_setup(at: Connection, session_id: str) -> None:
    """One that is cancelled, or gone, is; of one that is fulfilled there is a mandate."""
    path = f"/billing_requests/{quoted(session_id)}/actions/cancel"
    answer = await at.ask("POST", path)
    if answer.status_code == 200:
        return
    refusal = refusals.read_refusal(answer)
    if refusal is not None and refusal.not_found:
        return
    too_late = refusal is not None and refusal.type == "invalid_state"
    if not too_late or not await _is_canceled(at, session_id):
        raise refused(answer)


async def get_method(at: Connection, token: str) -> MethodState:
    mandate = await at.get("mandates", token)
    if isinstance(mandate, NotSent | NoAnswer):
        raise as_error(mandate)
    if mandate is None:
        return MethodState(MethodStatus.GONE)
    return setups.read_method(mandate, await _account(at, mandate))


async def revoke_method(at: Connection, token: str) -> None:
    """It cancels what is pending on it, too: the engine waits for that before it asks."""
    answer = await at.ask("POST", f"/mandates/{quoted(token)}/actions/cancel")
    if answer.status_code == 200:
        return
    refusal = refusals.read_refusal(answer)
    if refusal is not None and refusal.not_found:
        return
    too_late = refusal is not None and refusals.CANCELLATION_FAILED in refusal.reasons
    if not too_late or (await get_method(at, token)).status is MethodStatus.ACTIVE:
        raise refused(answer)


def _made(answer: httpx.Response) -> str:
    """The id of what was made now, or under the same key before."""
    if answer.status_code == 201:
        return text_of(answers.read_one(answer.content, "billing_requests"), "id")
    refusal = refusals.read_refusal(answer)
    if refusal is None or refusal.conflicting_id is None:
        raise refused(answer)
    return refusal.conflicting_id


async def _is_canceled(at: Connection, session_id: str) -> bool:
    asked = await at.need("billing_requests", session_id)
    return setups.read_setup_status(asked) is SetupStatus.CANCELED


async def _account(at: Connection, mandate: Json) -> Json | None:
    account_id = setups.bank_account_of(mandate)
    return None if account_id is None else await at.need("customer_bank_accounts", account_id)
