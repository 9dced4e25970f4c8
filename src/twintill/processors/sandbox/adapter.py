"""Talks to the sandbox processor: each request once, each answer read with suspicion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import (
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
    ProcessorError,
    ProcessorRefused,
    ProcessorUnreachable,
    SettingsError,
)
from twintill.processors import (
    Acknowledgement,
    Capabilities,
    ChargeRequest,
    DisputePage,
    LookUpBy,
    MethodState,
    MethodStatus,
    PreparedCharge,
    PreparedRefund,
    ProcessorEvent,
    RefundPage,
    RefundRequest,
    Search,
    SeenDispute,
    SeenRefund,
    SetupRequest,
    SetupResult,
    SetupSession,
    StoredMethod,
    Tells,
    WebhookRequest,
    transport,
)
from twintill.processors.fields import Json, Unreadable, read_json
from twintill.processors.reports import EventPage, SettlementPage
from twintill.processors.sandbox import answers, reports, requests, webhooks
from twintill.processors.sandbox.currencies import EXPONENTS

Rows = TypeVar("Rows")
# Refusals that prove that nothing was done, under this key or any other.
_DID_NOTHING = frozenset(
    (
        "amount_out_of_range",
        "currency_not_supported",
        "idempotency_key_required",
        "idempotency_key_too_long",
        "invalid_request",
    )
)


# Refusals of a refund that say what the charge is, whatever was sent before.
_NOT_GIVEN_BACK = frozenset(("charge_disputed", "not_refundable", "refund_exceeds_charge"))


class SandboxProcessor:
    """Implements `twintill.processors.Processor`."""

    name = "sandbox"
    acknowledgement = Acknowledgement()
    capabilities = Capabilities(
        display_name="Sandbox processor",
        method_kinds=("card", "wallet", "bank_debit"),
        key_window_s=24 * 3600,
        replays_first_answer=True,
        look_up=LookUpBy.REFERENCE,
        look_up_lag_s=0,
        reuses_reference_after_decline=True,
        can_cancel_pending=True,
        tells=Tells.EITHER,
        final_after_days=30,
        currencies=frozenset(EXPONENTS),
    )

    def __init__(
        self,
        base_url: str,
        api_key: str,
        webhook_secrets: tuple[str, ...],
        account_id: str,
        client: httpx.AsyncClient | None = None,
        timeout_s: float = transport.READ_TIMEOUT_S,
    ) -> None:
        """A `client` that is given stays the caller's to close."""
        _require("base URL", [base_url], "http://127.0.0.1:12112")
        _require("API key", [api_key], "sandbox_key_123")
        _require("account id", [account_id], "acct_sandbox")
        _require("webhook secret", webhook_secrets, "whsec_123")
        if not base_url.startswith(("http://", "https://")):
            raise SettingsError("The sandbox processor's base URL must begin with http(s)://")
        self.account_id = account_id
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._webhook_secrets = tuple(webhook_secrets)
        self._timeouts = transport.timeouts(timeout_s)
        self._owns_client = client is None
        # A proxy of the machine has no business between it and its own sandbox.
        self._client = client or httpx.AsyncClient(trust_env=False)

    async def aclose(self) -> None:
        if self._owns_client:
            await self._client.aclose()

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        return requests.prepare(request, idempotency_key)

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        answer = await self._send(
            "POST", "/v1/charges", key=prepared.idempotency_key, body=prepared.body
        )
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code not in (201, 402):
            return _read_refusal(answer)
        try:
            outcome = answers.read_charge_of(answer.content, prepared.body)
        except Unreadable as error:
            return NoAnswer(f"HTTP {answer.status_code} that cannot be believed: {error}")
        if isinstance(outcome, Declined) != (answer.status_code == 402):
            return NoAnswer(f"HTTP {answer.status_code} contradicts its own body")
        return outcome

    async def find_charge(self, search: Search) -> LookUp:
        reference = search.reference
        query = f"/v1/charges?limit=100&reference={quote(reference, safe='')}"
        answer = await self._send("GET", query)
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 200:
            return _read_refusal(answer)
        try:
            return answers.choose_charge(answer.content, reference)
        except Unreadable as error:
            return NoAnswer(f"a look-up that cannot be believed: {error}")

    async def get_charge(self, processor_payment_id: str) -> LookUp:
        answer = await self._send("GET", _charge_path(processor_payment_id))
        return _read_state(answer, processor_payment_id)

    async def cancel_charge(self, processor_payment_id: str) -> LookUp:
        answer = await self._send("POST", f"{_charge_path(processor_payment_id)}/cancel")
        if isinstance(answer, httpx.Response) and answer.status_code == 409:
            # Too late to cancel: what it came to instead is the answer.
            return await self.get_charge(processor_payment_id)
        return _read_state(answer, processor_payment_id)

    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        return requests.prepare_refund(request, idempotency_key)

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        charge_id = prepared.processor_payment_id
        path = f"{_charge_path(charge_id)}/refunds"
        answer = await self._send("POST", path, key=prepared.idempotency_key, body=prepared.body)
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 201:
            return _read_refund_refusal(answer)
        try:
            return answers.read_refund_of(answer.content, charge_id, prepared.body)
        except Unreadable as error:
            return NoAnswer(f"HTTP 201 that cannot be believed: {error}")

    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        def read(body: bytes) -> tuple[SeenRefund, ...]:
            return answers.read_refunds(body, processor_payment_id)

        return await self._list("refunds", f"charge={_quoted(processor_payment_id)}", read)

    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        query = f"created_since={_quoted(made_since.isoformat())}{_behind(after)}"
        return await self._list("refunds", query, answers.read_recent_refunds)

    async def get_dispute(self, dispute_id: str) -> SeenDispute | NotFound | NoAnswer | NotSent:
        answer = await self._send("GET", f"/v1/disputes/{_quoted(dispute_id)}")
        if not isinstance(answer, httpx.Response):
            return answer
        if _is_not_found(answer):
            return NotFound()
        if answer.status_code != 200:
            return NoAnswer(f"could not ask for the dispute: HTTP {answer.status_code}")
        try:
            return answers.read_dispute(read_json(answer.content))
        except Unreadable as error:
            return NoAnswer(f"a dispute that cannot be believed: {error}")

    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        query = f"opened_since={_quoted(opened_since.isoformat())}{_behind(after)}"
        return await self._list("disputes", query, answers.read_disputes)

    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        query = f"created_since={_quoted(since.isoformat())}{_behind(after)}"
        return await self._list("events", query, reports.read_events)

    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        query = f"created_from={_quoted(since.isoformat())}{_behind(after)}"
        return await self._list("transactions", query, reports.read_settlements)

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        session = await self._ask(
            "POST",
            "/v1/setup_sessions",
            key=request.idempotency_key,
            body=requests.setup_body(request),
        )
        return answers.read_setup_session(session)

    async def get_setup(self, session_id: str) -> SetupResult:
        session = await self._ask("GET", f"/v1/setup_sessions/{_quoted(session_id)}")
        return answers.read_setup_result(session)

    async def cancel_setup(self, session_id: str) -> None:
        await self._drop("POST", f"/v1/setup_sessions/{_quoted(session_id)}/cancel")

    async def get_method(self, method: StoredMethod) -> MethodState:
        answer = await self._send("GET", f"/v1/methods/{_quoted(method.token)}")
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if _is_not_found(answer):
            return MethodState(MethodStatus.GONE)
        if answer.status_code != 200:
            raise _refused(answer)
        return answers.read_method(answer.content, method.token)

    async def revoke_method(self, method: StoredMethod) -> None:
        await self._drop("DELETE", f"/v1/methods/{_quoted(method.token)}")

    def verify_webhook(self, request: WebhookRequest) -> None:
        webhooks.verify(request, self._webhook_secrets)

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        return webhooks.parse(body)

    async def _send(
        self, method: str, path: str, *, key: str | None = None, body: bytes | None = None
    ) -> httpx.Response | NotSent | NoAnswer:
        """Once. A response comes back only where its body has to be read."""
        headers = dict(self._headers)
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = self._client.build_request(
            method, self._base_url + path, content=body, headers=headers, timeout=self._timeouts
        )
        answer = await transport.send_once(self._client, request)
        if isinstance(answer, httpx.Response):
            return transport.read_status(answer) or answer
        return answer

    async def _list(
        self, what: str, query: str, read: Callable[[bytes], Rows]
    ) -> Rows | NoAnswer | NotSent:
        """A page of them, a hundred at most, as `read` understands it."""
        answer = await self._send("GET", f"/v1/{what}?limit=100&{query}")
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 200:
            return NoAnswer(f"could not list {what}: HTTP {answer.status_code}")
        try:
            return read(answer.content)
        except Unreadable as error:
            return NoAnswer(f"a list that cannot be believed: {error}")

    async def _ask(
        self, method: str, path: str, *, key: str | None = None, body: bytes | None = None
    ) -> Json:
        """For what moves no money: the object, or ProcessorError."""
        answer = await self._send(method, path, key=key, body=body)
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if answer.status_code not in (200, 201):
            raise _refused(answer)
        return read_json(answer.content)

    async def _drop(self, method: str, path: str) -> None:
        """What is not there is dropped already."""
        answer = await self._send(method, path)
        if not isinstance(answer, httpx.Response):
            raise transport.as_error(answer)
        if answer.status_code in (200, 204) or _is_not_found(answer):
            return
        raise _refused(answer)


