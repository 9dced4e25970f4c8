"""The stand-in GoCardless as a stage: the real server on a free port, its clock in our hand."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import httpx
from fastapi import FastAPI, Request

from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest
from twintill.processors.gocardless import GoCardless
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.gocardless import create_app, gocardless_settings, sign
from twintill.sandbox.serve import running
from twintill.testing import Behaviour, Fault, Lie, Trait

BEGUN = datetime(2024, 1, 2, 9, tzinfo=UTC)
TOKEN = "sandbox_token_for_tests"
CREDITOR = "CR000070S65B1S"
SECRETS = {"new": "secret_new", "old": "secret_old"}
METHODS = {
    Behaviour.APPROVED: "debit_ok",
    Behaviour.SOFT: "debit_fails",
    Behaviour.HARD: "debit_deceased",
    Behaviour.EXPIRED: "debit_moved",
    Behaviour.DECLINES_ONCE: "debit_declines_once",
    Behaviour.PENDS: "debit_ok",
    Behaviour.PENDS_THEN_FAILS: "debit_fails",
    Behaviour.FAILS_LATE: "debit_fails_late",
    Behaviour.SLOW: "debit_slow",
    Behaviour.REFUND_FAILS: "debit_refund_fails",
}
FAULTS = {
    Fault.CUT_BEFORE: "reset_before",
    Fault.CUT_AFTER: "reset_after",
    Fault.SILENT_BEFORE: "timeout_before",
    Fault.SILENT_AFTER: "timeout_after",
}
LIES: Mapping[Lie, dict[str, Any]] = {
    Lie.OTHER_AMOUNT: {"amount": 4901},
    Lie.AMOUNT_NO_NUMBER: {"amount": "much"},
    Lie.OTHER_CURRENCY: {"currency": "USD"},
    Lie.OTHER_REFERENCE: {"metadata": {"reference": "tw-2"}},
    Lie.NO_ID: {"id": None},
    Lie.UNKNOWN_STATUS: {"status": "moonlit"},
}
POISON: tuple[Any, ...] = (
    7,
    {},
    {"id": "EV1", "resource_type": "payments", "action": "confirmed", "links": {}},
    {"id": "EV1", "resource_type": "payments", "action": 5, "links": {"payment": "PM1"}},
    {"id": "\0", "resource_type": "payments", "action": "failed", "links": {"payment": "PM1"}},
)
NOBODY_ASKS = "a bank debit asks nobody: the mandate was the customer's word"


class GoCardlessStage:
    lacks: Mapping[Behaviour | Lie | Trait, str] = {
        Behaviour.STOLEN: "banks name no fraud when a debit fails",
        Behaviour.NEEDS_CUSTOMER: NOBODY_ASKS,
        Lie.CONTRADICTION: "nothing is decided in an answer: there is nothing to contradict",
        Trait.UNIQUE_REFERENCE: "nothing about a payment must be unique but its key",
        Trait.IN_FLIGHT: "what a key hears while its first request is worked on is undocumented",
        Trait.SIGNED_TIME: "the signature is of the body alone",
        Trait.INEXACT: "all its currencies have two decimals, as at Stripe",
        Trait.ODD_EXPONENT: "all its currencies have two decimals, as at Stripe",
        Trait.SETUP_EXPIRES: "a billing request waits for ever; only its page expires",
        Trait.UNTAKEN_DISPUTES: "a chargeback takes the money at once",
        Trait.ACCEPTED_DISPUTES: "a chargeback is not answered",
    }
    amount = Money(4900, "EUR")
    inexact = Money(1, "EUR")
    odd_exponent = (Money(1, "EUR"), 1)
    created_status = 201
    signers = tuple(SECRETS)
    signed_time_s = (0, 0)
    unknown_charge_id = "PM000NOBODY000"
    unknown_dispute_id = "PM000NOBODY000"
    unknown_setup_id = "BRQ000NOBODY00"
    unknown_method = StoredMethod("CU000NOBODY000", "MD000NOBODY000", "bank_debit")

    def __init__(self, url: str, admin: httpx.AsyncClient, received: list[WebhookRequest]) -> None:
        self._url = url
        self.admin = admin  # may also call the API: it carries the token
        self._received = received
        self._mandate = ""  # the last one
        self.processor: Processor = self._open(url)
        self.impatient: Processor = self._open(url, timeout_s=0.3)

    async def clear(self) -> None:
        (await self.admin.post("/_sandbox/reset")).raise_for_status()
        self._received.clear()

    async def now(self) -> datetime:
        return datetime.fromisoformat((await self._state())["now"])

    async def pass_days(self, days: float) -> None:
        await self.ask("clock", advance_s=days * 86_400)

    async def method(self, behaviour: Behaviour) -> StoredMethod:
        method = await self.ask("methods", method=METHODS[behaviour])
        self._mandate = method["token"]
        return StoredMethod(method["customer"], method["token"], method["kind"])

    async def break_line(self, fault: Fault) -> None:
        await self._order_fault(kind=FAULTS[fault])

    async def too_many_requests(self, wait_s: int) -> None:
        """Its headers tell the moment from which on it may be asked again."""
        until = datetime.now(UTC) + timedelta(seconds=wait_s)
        error = {
            "type": "invalid_api_usage",
            "code": 429,
            "message": "Rate limit exceeded",
            "errors": [{"reason": "rate_limit_exceeded", "message": "Rate limit exceeded"}],
        }
        headers = {"RateLimit-Reset": format_datetime(until, usegmt=True)}
        await self.answer_next(429, json.dumps({"error": error}), headers)

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
        charges = (await self._state())["charges"]
        told: dict[str, Any] = {
            "id": "PM1",
            "amount": 4900,
            "currency": "EUR",
            "status": "pending_submission",
            "charge_date": "2026-03-05",
            "metadata": {"reference": "tw-1"},
            "links": {"mandate": self._mandate},
        }
        if about == "refund":
            told |= {"id": "RF1", "metadata": {"reference": "tw-r1"}}
            told["links"] = {"payment": charges[0]["id"]}
        what = "payments" if about == "charge" else "refunds"
        await self.answer_next(201, json.dumps({what: {**told, **LIES[lie]}}), act=True)

    async def taken(self, reference: str) -> int:
        state = await self._state()
        ours = [
            one["id"] for one in state["charges"] if one["metadata"].get("reference") == reference
        ]
        kinds = ("charge", "charge_failure", "refund", "dispute", "dispute_reversal")
        return sum(
            int(line["amount"])
            for line in state["transactions"]
            if line["charge"] in ours and line["type"] in kinds
        )

    async def charge_requests(self) -> int:
        log = (await self.admin.get("/_sandbox/requests")).json()
        return sum((one["method"], one["path"]) == ("POST", "/payments") for one in log)

    async def foreign_charge(self) -> str:
        made = await self.ask("methods", method="debit_ok")
        body = {"amount": 777, "currency": "EUR", "links": {"mandate": made["token"]}}
        answer = await self.admin.post("/payments", json={"payments": body})
        return str(answer.raise_for_status().json()["payments"]["id"])

    async def finish_setup(self, session_id: str) -> None:
        await self.ask(f"setup_sessions/{session_id}/complete", method="debit_ok")

    async def revoke_as_customer(self, method: StoredMethod) -> None:
        await self.ask(f"methods/{method.token}/revoke_by_customer")

    async def act_as_customer(self, processor_payment_id: str, *, approve: bool) -> None:
        raise AssertionError(NOBODY_ASKS)

    async def dispute(self, processor_payment_id: str, *, taken: bool) -> str:
        """Of a payment that was paid out: of that alone an end is told."""
        assert taken
        await self.pass_days(7)
        await self.ask(f"charges/{processor_payment_id}/dispute")
        return processor_payment_id

    async def end_dispute(self, dispute_id: str, end: DisputeStage) -> None:
        """It is lost when it is taken out of a payout: so there must be one."""
        disputes = (await self._state())["disputes"]
        its_id = next(one["id"] for one in disputes if one["charge"] == dispute_id)
        await self.ask(f"disputes/{its_id}/resolve", outcome=end.value)
        if end is DisputeStage.LOST:
            for _ in range(8):
                await self.foreign_charge()
            await self.pass_days(14)

    async def disable_account(self) -> None:
        switches = {"direct_debit_is_enabled": False}
        (await self.admin.post("/_sandbox/account", json=switches)).raise_for_status()

    async def webhooks(self) -> Sequence[WebhookRequest]:
        await self.ask("tick")
        return list(self._received)

    async def stop_webhooks(self) -> None:
        await self.ask("faults", kind="webhook_drop", times=1_000_000)

    def sign(self, body: bytes, at: datetime, signer: str) -> WebhookRequest:
        signature = sign(SECRETS.get(signer, "of somebody else"), body)
        return WebhookRequest({"webhook-signature": signature}, body, at)

    def unreadable_events(self, event: bytes) -> Sequence[bytes]:
        told = json.loads(event)["events"]
        return [json.dumps({"events": [poison, *told]}).encode() for poison in POISON]

    async def balance(self) -> int:
        return int((await self._state())["balances"].get("EUR", 0))

    async def fees(self) -> int:
        book = (await self._state())["transactions"]
        return -sum(int(line["amount"]) for line in book if line["type"] == "fee")

    def with_wrong_credentials(self) -> Processor:
        return self._open(self._url, token="wrong")

    def unreachable(self) -> Processor:
        return self._open("http://127.0.0.1:9")  # the discard port: nobody listens

    async def ask(self, path: str, **order: Any) -> Any:
        answer = await self.admin.post(f"/_sandbox/{path}", json=order)
        return answer.raise_for_status().json()

    async def _order_fault(self, **fault: Any) -> None:
        await self.ask("faults", **fault)

    async def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self.admin.get("/_sandbox/state")).json()
        return state

    def _open(self, url: str, token: str = TOKEN, timeout_s: float = 30) -> GoCardless:
        return GoCardless(token, tuple(SECRETS.values()), CREDITOR, url, self.admin, timeout_s)


@contextlib.asynccontextmanager
async def gocardless_stage() -> AsyncIterator[GoCardlessStage]:
    received: list[WebhookRequest] = []
    async with running(_door(received)) as door_url:
        settings = gocardless_settings(
            TOKEN,
            webhook_url=f"{door_url}/webhooks/gocardless",
            webhook_secret=SECRETS["new"],
            slow_answer_s=1.5,
            most_per_page=2,
            webhook_retries_s=(0.05,),
        )
        app = create_app(ManualClock(BEGUN), settings)
        headers = {"Authorization": f"Bearer {TOKEN}", "GoCardless-Version": "2015-07-06"}
        async with (
            running(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as admin,
        ):
            yield GoCardlessStage(url, admin, received)


def _door(received: list[WebhookRequest]) -> FastAPI:
    """Stands where Twintill's webhook door would: keeps what comes, as it comes."""
    door = FastAPI()

    @door.post("/webhooks/gocardless")
    async def receive(request: Request) -> None:
        body, at = await request.body(), datetime.now(UTC)
        received.append(WebhookRequest(dict(request.headers), body, at))

    return door
