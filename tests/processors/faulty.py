"""Adapters with one fault each, that somebody's really had: laid over any sound one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import httpx

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    ChargeOutcome,
    Declined,
    DeclineKind,
    Finality,
    LookUp,
    NoAnswer,
    NotFound,
    NotSent,
)
from twintill.errors import ProcessorError
from twintill.money import Money
from twintill.processors import (
    Capabilities,
    ChargeRequest,
    DisputePage,
    EventKind,
    MethodState,
    MethodStatus,
    PreparedCharge,
    PreparedRefund,
    Processor,
    ProcessorEvent,
    RefundPage,
    RefundRequest,
    Search,
    SeenRefund,
    SetupRequest,
    SetupSession,
    StoredMethod,
    WebhookRequest,
)
from twintill.processors.fields import read_json
from twintill.processors.reports import EventPage, SettlementKind, SettlementPage
from twintill.processors.sandbox import SandboxProcessor, answers

if TYPE_CHECKING:
    Adapter = SandboxProcessor  # or any other one: nothing of it is used but the Protocols
else:
    Adapter = object


def plant(fault: type, processor: Processor) -> None:
    """From now on this very adapter has the fault."""
    sound = type(processor)
    processor.__class__ = type(f"{sound.__name__}That{fault.__name__}", (fault, sound), {})


class ReadsTheFirstOfABatch(Adapter):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        return super().parse_webhook(body)[:1]


class LosesABatchForOneEvent(Adapter):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        events = super().parse_webhook(body)
        return [] if any(event.note for event in events) else events


class NamesEventsByTheirPlace(Adapter):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        events = super().parse_webhook(body)
        return [replace(event, dedupe_key=f"event-{n}") for n, event in enumerate(events)]


class TakesNoSignatureForAGoodOne(Adapter):
    def verify_webhook(self, request: WebhookRequest) -> None:
        if any(request.headers.values()):
            super().verify_webhook(request)


class TakesEverySignature(Adapter):
    def verify_webhook(self, request: WebhookRequest) -> None:
        pass


class ForgetsToCheckTheTime(Adapter):
    def verify_webhook(self, request: WebhookRequest) -> None:
        signed_at = int(request.headers["sandbox-signature"].partition(",")[0].removeprefix("t="))
        then = datetime.fromtimestamp(signed_at, request.received_at.tzinfo)
        super().verify_webhook(replace(request, received_at=then))


class TakesSilenceForADecline(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        if isinstance(outcome, NoAnswer):
            return Declined(DeclineKind.SOFT, "time_out")
        return outcome


class TakesARefusalForADecline(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        return Declined(DeclineKind.HARD, "refused") if isinstance(outcome, NotSent) else outcome


class TakesAnOrderForMoney(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        if isinstance(outcome, Accepted):
            return Approved(outcome.processor_payment_id, Money(4900, "EUR"))
        return outcome


class TakesProvisionalForFinal(Adapter):
    async def get_charge(self, processor_payment_id: str) -> LookUp:
        seen = await super().get_charge(processor_payment_id)
        return replace(seen, finality=Finality.FINAL) if isinstance(seen, Approved) else seen


class CallsEveryDeclineSoft(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        return replace(outcome, kind=DeclineKind.SOFT) if isinstance(outcome, Declined) else outcome


class IgnoresWhatComesLate(Adapter):
    """Refunds that fail, debits that come back, disputes: of which nobody thought."""

    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        known = (EventKind.CHARGE_APPROVED, EventKind.CHARGE_FINAL)
        return [
            event if event.kind in known else replace(event, kind=EventKind.IGNORED)
            for event in super().parse_webhook(body)
        ]


class SendsAgain(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        return await super().charge(prepared) if isinstance(outcome, NoAnswer) else outcome


class BelievesAnyAmount(Adapter):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        answer = await self._send(
            "POST", "/v1/charges", key=prepared.idempotency_key, body=prepared.body
        )
        assert isinstance(answer, httpx.Response)
        return answers.read_charge(read_json(answer.content))


class RoundsAmounts(Adapter):
    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        whole = Money(request.amount.minor // 100 * 100, request.amount.currency)
        return super().prepare_charge(replace(request, amount=whole), idempotency_key)


class SendsEachTimeAnother(Adapter):
    count = 0

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        self.count += 1
        words = f"{request.description}, try {self.count}"
        return super().prepare_charge(replace(request, description=words), idempotency_key)


class FindsNothingWhenItCannotLook(Adapter):
    async def find_charge(self, search: Search) -> LookUp:
        seen = await super().find_charge(search)
        return NotFound() if isinstance(seen, NoAnswer | NotSent) else seen


class FindsSomebodyElses(Adapter):
    async def find_charge(self, search: Search) -> LookUp:
        answer = await self._send("GET", "/v1/charges?limit=100")
        assert isinstance(answer, httpx.Response)
        rows = read_json(answer.content)["data"]
        return answers.read_charge(rows[0]) if rows else NotFound()


class SaysTooMuchOfItsKeys(Adapter):
    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        return replace(super().capabilities, key_window_s=30 * super().capabilities.key_window_s)


class TakesAnErrorForAMethodThatIsGone(Adapter):
    async def get_method(self, method: StoredMethod) -> MethodState:
        try:
            return await super().get_method(method)
        except ProcessorError:
            return MethodState(MethodStatus.GONE)


class StartsASetupForEveryClick(Adapter):
    clicks = 0

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        self.clicks += 1
        return await super().start_setup(replace(request, idempotency_key=f"click-{self.clicks}"))


class GivesBackUnderANewKey(Adapter):
    count = 0

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        self.count += 1
        return await super().refund(replace(prepared, idempotency_key=f"k-{self.count}"))


class GivesBackHalf(Adapter):
    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        half = Money(request.amount.minor // 2, request.amount.currency)
        return super().prepare_refund(replace(request, amount=half), idempotency_key)


class ListsNoRefundWhenItCannotLook(Adapter):
    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        seen = await super().list_refunds(processor_payment_id)
        return seen if isinstance(seen, tuple) else ()


class ForgetsThePagesOfEvents(Adapter):
    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        page = await super().list_events(since, after)
        return replace(page, following=None) if isinstance(page, EventPage) else page


class ForgetsThePagesOfTheReport(Adapter):
    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        page = await super().list_settlements(since, after)
        return replace(page, following=None) if isinstance(page, SettlementPage) else page


class ReportsNoFees(Adapter):
    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        page = await super().list_settlements(since, after)
        if not isinstance(page, SettlementPage):
            return page
        kept = tuple(
            replace(line, fee=None) for line in page.lines if line.kind is not SettlementKind.FEE
        )
        return replace(page, lines=kept)


class ForgetsThePagesOfRefunds(Adapter):
    async def list_recent_refunds(
        self, made_since: datetime, after: str | None = None
    ) -> RefundPage | NoAnswer | NotSent:
        page = await super().list_recent_refunds(made_since, after)
        return replace(page, following=None) if isinstance(page, RefundPage) else page


class ForgetsThePagesOfDisputes(Adapter):
    async def list_disputes(
        self, opened_since: datetime, after: str | None = None
    ) -> DisputePage | NoAnswer | NotSent:
        page = await super().list_disputes(opened_since, after)
        return replace(page, following=None) if isinstance(page, DisputePage) else page
