"""GoCardless as the engine sees it: what it can do, and where each thing is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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
    transport,
)
from twintill.processors.gocardless import (
    charging,
    listing,
    refunding,
    requests,
    setups,
    vault,
    webhooks,
)
from twintill.processors.gocardless.connection import Connection
from twintill.processors.gocardless.currencies import SCHEMES
from twintill.processors.reports import EventPage, SettlementPage

LIVE = "https://api.gocardless.com"
SANDBOX = "https://api-sandbox.gocardless.com"


class GoCardless:
    """Implements `twintill.processors.Processor`, and all that it may offer besides.

    `key_window_s`: how long GoCardless keeps a key is not documented for sure (30 days, it is
    said). A day is safe in both directions: nothing is sent again after three quarters of it, long
    before any key can be forgotten; and what nobody sends any more cannot appear after the day and
    the look-up's lag, however long the key is remembered.

    `look_up_lag_s`: a payment is listed when it is made; an hour is for lists that are read from a
    copy of the database that lags behind, and costs only that a lost charge is made anew later.
    """

    name = "gocardless"
    acknowledgement = Acknowledgement(status=204, refused_status=498)
    capabilities = Capabilities(
        display_name="GoCardless",
        method_kinds=(setups.KIND,),
        key_window_s=24 * 3600,
        replays_first_answer=False,  # a replay is told what became of it since
        look_up=LookUpBy.REFERENCE,
        look_up_lag_s=3600,
        reuses_reference_after_decline=True,  # metadata: any value, any number of times
        can_cancel_pending=True,
        tells=Tells.LATER,
        final_after_days=7,  # paid out some days after it was confirmed
        currencies=frozenset(SCHEMES),
    )

    def __init__(
        self,
        access_token: str,
        webhook_secrets: tuple[str, ...],
        creditor_id: str,
        base_url: str = SANDBOX,
        client: httpx.AsyncClient | None = None,
        timeout_s: float = transport.READ_TIMEOUT_S,
    ) -> None:
        """A `client` that is given stays the caller's to close."""
        _require("access token", [access_token], "sandbox_123")
        _require("creditor id", [creditor_id], "CR123")
        _require("webhook secret", webhook_secrets, "whsec_123")
        if not base_url.startswith(("http://", "https://")):
            raise SettingsError("GoCardless's base URL must begin with http(s)://")
        self.account_id = creditor_id
        self._webhook_secrets = tuple(webhook_secrets)
        # A proxy of the machine has no business between it and a stand-in of its own.
        real = base_url.rstrip("/") in (LIVE, SANDBOX)
        self._at = Connection(base_url, access_token, client, timeout_s, trust_env=real)

    async def aclose(self) -> None:
        await self._at.aclose()

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        return requests.prepare(request, idempotency_key)

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        return await charging.charge(self._at, prepared)

    async def find_charge(self, search: Search) -> LookUp:
        return await charging.find(self._at, search)

    async def get_charge(self, processor_payment_id: str) -> LookUp:
        return await charging.get(self._at, processor_payment_id)

    async def cancel_charge(self, processor_payment_id: str) -> LookUp:
        return await charging.cancel(self._at, processor_payment_id)

    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        return requests.prepare_refund(request, idempotency_key)

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        return await refunding.refund(self._at, prepared)

    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        return await refunding.list_of(self._at, processor_payment_id)

    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        return await refunding.list_recent(self._at, made_since, after)

    async def get_dispute(self, dispute_id: str) -> SeenDispute | NotFound | NoAnswer | NotSent:
        return await listing.get_dispute(self._at, dispute_id)

    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        return await listing.list_disputes(self._at, opened_since, after)

    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        return await listing.list_events(self._at, since, after)

    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        return await listing.list_settlements(self._at, self.account_id, since, after)

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        return await vault.start_setup(self._at, request, self.account_id)

    async def get_setup(self, session_id: str) -> SetupResult:
        return await vault.get_setup(self._at, session_id)

    async def cancel_setup(self, session_id: str) -> None:
        await vault.cancel_setup(self._at, session_id)

    async def get_method(self, method: StoredMethod) -> MethodState:
        return await vault.get_method(self._at, method.token)

    async def revoke_method(self, method: StoredMethod) -> None:
        await vault.revoke_method(self._at, method.token)

    def verify_webhook(self, request: WebhookRequest) -> None:
        webhooks.verify(request, self._webhook_secrets)

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        return webhooks.parse(body)


def _require(what: str, values: Sequence[str], example: str) -> None:
    if not values or not all(value and value.isascii() for value in values):
        raise SettingsError(
            f"GoCardless's {what} must be plain characters, and not empty: {example}"
        )
