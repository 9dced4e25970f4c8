"""Talks to Acme Pay: each request once, each answer read with suspicion."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import (
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    LookUp,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.errors import (
    ProcessorRefused,
    ProcessorUnreachable,
    SignatureRefused,
    UnreadableEvent,
)
from twintill.money import Money
from twintill.processors import (
    Acknowledgement,
    Capabilities,
    ChargeRequest,
    EventKind,
    LookUpBy,
    MethodState,
    MethodStatus,
    PreparedCharge,
    ProcessorEvent,
    Search,
    SetupRequest,
    SetupResult,
    SetupSession,
    SetupStatus,
    StoredMethod,
    WebhookRequest,
    transport,
)
from twintill.processors.fields import (
    Json,
    Unreadable,
    list_of,
    object_of,
    read_json,
    text_of,
    time_of,
    whole_number_of,
)

# Acme counts these as Stripe does; of others nothing is known, so they are not sent.
CURRENCIES = frozenset(("EUR", "USD", "JPY"))
MOST = 99_999_999
# What its documents say of each code. One that is not here may be tried again.
KINDS = {
    "no_funds": DeclineKind.SOFT,
    "never": DeclineKind.HARD,
    "stolen": DeclineKind.FRAUD,
    "expired": DeclineKind.UPDATE_METHOD,
    "revoked": DeclineKind.REVOKED,
}
EVENTS = {
    "charge.approved": EventKind.CHARGE_APPROVED,
    "charge.declined": EventKind.CHARGE_DECLINED,
    "method.revoked": EventKind.METHOD_REVOKED,
}


class AcmePay:
    """Implements `twintill.processors.Processor`."""

    name = "acme"
    acknowledgement = Acknowledgement()
    capabilities = Capabilities(
        display_name="Acme Pay",
        method_kinds=("card",),
        key_window_s=24 * 3600,
        replays_first_answer=True,
        look_up=LookUpBy.REFERENCE,
        look_up_lag_s=0,
        reuses_reference_after_decline=True,
        can_cancel_pending=False,
        currencies=CURRENCIES,
    )

    def __init__(
        self,
        url: str,
        api_key: str,
        account_id: str,
        secrets: Sequence[str],
        client: httpx.AsyncClient | None = None,
        timeout_s: float = transport.READ_TIMEOUT_S,
    ) -> None:
        self.account_id = account_id
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._secrets = tuple(secrets)
        self._timeouts = transport.timeouts(timeout_s)
        self._owns_client = client is None
        self._client = client or httpx.AsyncClient()

    async def aclose(self) -> None:
        if self._owns_client:
            await self._client.aclose()

    # Charges: none of these raises.

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        amount = request.amount
        if amount.currency not in CURRENCIES or not 0 < amount.minor <= MOST:
            return NotSent(NotSentReason.CONFIG, f"Acme Pay does not charge {amount}.")
        order = {
            "reference": request.reference,
            "amount": amount.minor,
            "currency": amount.currency,
            "token": request.method.token,
        }
        body = json.dumps(order, sort_keys=True).encode()
        return PreparedCharge(request.reference, idempotency_key, body)

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        answer = await self._send("POST", "/charges", prepared.body, prepared.idempotency_key)
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 201:
            return NoAnswer(f"HTTP {answer.status_code}")  # no refusal of Acme's proves anything
        try:
            charge, sent = read_json(answer.content), read_json(prepared.body)
            for name in ("reference", "amount", "currency"):
                if charge.get(name) != sent[name]:
                    raise Unreadable(f"{name} is not what was sent")
            return read_charge(charge)
        except Unreadable as error:
            return NoAnswer(f"an answer that cannot be believed: {error}")

    async def find_charge(self, search: Search) -> LookUp:
        answer = await self._send("GET", f"/charges?reference={_quoted(search.reference)}")
        if not isinstance(answer, httpx.Response):
            return answer
        try:
            charges = list_of(read_json(answer.content), "charges")
            if any(charge["reference"] != search.reference for charge in charges):
                raise Unreadable("charges of another reference")
            outcomes = [read_charge(charge) for charge in charges]
        except (Unreadable, KeyError, TypeError) as error:
            return NoAnswer(f"a look-up that cannot be believed: {error}")
        if not outcomes:
            return NotFound()
        return next((one for one in outcomes if isinstance(one, Approved)), outcomes[-1])

    async def get_charge(self, processor_payment_id: str) -> LookUp:
        answer = await self._send("GET", f"/charges/{_quoted(processor_payment_id)}")
        if not isinstance(answer, httpx.Response):
            return answer
        if _says(answer, 404, "no_such_charge"):
            return NotFound()
        try:
            charge = read_json(answer.content)
            if charge.get("id") != processor_payment_id:
                raise Unreadable("another charge than was asked for")
            return read_charge(charge)
        except Unreadable as error:
            return NoAnswer(f"a look-up that cannot be believed: {error}")

    async def cancel_charge(self, processor_payment_id: str) -> LookUp:
        """Nothing is ever pending at Acme: what it came to is the answer."""
        return await self.get_charge(processor_payment_id)

    # The vault: raises ProcessorError.

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        body = {"customer": request.customer_reference, "back_to": request.return_url}
        answer = await self._ask(
            "POST", "/sessions", json.dumps(body).encode(), request.idempotency_key
        )
        session = read_json(answer.content)
        return SetupSession(text_of(session, "id"), text_of(session, "url"), None)

    async def get_setup(self, session_id: str) -> SetupResult:
        session = read_json((await self._ask("GET", f"/sessions/{_quoted(session_id)}")).content)
        if text_of(session, "status") != "complete":
            return SetupResult(SetupStatus.OPEN)
        method = object_of(session, "method")
        stored = StoredMethod(text_of(session, "customer"), text_of(method, "token"), "card")
        return SetupResult(SetupStatus.COMPLETE, stored, {"last4": text_of(method, "last4")})

    async def cancel_setup(self, session_id: str) -> None:
        """Acme forgets an open session by itself; nobody can take it back."""

    async def get_method(self, method: StoredMethod) -> MethodState:
        answer = await self._send("GET", f"/methods/{_quoted(method.token)}")
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if _says(answer, 404, "no_such_method"):
            return MethodState(MethodStatus.GONE)
        shown = read_json(answer.content)
        if shown.get("token") != method.token:
            raise Unreadable("another method than was asked for")
        return MethodState(
            MethodStatus(text_of(shown, "status")), {"last4": text_of(shown, "last4")}
        )

    async def revoke_method(self, method: StoredMethod) -> None:
        answer = await self._send("DELETE", f"/methods/{_quoted(method.token)}")
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if answer.status_code != 204 and not _says(answer, 404, "no_such_method"):
            raise ProcessorUnreachable(f"Acme Pay answered HTTP {answer.status_code}.")

    # Webhooks: verification fails closed; reading is pure.

    def verify_webhook(self, request: WebhookRequest) -> None:
        given = request.headers.get("acme-signature", "")
        for secret in self._secrets:
            expected = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
            if hmac.compare_digest(expected.encode(), given.encode()):
                return
        raise SignatureRefused("Acme Pay did not sign this.")

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        try:
            event = read_json(body)
            event_id, raw_type = text_of(event, "id"), text_of(event, "type")
            kind = EVENTS.get(raw_type, EventKind.IGNORED)
            told = _read_told(kind, event)
            return [ProcessorEvent(kind, event_id, raw_type, time_of(event, "at"), **told)]
        except Unreadable as error:
            raise UnreadableEvent(f"Acme Pay's webhook cannot be read: {error}") from None

    async def _send(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> httpx.Response | NotSent | NoAnswer:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        request = self._client.build_request(
            method, self._url + path, content=body, headers=headers, timeout=self._timeouts
        )
        answer = await transport.send_once(self._client, request)
        if isinstance(answer, httpx.Response):
            return transport.read_status(answer) or answer
        return answer

    async def _ask(
        self, method: str, path: str, body: bytes | None = None, key: str | None = None
    ) -> httpx.Response:
        answer = await self._send(method, path, body, key)
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if answer.status_code not in (200, 201):
            raise ProcessorRefused(f"Acme Pay answered HTTP {answer.status_code}.")
        return answer


def read_charge(charge: Json) -> Approved | Declined:
    """Raises Unreadable for anything that is not as documented."""
    charge_id, status = text_of(charge, "id"), text_of(charge, "status")
    currency = text_of(charge, "currency")
    if currency not in CURRENCIES:
        raise Unreadable("a currency that is not Acme's")
    amount = Money(whole_number_of(charge, "amount", MOST), currency)
    if status == "approved":
        return Approved(charge_id, amount)
    if status != "declined":
        raise Unreadable(f"unknown status {status[:40]!r}")
    code = text_of(charge, "code")
    kind = KINDS.get(code, DeclineKind.SOFT)
    return Declined(kind, code, processor_payment_id=charge_id)


def _read_told(kind: EventKind, event: Json) -> Mapping[str, Any]:
    if kind is EventKind.IGNORED:
        return {}
    if kind is EventKind.METHOD_REVOKED:
        return {"token": text_of(event, "token")}
    charge = object_of(event, "charge")
    return {
        "processor_payment_id": text_of(charge, "id"),
        "reference": text_of(charge, "reference"),
        "outcome": read_charge(charge),
    }


def _says(answer: httpx.Response, status: int, error: str) -> bool:
    """By Acme itself: a page of somebody on the way says nothing."""
    try:
        return answer.status_code == status and text_of(read_json(answer.content), "error") == error
    except Unreadable:
        return False


def _quoted(text: str) -> str:
    return quote(text, safe="")
