"""A wallet is stored in two steps: a setup token that the customer approves, then a payment token.

Source: the Payment Method Tokens v3 reference. PayPal has no way to cancel a setup token, and does
not tell that a customer went back; one that nobody approves ends by itself.
"""

from __future__ import annotations

import uuid
from urllib.parse import quote

import httpx

from twintill.errors import ProcessorRefused
from twintill.processors import (
    MethodState,
    MethodStatus,
    SetupRequest,
    SetupResult,
    SetupSession,
    SetupStatus,
    StoredMethod,
)
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    read_json,
    text_of,
    words_of,
)
from twintill.processors.paypal import refusals, requests
from twintill.processors.paypal.line import Line

KIND = "wallet"
_NAMESPACE = uuid.UUID("1c0a3e46-6c5d-5b0e-9d52-4f9f3a2f7c11")
_TOKENS = "/v3/vault/payment-tokens"
_SETUPS = "/v3/vault/setup-tokens"
_OPEN = frozenset(("CREATED", "PAYER_ACTION_REQUIRED"))
# Made of a setup token before: PayPal keeps our request's id for three hours only.
_MADE = frozenset(("VAULTED", "TOKENIZED"))
_ALREADY_MADE = frozenset(("SETUP_TOKEN_ALREADY_TOKENIZED", "PAYPAL_REQUEST_ID_PREVIOUSLY_USED"))
_METHOD_ENDS = {
    "TOKEN_EXPIRED": MethodStatus.EXPIRED,
    "AGREEMENT_ALREADY_CANCELLED": MethodStatus.REVOKED,
    "BILLING_AGREEMENT_NOT_FOUND": MethodStatus.REVOKED,
    "TOKEN_ID_NOT_FOUND": MethodStatus.GONE,
}


async def start(line: Line, request: SetupRequest) -> SetupSession:
    body = requests.setup_body(request)
    setup = await line.ask("POST", _SETUPS, key=request.idempotency_key, body=body)
    return SetupSession(text_of(setup, "id"), _approve_link(setup), None)


async def get(line: Line, session_id: str) -> SetupResult:
    """Also makes the payment token of one that was approved; a repeat finds the same."""
    answer = await line.send("GET", f"{_SETUPS}/{quote(session_id, safe='')}")
    if not isinstance(answer, httpx.Response):
        raise refusals.as_error(answer)
    if refusals.is_missing(answer):
        return SetupResult(SetupStatus.EXPIRED)
    if answer.status_code != 200:
        raise refusals.as_error(answer)
    setup = _answer_of(answer, session_id)
    status = text_of(setup, "status")
    if status in _OPEN:
        return SetupResult(SetupStatus.OPEN)
    if status in _MADE:
        made = await _made_before(line, setup)
        return made or await _make(line, session_id, setup)
    if status == "APPROVED":
        return await _make(line, session_id, setup)
    raise Unreadable(f"unknown status of a setup token {status[:40]!r}")


async def state_of(line: Line, method: StoredMethod) -> MethodState:
    answer = await line.send("GET", f"{_TOKENS}/{quote(method.token, safe='')}")
    if not isinstance(answer, httpx.Response):
        raise refusals.as_error(answer)
    if refusals.is_missing(answer):
        return MethodState(MethodStatus.GONE)
    ended = _METHOD_ENDS.get(refusals.read_problem(answer.content).code)
    if answer.status_code == 422 and ended is not None:
        return MethodState(ended)
    if answer.status_code != 200:
        raise refusals.as_error(answer)
    return MethodState(MethodStatus.ACTIVE, display_of(_answer_of(answer, method.token)))


async def revoke(line: Line, method: StoredMethod) -> None:
    """What is not there is dropped already."""
    answer = await line.send("DELETE", f"{_TOKENS}/{quote(method.token, safe='')}")
    if isinstance(answer, httpx.Response):
        if answer.status_code in (200, 204) or refusals.is_missing(answer):
            return
        if refusals.read_problem(answer.content).code in _METHOD_ENDS:
            return
    raise refusals.as_error(answer)


def display_of(token: Json) -> dict[str, str]:
    """For people: the wallet, its e-mail address masked."""
    wallet = object_of(object_of(token, "payment_source"), "paypal")
    display = {"brand": "paypal"}
    email = masked(words_of(wallet, "email_address"))
    return display | ({"email": email} if email else {})


def masked(email: str) -> str:
    """ "jane.doe@example.com" as "j***@example.com"; empty where it is no address."""
    name, at, host = email.rpartition("@")
    return f"{name[0]}***{at}{host}"[:120] if name and host else ""


def _answer_of(answer: httpx.Response, its_id: str) -> Json:
    """Raises Unreadable for another object than was asked for."""
    fields = read_json(answer.content)
    if fields.get("id") != its_id:
        raise Unreadable("another object than was asked for")
    return fields


async def _make(line: Line, session_id: str, setup: Json) -> SetupResult:
    key = str(uuid.uuid5(_NAMESPACE, f"{line.base_url}\x1f{session_id}"))
    answer = await line.send("POST", _TOKENS, key=key, body=requests.token_body(session_id))
    if isinstance(answer, httpx.Response):
        if answer.status_code in (200, 201):
            return _complete(read_json(answer.content))
        if refusals.read_problem(answer.content).code in _ALREADY_MADE:
            made = await _made_before(line, setup)
            if made is not None:
                return made
            raise ProcessorRefused(
                "PayPal has made a payment token of this set-up, and does not say which of the "
                "customer's it is: let the customer set up the wallet once more.",
                code="setup_lost",
            )
    raise refusals.as_error(answer)


async def _made_before(line: Line, setup: Json) -> SetupResult | None:
    """The customer's only token; of several nobody can say which this set-up made."""
    customer = words_of(object_of(setup, "customer"), "id") if setup.get("customer") else ""
    if not customer:
        return None
    page = await line.ask("GET", f"{_TOKENS}?customer_id={quote(customer, safe='')}&page_size=5")
    tokens = list_of(page, "payment_tokens")
    if len(tokens) != 1 or not isinstance(tokens[0], dict):
        return None
    return _complete(tokens[0])


def _complete(token: Json) -> SetupResult:
    customer = text_of(object_of(token, "customer"), "id")
    method = StoredMethod(customer, text_of(token, "id"), KIND)
    return SetupResult(SetupStatus.COMPLETE, method, display_of(token))


def _approve_link(setup: Json) -> str:
    for link in list_of(setup, "links"):
        if isinstance(link, dict) and link.get("rel") == "approve":
            href = text_of(link, "href")
            if href.startswith(("https://", "http://")):
                return href
    raise Unreadable("a setup token without a link for the customer")
