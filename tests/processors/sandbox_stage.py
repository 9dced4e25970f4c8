"""The sandbox processor as a stage: the real server on a free port, its clock in our hand."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI, Request

from tests.processors.stage import NOW
from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest
from twintill.processors.sandbox import SandboxProcessor
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.processor import ProcessorSandboxSettings, create_app
from twintill.sandbox.processor.deliveries import sign
from twintill.sandbox.serve import running

API_KEY = "sandbox_key_for_tests"
ACCOUNT = "acct_sandbox"
BEHAVIOURS = {
    "approved": "card_ok",
    "soft": "card_declined",
    "hard": "card_hard_declined",
    "stolen": "card_stolen",
    "expired": "card_expired",
    "declines_once": "card_declines_once",
    "needs_customer": "card_needs_customer",
    "refund_fails": "card_refund_fails",
    "debit": "debit_ok",
    "debit_fails": "debit_fails",
    "debit_fails_late": "debit_fails_late",
    "answer_lost": "card_answer_lost",
    "request_lost": "card_request_lost",
    "error_after": "card_error",
    "slow": "card_slow",
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


class SandboxStage:
    secrets = ("whsec_new", "whsec_old")
    inexact = Money(4950, "ISK")
    odd_exponent = (Money(100, "CLP"), 10_000)

    def __init__(self, url: str, admin: httpx.AsyncClient, received: list[WebhookRequest]) -> None:
        self._url = url
        self.admin = admin  # may also call the API: it carries the key
        self._received = received
        self.processor: Processor = self._open(url)
        self.impatient: Processor = self._open(url, timeout_s=0.3)

    async def clear(self) -> None:
        """As new, without the time that a new server takes."""
        (await self.admin.post("/_sandbox/reset")).raise_for_status()
        self._received.clear()

    async def method(self, behaviour: str) -> StoredMethod:
        method = await self.ask("methods", method=BEHAVIOURS[behaviour])
        return StoredMethod(method["customer"], method["token"], method["kind"])

    async def break_line(self, kind: str, **details: Any) -> None:
        await self.ask("faults", kind=kind, match={"path_regex": "^/v1/"}, **details)

    async def falsify(self, **fields: Any) -> None:
        await self.break_line("status", act=True, code=201, body={**CHARGE, **fields})

    async def pass_days(self, days: float) -> None:
        await self.ask("clock", advance_s=days * 86_400)

    async def webhooks(self) -> Sequence[WebhookRequest]:
        await self.ask("tick")
        return list(self._received)

    async def taken(self, reference: str) -> int:
        book = (await self.admin.get("/v1/transactions")).json()["data"]
        return sum(line["amount"] for line in book if line["reference"] == reference)

    async def charge_requests(self) -> int:
        log = (await self.admin.get("/_sandbox/requests")).json()
        return sum((one["method"], one["path"]) == ("POST", "/v1/charges") for one in log)

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

    def sign(self, body: bytes, at: datetime, secret: str | None = None) -> WebhookRequest:
        header = sign(secret or self.secrets[0], body, at)
        return WebhookRequest({"sandbox-signature": header}, body, at)

    def with_wrong_credentials(self) -> Processor:
        return self._open(self._url, api_key="wrong")

    def unreachable(self) -> Processor:
        return self._open("http://127.0.0.1:9")  # the discard port: nobody listens

    async def ask(self, path: str, **order: Any) -> Any:
        answer = await self.admin.post(f"/_sandbox/{path}", json=order)
        answer.raise_for_status()
        return answer.json()

    def _open(self, url: str, api_key: str = API_KEY, timeout_s: float = 30) -> SandboxProcessor:
        return SandboxProcessor(url, api_key, self.secrets, ACCOUNT, self.admin, timeout_s)


@contextlib.asynccontextmanager
async def sandbox_stage() -> AsyncIterator[SandboxStage]:
    received: list[WebhookRequest] = []
    async with running(_door(received)) as door_url:
        settings = ProcessorSandboxSettings(
            api_key=API_KEY,
            webhook_url=f"{door_url}/webhooks/sandbox",
            webhook_secret=SandboxStage.secrets[0],
            slow_answer_s=1.5,
            webhook_retries_s=(0.05,),
        )
        app = create_app(ManualClock(NOW), settings)
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
        at = datetime.fromtimestamp(int(timestamp), NOW.tzinfo)
        received.append(WebhookRequest(dict(request.headers), body, at))

    return door
