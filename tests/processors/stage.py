"""The stage on which an adapter is tried: a processor's stand-in, and the strings behind it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from twintill.domain.money_back import DisputeStage
from twintill.domain.outcomes import ChargeOutcome
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    EventKind,
    PreparedCharge,
    Processor,
    ProcessorEvent,
    Search,
    StoredMethod,
    WebhookRequest,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEARCH = Search("tw-1", since=NOW)


class Stage(Protocol):
    """Behaviours of methods: approved, soft, hard, stolen, expired, declines_once, needs_customer,
    debit, debit_fails, debit_fails_late, answer_lost, request_lost, error_after, slow,
    refund_fails (approved; its refund is accepted, and fails days later)."""

    processor: Processor
    impatient: Processor  # the same, with a short time-out: only for answers that never come
    secrets: tuple[str, ...]  # for webhooks, all of them ours
    inexact: Money  # what Stripe can bill and this processor cannot express
    odd_exponent: tuple[Money, int]  # an amount, and what this processor must be sent for it

    async def method(self, behaviour: str) -> StoredMethod: ...
    async def break_line(self, kind: str, **details: Any) -> None:
        """The next charge, look-up or other request meets this fault."""

    async def falsify(self, **fields: Any) -> None:
        """The next charge is made, and answered with these fields changed."""

    async def pass_days(self, days: float) -> None: ...
    async def webhooks(self) -> Sequence[WebhookRequest]:
        """All that were delivered so far."""

    async def taken(self, reference: str) -> int:
        """How much the processor's own book says was collected under this reference."""

    async def charge_requests(self) -> int:
        """How many charge requests arrived."""

    async def finish_setup(self, session_id: str) -> None: ...
    async def revoke_as_customer(self, method: StoredMethod) -> None: ...
    async def act_as_customer(self, processor_payment_id: str, *, approve: bool) -> None: ...
    async def dispute(self, processor_payment_id: str, *, taken: bool) -> str:
        """The customer disputes all of it; the id there."""

    async def end_dispute(self, dispute_id: str, end: DisputeStage) -> None: ...
    def sign(self, body: bytes, at: datetime, secret: str | None = None) -> WebhookRequest: ...
    def with_wrong_credentials(self) -> Processor: ...
    def unreachable(self) -> Processor: ...


def order(method: StoredMethod, reference: str = "tw-1", **fields: Any) -> ChargeRequest:
    request = ChargeRequest(
        reference=reference,
        invoice_id="in_1",
        amount=Money(4900, "EUR"),
        method=method,
        description="Invoice ACME-0007",
        metadata={"invoice": "in_1"},
    )
    return replace(request, **fields)


def prepared(stage: Stage, request: ChargeRequest, key: str = "key-1") -> PreparedCharge:
    charge = stage.processor.prepare_charge(request, key)
    assert isinstance(charge, PreparedCharge)
    return charge


async def charged(stage: Stage, behaviour: str) -> ChargeOutcome:
    return await stage.processor.charge(prepared(stage, order(await stage.method(behaviour))))


async def events(stage: Stage, kind: EventKind) -> list[ProcessorEvent]:
    """Of this kind, verified and parsed as the door does it."""
    found: list[ProcessorEvent] = []
    for request in await stage.webhooks():
        stage.processor.verify_webhook(request)
        found += stage.processor.parse_webhook(request.body)
    return [event for event in found if event.kind is kind]
