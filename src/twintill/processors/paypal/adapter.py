"""Talks to PayPal: each request once, each answer read with suspicion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

from twintill.domain.outcomes import ChargeOutcome, LookUp, NoAnswer, NotFound, NotSent
from twintill.errors import SettingsError
from twintill.processors import (
    Acknowledgement,
    Capabilities,
    ChargeRequest,
    DisputePage,
    LookUpBy,
    MethodState,
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
)
from twintill.processors.fields import Unreadable, read_json
from twintill.processors.paypal import (
    answers,
    disputes,
    events,
    refusals,
    requests,
    settlements,
    setups,
    transactions,
    webhooks,
)
from twintill.processors.paypal.certificates import Certificates, Trust
from twintill.processors.paypal.currencies import EXPONENTS
from twintill.processors.paypal.line import Line
from twintill.processors.reports import EventPage, SettlementPage

_CAPTURES = "/v2/payments/captures"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose money it is, and the REST app that acts for it."""

    merchant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    webhook_ids: tuple[str, ...]  # the app's, all of them ours

    def check(self) -> None:
        """Raises SettingsError for what cannot be sent."""
        _require("client id", [self.client_id], "AeA1QIZXiflr1_-r0U2UbWTziOWX1GRQer5jkUq4ZfWT5qwb")
        _require("client secret", [self.client_secret], "EL1tVxAjhT7cJimnz5-Nsx9k2reTKSVfErNQF")
        _require("merchant id", [self.merchant_id], "C7CYMKZDG8D6E")
        _require("webhook id", self.webhook_ids, "0EH40505U7160970P")


