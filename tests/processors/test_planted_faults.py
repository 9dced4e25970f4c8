"""The contract notices: each of these adapters has one fault that somebody's really had."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.processors.sandbox_stage import SandboxStage, sandbox_stage
from twintill.domain.outcomes import (
    ChargeOutcome,
    Declined,
    DeclineKind,
    LookUp,
    NoAnswer,
    NotFound,
    NotSent,
)
from twintill.errors import ProcessorError, TwintillError
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    MethodState,
    MethodStatus,
    PreparedCharge,
    PreparedRefund,
    ProcessorEvent,
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
from twintill.testing import Contract, Fault, Lie

pytestmark = pytest.mark.asyncio(loop_scope="module")
Case = Callable[..., Awaitable[None]]
NOTICED = (AssertionError, TwintillError, pytest.fail.Exception)
CASES = Contract()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theatre() -> AsyncIterator[SandboxStage]:
    async with sandbox_stage() as stage:
        yield stage


class ReadsTheFirstOfABatch(SandboxProcessor):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        return super().parse_webhook(body)[:1]


class LosesABatchForOneEvent(SandboxProcessor):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        events = super().parse_webhook(body)
        return [] if any(event.note for event in events) else events


class NamesEventsByTheirPlace(SandboxProcessor):
    def parse_webhook(self, body: bytes) -> Sequence[ProcessorEvent]:
        events = super().parse_webhook(body)
        return [replace(event, dedupe_key=f"event-{n}") for n, event in enumerate(events)]


class TakesNoSignatureForAGoodOne(SandboxProcessor):
    def verify_webhook(self, request: WebhookRequest) -> None:
        if request.headers.get("sandbox-signature"):
            super().verify_webhook(request)


class ChecksTheTimeAlone(SandboxProcessor):
    def verify_webhook(self, request: WebhookRequest) -> None:
        signed_at = int(request.headers["sandbox-signature"].partition(",")[0].removeprefix("t="))
        assert abs(request.received_at.timestamp() - signed_at) <= 300


class ForgetsToCheckTheTime(SandboxProcessor):
    def verify_webhook(self, request: WebhookRequest) -> None:
        signed_at = int(request.headers["sandbox-signature"].partition(",")[0].removeprefix("t="))
        then = datetime.fromtimestamp(signed_at, request.received_at.tzinfo)
        super().verify_webhook(replace(request, received_at=then))


class TakesSilenceForADecline(SandboxProcessor):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        if isinstance(outcome, NoAnswer):
            return Declined(DeclineKind.SOFT, "time_out")
        return outcome


class TakesBadCredentialsForADecline(SandboxProcessor):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        return Declined(DeclineKind.HARD, "401") if isinstance(outcome, NotSent) else outcome


class SendsAgain(SandboxProcessor):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        outcome = await super().charge(prepared)
        return await super().charge(prepared) if isinstance(outcome, NoAnswer) else outcome


class BelievesAnyAmount(SandboxProcessor):
    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        answer = await self._send(
            "POST", "/v1/charges", key=prepared.idempotency_key, body=prepared.body
        )
        assert isinstance(answer, httpx.Response)
        return answers.read_charge(read_json(answer.content))


class RoundsAmounts(SandboxProcessor):
    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        whole = Money(request.amount.minor // 100 * 100, request.amount.currency)
        return super().prepare_charge(replace(request, amount=whole), idempotency_key)


class SendsEachTimeAnother(SandboxProcessor):
    count = 0

    def prepare_charge(
        self, request: ChargeRequest, idempotency_key: str
    ) -> PreparedCharge | NotSent:
        self.count += 1
        words = f"{request.description}, try {self.count}"
        return super().prepare_charge(replace(request, description=words), idempotency_key)


class FindsNothingWhenItCannotLook(SandboxProcessor):
    async def find_charge(self, search: Search) -> LookUp:
        seen = await super().find_charge(search)
        return NotFound() if isinstance(seen, NoAnswer | NotSent) else seen


class FindsSomebodyElses(SandboxProcessor):
    async def find_charge(self, search: Search) -> LookUp:
        answer = await self._send("GET", "/v1/charges?limit=100")
        assert isinstance(answer, httpx.Response)
        rows = read_json(answer.content)["data"]
        return answers.read_charge(rows[0]) if rows else NotFound()


class SaysTooMuchOfItsKeys(SandboxProcessor):
    capabilities = replace(SandboxProcessor.capabilities, key_window_s=30 * 86_400)


class TakesAnErrorForAMethodThatIsGone(SandboxProcessor):
    async def get_method(self, method: StoredMethod) -> MethodState:
        try:
            return await super().get_method(method)
        except ProcessorError:
            return MethodState(MethodStatus.GONE)


class StartsASetupForEveryClick(SandboxProcessor):
    clicks = 0

    async def start_setup(self, request: SetupRequest) -> SetupSession:
        self.clicks += 1
        return await super().start_setup(replace(request, idempotency_key=f"click-{self.clicks}"))


class GivesBackUnderANewKey(SandboxProcessor):
    count = 0

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        self.count += 1
        return await super().refund(replace(prepared, idempotency_key=f"k-{self.count}"))


class GivesBackHalf(SandboxProcessor):
    def prepare_refund(
        self, request: RefundRequest, idempotency_key: str
    ) -> PreparedRefund | NotSent:
        half = Money(request.amount.minor // 2, request.amount.currency)
        return super().prepare_refund(replace(request, amount=half), idempotency_key)


class ListsNoRefundWhenItCannotLook(SandboxProcessor):
    async def list_refunds(
        self, processor_payment_id: str
    ) -> tuple[SeenRefund, ...] | NoAnswer | NotSent:
        seen = await super().list_refunds(processor_payment_id)
        return seen if isinstance(seen, tuple) else ()


class ForgetsThePagesOfEvents(SandboxProcessor):
    async def list_events(
        self, since: datetime, after: str | None = None
    ) -> EventPage | NoAnswer | NotSent:
        page = await super().list_events(since, after)
        return replace(page, following=None) if isinstance(page, EventPage) else page


class ForgetsThePagesOfTheReport(SandboxProcessor):
    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        page = await super().list_settlements(since, after)
        return replace(page, following=None) if isinstance(page, SettlementPage) else page


class ReportsNoFees(SandboxProcessor):
    async def list_settlements(
        self, since: datetime, after: str | None = None
    ) -> SettlementPage | NoAnswer | NotSent:
        page = await super().list_settlements(since, after)
        if not isinstance(page, SettlementPage):
            return page
        kept = tuple(line for line in page.lines if line.kind is not SettlementKind.FEE)
        return replace(page, lines=kept)


PLANTED: list[tuple[type[SandboxProcessor], Case, dict[str, Any]]] = [
    (ReadsTheFirstOfABatch, CASES.test_every_event_of_a_batch_is_read, {}),
    (LosesABatchForOneEvent, CASES.test_a_poisonous_event_does_not_take_its_batch_with_it, {}),
    (NamesEventsByTheirPlace, CASES.test_a_redelivery_has_the_same_keys, {}),
    (TakesNoSignatureForAGoodOne, CASES.test_no_signature_is_refused, {}),
    (TakesNoSignatureForAGoodOne, CASES.test_each_missing_header_of_the_signature_is_refused, {}),
    (ChecksTheTimeAlone, CASES.test_a_forged_body_is_refused, {}),
    (ChecksTheTimeAlone, CASES.test_the_signature_of_a_stranger_is_refused, {}),
    (ForgetsToCheckTheTime, CASES.test_an_old_or_future_signature_is_refused, {"past": 1}),
    (
        TakesSilenceForADecline,
        CASES.test_charged_but_the_answer_was_lost,
        {"fault": Fault.SILENT_AFTER},
    ),
    (TakesSilenceForADecline, CASES.test_a_request_still_in_flight_is_in_doubt, {}),
    (TakesBadCredentialsForADecline, CASES.test_bad_credentials_are_not_sent, {}),
    (TakesBadCredentialsForADecline, CASES.test_too_many_requests_is_not_sent_with_its_wait, {}),
    (SendsAgain, CASES.test_nothing_is_ever_repeated_by_the_adapter, {}),
    (
        BelievesAnyAmount,
        CASES.test_a_self_contradictory_answer_is_no_answer,
        {"lie": Lie.OTHER_AMOUNT},
    ),
    (RoundsAmounts, CASES.test_an_amount_that_cannot_be_expressed_is_not_sent, {}),
    (SendsEachTimeAnother, CASES.test_equal_requests_are_equal_bytes, {}),
    (
        FindsNothingWhenItCannotLook,
        CASES.test_looking_up_through_a_broken_line_is_not_not_found,
        {},
    ),
    (FindsSomebodyElses, CASES.test_a_look_up_finds_only_its_own, {}),
    (SaysTooMuchOfItsKeys, CASES.test_the_key_is_honoured_as_long_as_it_is_said, {}),
    (TakesAnErrorForAMethodThatIsGone, CASES.test_no_answer_about_a_method_is_none, {}),
    (
        StartsASetupForEveryClick,
        CASES.test_starting_again_with_the_same_key_is_the_same_setup,
        {},
    ),
    (GivesBackUnderANewKey, CASES.test_the_same_key_gives_back_once, {}),
    (GivesBackHalf, CASES.test_a_charge_goes_back, {}),
    (ListsNoRefundWhenItCannotLook, CASES.test_a_broken_line_is_no_empty_list_of_refunds, {}),
    (ForgetsThePagesOfEvents, CASES.test_every_page_is_read_and_nothing_twice, {}),
    (ForgetsThePagesOfTheReport, CASES.test_every_charge_appears_once, {}),
    (ReportsNoFees, CASES.test_what_was_kept_is_told, {}),
    (ReportsNoFees, CASES.test_the_lines_add_up_to_the_payouts_and_the_balance, {}),
]


@pytest.mark.parametrize(
    ("adapter", "case", "inputs"),
    [
        pytest.param(*planted, id=f"{planted[0].__name__}-{planted[1].__name__}")
        for planted in PLANTED
    ],
)
async def test_a_planted_fault_is_noticed(
    theatre: SandboxStage, adapter: type[SandboxProcessor], case: Case, inputs: dict[str, Any]
) -> None:
    theatre.wear(SandboxProcessor)
    await theatre.clear()
    await case(theatre, **inputs)  # the sound one passes
    theatre.wear(adapter)
    await theatre.clear()
    with pytest.raises(NOTICED):
        await case(theatre, **inputs)
