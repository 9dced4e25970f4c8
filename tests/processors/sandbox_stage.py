"""The sandbox processor as a stage: the real server on a free port, its clock in our hand."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
from fastapi import FastAPI, Request

from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest
from twintill.processors.sandbox import SandboxProcessor
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.processor import ProcessorSandboxSettings, create_app
from twintill.sandbox.processor.deliveries import sign
from twintill.sandbox.serve import running
from twintill.testing import Behaviour, Fault, Lie, Trait

BEGUN = datetime(2026, 3, 1, 12, tzinfo=UTC)
API_KEY = "sandbox_key_for_tests"
ACCOUNT = "acct_sandbox"
SECRETS = {"new": "whsec_new", "old": "whsec_old"}
METHODS = {
    Behaviour.APPROVED: "card_ok",
    Behaviour.SOFT: "card_declined",
    Behaviour.HARD: "card_hard_declined",
    Behaviour.STOLEN: "card_stolen",
    Behaviour.EXPIRED: "card_expired",
    Behaviour.DECLINES_ONCE: "card_declines_once",
    Behaviour.NEEDS_CUSTOMER: "card_needs_customer",
    Behaviour.REFUND_FAILS: "card_refund_fails",
    Behaviour.SLOW: "card_slow",
    Behaviour.PENDS: "debit_ok",
    Behaviour.PENDS_THEN_FAILS: "debit_fails",
    Behaviour.FAILS_LATE: "debit_fails_late",
}
FAULTS = {
    Fault.CUT_BEFORE: "reset_before",
    Fault.CUT_AFTER: "reset_after",
    Fault.SILENT_BEFORE: "timeout_before",
    Fault.SILENT_AFTER: "timeout_after",
}
CHARGE = {
    "id": "chg_1",
    "status": "succeeded",
    "reference": "tw-1",
    "amount": 4900,
    "currency": "EUR",
    "finality": "final",
    "decline": {"code": "x", "text": "x", "category": "retry_later", "retry_after_s": None},
}
LIES: Mapping[Lie, dict[str, Any]] = {
    Lie.OTHER_AMOUNT: {"amount": 4901},
    Lie.AMOUNT_NO_NUMBER: {"amount": "4900"},
    Lie.OTHER_CURRENCY: {"currency": "USD"},
    Lie.OTHER_REFERENCE: {"reference": "tw-2"},
    Lie.NO_ID: {"id": None},
    Lie.UNKNOWN_STATUS: {"status": "moonlit"},
    Lie.CONTRADICTION: {"status": "declined"},
}
POISON: tuple[Any, ...] = (
    7,
    {},
    {"id": "1", "type": "charge.succeeded", "created": None},
    {"id": "1", "type": "x", "created": "yesterday"},
    {"id": "\0", "type": "x", "created": None},
    {"id": "\ud800", "type": "x", "created": None},
)


class SandboxStage:
    lacks: Mapping[Behaviour | Lie | Trait, str] = {
        Trait.NOT_ENABLED: "every account of the sandbox may charge stored methods",
    }
    amount = Money(4900, "EUR")
    inexact = Money(4950, "ISK")
    odd_exponent = (Money(100, "CLP"), 10_000)
    created_status = 201
    signers = tuple(SECRETS)
    signed_time_s = (300, 300)
    unknown_charge_id = "chg_none"
    unknown_dispute_id = "dsp_none"
    unknown_setup_id = "ses_none"
    unknown_method = StoredMethod("pcus_none", "ptok_none", "card")

    def __init__(self, url: str, admin: httpx.AsyncClient, received: list[WebhookRequest]) -> None:
        self._url = url
        self.admin = admin  # may also call the API: it carries the key
        self._received = received
        self.processor: Processor = self._open(url)
        self.impatient: Processor = self._open(url, timeout_s=0.3)

    async def clear(self) -> None:
        (await self.admin.post("/_sandbox/reset")).raise_for_status()
        self._received.clear()

    async def now(self) -> datetime:
        state = (await self.admin.get("/_sandbox/state")).json()
        return datetime.fromisoformat(state["now"])

    async def pass_days(self, days: float) -> None:
        await self.ask("clock", advance_s=days * 86_400)

    async def method(self, behaviour: Behaviour) -> StoredMethod:
        method = await self.ask("methods", method=METHODS[behaviour])
        return StoredMethod(method["customer"], method["token"], method["kind"])

    async def break_line(self, fault: Fault) -> None:
        await self._order_fault(kind=FAULTS[fault])

    async def too_many_requests(self, wait_s: int) -> None:
        await self.answer_next(429, headers={"Retry-After": str(wait_s)})

    async def answer_next(
        self,
        status: int,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        *,
        act: bool = False,
    ) -> None:
        await self._order_fault(
            kind="status", code=status, body=body, headers=dict(headers or {}), act=act
        )

    async def lie_next(self, lie: Lie, about: Literal["charge", "refund"] = "charge") -> None:
        told = {**CHARGE, **LIES[lie]}
        if about == "refund":
            told |= {"id": "rfd_1", "charge": "chg_1"}
        await self.answer_next(201, json.dumps(told), act=True)

    async def taken(self, reference: str) -> int:
        book = await self._book()
        taken = ("charge", "charge_failure")
        return sum(
            int(line["amount"])
            for line in book
            if line["reference"] == reference and line["type"] in taken
        )

    async def charge_requests(self) -> int:
        log = (await self.admin.get("/_sandbox/requests")).json()
        return sum((one["method"], one["path"]) == ("POST", "/v1/charges") for one in log)

    async def foreign_charge(self) -> str:
        method = await self.method(Behaviour.APPROVED)
        body = {
            "reference": "till-2-0001",
            "amount": 777,
            "currency": "EUR",
            "token": method.token,
            "customer": method.processor_customer_id,
        }
        headers = {"Idempotency-Key": "till-2-0001"}
        made = await self.admin.post("/v1/charges", json=body, headers=headers)
        return str(made.raise_for_status().json()["id"])

    async def finish_setup(self, session_id: str) -> None:
        await self.ask(f"setup_sessions/{session_id}/complete", method="card_ok")

    async def revoke_as_customer(self, method: StoredMethod) -> None:
        await self.ask(f"methods/{method.token}/revoke_by_customer")

    async def act_as_customer(self, processor_payment_id: str, *, approve: bool) -> None:
        await self.ask(f"charges/{processor_payment_id}/act", approve=approve)

    async def dispute(self, processor_payment_id: str, *, taken: bool) -> str:
        opened = await self.ask(f"charges/{processor_payment_id}/dispute", withheld=taken)
        return str(opened["id"])

    async def end_dispute(self, dispute_id: str, end: DisputeStage) -> None:
        await self.ask(f"disputes/{dispute_id}/resolve", outcome=end.value)

    async def disable_account(self) -> None:
        raise AssertionError(self.lacks[Trait.NOT_ENABLED])

    async def webhooks(self) -> Sequence[WebhookRequest]:
        await self.ask("tick")
        return list(self._received)

    async def stop_webhooks(self) -> None:
        await self.ask("faults", kind="webhook_drop", times=1_000_000)

    def sign(self, body: bytes, at: datetime, signer: str) -> WebhookRequest:
        header = sign(SECRETS.get(signer, "of somebody else"), body, at)
        return WebhookRequest({"sandbox-signature": header}, body, at)

    def unreadable_events(self, event: bytes) -> Sequence[bytes]:
        told = json.loads(event)["events"]
        return [json.dumps({"events": [poison, *told]}).encode() for poison in POISON]

    async def balance(self) -> int:
        return sum(int(line["amount"]) for line in await self._book() if line["currency"] == "EUR")

    async def fees(self) -> int:
        return -sum(int(line["amount"]) for line in await self._book() if line["type"] == "fee")

    def with_wrong_credentials(self) -> Processor:
        return self._open(self._url, api_key="wrong")

    def unreachable(self) -> Processor:
        return self._open("http://127.0.0.1:9")  # the discard port: nobody listens

    async def ask(self, path: str, **order: Any) -> Any:
        answer = await self.admin.post(f"/_sandbox/{path}", json=order)
        return answer.raise_for_status().json()

    async def _order_fault(self, **fault: Any) -> None:
        await self.ask("faults", match={"path_regex": "^/v1/"}, **fault)

    async def _book(self) -> list[dict[str, Any]]:
        state = (await self.admin.get("/_sandbox/state")).json()
        book: list[dict[str, Any]] = state["transactions"]
        return book

    def _open(self, url: str, api_key: str = API_KEY, timeout_s: float = 30) -> SandboxProcessor:
        secrets = tuple(SECRETS.values())
        return SandboxProcessor(url, api_key, secrets, ACCOUNT, self.admin, timeout_s)


@contextlib.asynccontextmanager
async def sandbox_stage() -> AsyncIterator[SandboxStage]:
    received: list[WebhookRequest] = []
    async with running(_door(received)) as door_url:
        settings = ProcessorSandboxSettings(
            api_key=API_KEY,
            webhook_url=f"{door_url}/webhooks/sandbox",
            webhook_secret=SECRETS["new"],
            fee_basis_points=150,
            fee_fixed_minor=20,
            payout_days=2,
            most_per_page=2,
            slow_answer_s=1.5,
            webhook_retries_s=(0.05,),
        )
        app = create_app(ManualClock(BEGUN), settings)
        auth = {"Authorization": f"Bearer {API_KEY}"}
        async with (
            running(app) as url,
            httpx.AsyncClient(base_url=url, headers=auth, trust_env=False) as admin,
        ):
            yield SandboxStage(url, admin, received)


def _door(received: list[WebhookRequest]) -> FastAPI:
    """Stands where Twintill's webhook door would: keeps what comes, as it comes."""
    door = FastAPI()

    @door.post("/webhooks/sandbox")
    async def receive(request: Request) -> None:
        body = await request.body()
        timestamp = request.headers["sandbox-signature"].partition(",")[0].removeprefix("t=")
        at = datetime.fromtimestamp(int(timestamp), UTC)
        received.append(WebhookRequest(dict(request.headers), body, at))

    return door