class PayPalProcessor:
    """Implements `twintill.processors.Processor`, and all that is optional beside it."""

    name = "paypal"
    acknowledgement = Acknowledgement()
    capabilities = Capabilities(
        display_name="PayPal",
        method_kinds=(setups.KIND,),
        # Orders v2 keeps a PayPal-Request-Id for six hours, and answers the latest status of what
        # was done under it. What a refused one answers later is not written down: not the first
        # answer, then.
        key_window_s=6 * 3600,
        replays_first_answer=False,
        look_up=LookUpBy.REFERENCE,
        look_up_lag_s=int(transactions.LAG.total_seconds()),
        reuses_reference_after_decline=True,
        can_cancel_pending=False,
        tells=Tells.EITHER,  # an eCheck is pending for days
        currencies=frozenset(EXPONENTS),
        refunds_within_days=180,
    )

    def __init__(
        self,
        base_url: str,
        account: Account,
        trust: Trust,
        *,
        client: httpx.AsyncClient | None = None,
        timeout_s: float = 28.0,
        clock: Callable[[], datetime] | None = utc_now,
    ) -> None:
        """A `client` that is given stays the caller's to close.

        `clock`: None with a stand-in, whose time is not this machine's.
        """
        account.check()
        if not base_url.startswith(("http://", "https://")):
            raise SettingsError("PayPal's base URL must begin with http(s)://")
        self.account_id = account.merchant_id
        self._webhook_ids = account.webhook_ids
        self._owns_client = client is None
        # A proxy of the machine has no business between it and a stand-in on it.
        self._client = client or httpx.AsyncClient(trust_env=base_url.startswith("https://"))
        self._line = Line(
            base_url.rstrip("/"), account.client_id, account.client_secret, self._client, timeout_s
        )
        self._certificates = Certificates(trust, self._client)
        self._clock = clock

    async def aclose(self) -> None:
        await self._certificates.aclose()
        if self._owns_client:
            await self._client.aclose()

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        return requests.prepare(request, idempotency_key)

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        path = "/v2/checkout/orders"
        answer = await self._line.send(
            "POST", path, key=prepared.idempotency_key, body=prepared.body
        )
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code not in (200, 201):
            unit = read_json(prepared.body)["purchase_units"][0]
            return refusals.read_refusal(answer, unit["invoice_id"])
        try:
            return answers.read_order_of(answer.content, prepared.body)
        except Unreadable as error:
            return NoAnswer(f"HTTP {answer.status_code} that cannot be believed: {error}")

    async def find_charge(self, search: Search) -> LookUp:
        return await transactions.find_charge(self._line, search, self._clock)

    async def get_charge(self, processor_payment_id: str) -> LookUp:
        answer = await self._line.send("GET", _capture_path(processor_payment_id))
        if not isinstance(answer, httpx.Response):
            return answer
        if refusals.is_missing(answer):
            return NotFound()
        if answer.status_code != 200:
            return refusals.could_not(answer, "ask for the capture")
        try:
            return answers.read_capture_with(answer.content, processor_payment_id)
        except Unreadable as error:
            return NoAnswer(f"a capture that cannot be believed: {error}")

    async def cancel_charge(self, processor_payment_id: str) -> LookUp:
        """PayPal cannot cancel a capture that is pending."""
        return await self.get_charge(processor_payment_id)

    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        return requests.prepare_refund(request, idempotency_key)

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        capture_id = prepared.processor_payment_id
        path = f"{_capture_path(capture_id)}/refund"
        answer = await self._line.send(
            "POST", path, key=prepared.idempotency_key, body=prepared.body
        )
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code not in (200, 201):
            return refusals.read_refund_refusal(answer)
        try:
            return answers.read_refund_of(answer.content, capture_id, prepared.body)
        except Unreadable as error:
            return NoAnswer(f"HTTP {answer.status_code} that cannot be believed: {error}")

    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        """A capture does not list them; its order does."""
        answer = await self._line.send("GET", _capture_path(processor_payment_id))
        if not isinstance(answer, httpx.Response):
            return answer
        if answer.status_code != 200:
            return refusals.could_not(answer, "ask for the capture")
        try:
            order_id = answers.order_of(answer.content, processor_payment_id)
            path = f"/v2/checkout/orders/{quote(order_id, safe='')}"
            answer = await self._line.send("GET", path)
            if not isinstance(answer, httpx.Response):
                return answer
            if answer.status_code != 200:
                return refusals.could_not(answer, "ask for the order of the capture")
            return answers.read_refunds(answer.content, order_id, processor_payment_id)
        except Unreadable as error:
            return NoAnswer(f"a list that cannot be believed: {error}")

    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        return await settlements.list_refunds(self._line, made_since, after, self._clock)

    async def get_dispute(self, dispute_id: str) -> SeenDispute | NotFound | NoAnswer | NotSent:
        return await disputes.get(self._line, dispute_id)

    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        return await disputes.list_since(self._line, opened_since, after)

    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        return await events.list_since(self._line, since, after, self._clock)

    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        return await settlements.list_lines(self._line, since, after, self._clock)

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        return await setups.start(self._line, request)

    async def get_setup(self, session_id: str) -> SetupResult:
        return await setups.get(self._line, session_id)

    async def cancel_setup(self, session_id: str) -> None:
        """PayPal knows no such thing: one that nobody completes ends, and stores nothing."""

    async def get_method(self, method: StoredMethod) -> MethodState:
        return await setups.state_of(self._line, method)

    async def revoke_method(self, method: StoredMethod) -> None:
        await setups.revoke(self._line, method)

    def verify_webhook(self, request: WebhookRequest) -> None:
        webhooks.verify(request, self._webhook_ids, self._certificates)

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        return webhooks.parse(body)


def _capture_path(capture_id: str) -> str:
    return f"{_CAPTURES}/{quote(capture_id, safe='')}"


def _require(what: str, values: Sequence[str], example: str) -> None:
    if not values or not all(value and value.isascii() and value.isprintable() for value in values):
        raise SettingsError(
            f"PayPal's {what} must be plain characters, and not empty, such as {example}"
        )