def _read_refusal(answer: httpx.Response) -> NotSent | NoAnswer:
    code = answers.read_error_code(answer.content)
    detail = f"HTTP {answer.status_code} {code}".rstrip()
    if code in _DID_NOTHING and answer.status_code in (400, 422):
        return NotSent(NotSentReason.CONFIG, detail)
    return NoAnswer(detail)


def _read_state(answer: httpx.Response | NotSent | NoAnswer, charge_id: str) -> LookUp:
    if not isinstance(answer, httpx.Response):
        return answer
    if _is_not_found(answer):
        return NotFound()
    if answer.status_code != 200:
        return _read_refusal(answer)
    try:
        return answers.read_charge_with_id(answer.content, charge_id)
    except Unreadable as error:
        return NoAnswer(f"a look-up that cannot be believed: {error}")


def _read_refund_refusal(answer: httpx.Response) -> ChargeOutcome:
    """A refusal that this processor itself words is definite: nothing was given back."""
    code = answers.read_error_code(answer.content)
    if code in _NOT_GIVEN_BACK:
        return Declined(DeclineKind.HARD, code)
    return _read_refusal(answer)


def _is_not_found(answer: httpx.Response) -> bool:
    """Said by the processor itself, not by a wrong address on the way."""
    code = answers.read_error_code(answer.content)
    return answer.status_code == 404 and code == "not_found"


def _refused(answer: httpx.Response) -> ProcessorError:
    """Only what says that it is a refusal is one; a stray page with a good status says nothing."""
    if answer.status_code < 400:
        return ProcessorUnreachable(f"The sandbox processor answered HTTP {answer.status_code}.")
    code = answers.read_error_code(answer.content)
    return ProcessorRefused(
        f"The sandbox processor refused: HTTP {answer.status_code} {code}".rstrip() + ".",
        code=code or None,
    )


def _charge_path(charge_id: str) -> str:
    return f"/v1/charges/{_quoted(charge_id)}"


def _behind(after: str | None) -> str:
    return "" if after is None else f"&after={_quoted(after)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _require(what: str, values: Sequence[str], example: str) -> None:
    if not values or not all(value and value.isascii() for value in values):
        raise SettingsError(
            f"The sandbox processor's {what} must be plain characters, and not empty: {example}"
        )
