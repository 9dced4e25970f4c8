"""PayPal as a stage: the stand-in on a free port, its clock in our hand, its root trusted."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Request

from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest
from twintill.processors.paypal import Account, PayPalProcessor, Trust
from twintill.sandbox.clock import ManualClock
from twintill.sandbox.paypal import PayPalSandboxSettings, create_app
from twintill.sandbox.paypal.certificates import COMMON_NAME, Signer, make_signer
from twintill.sandbox.serve import running
from twintill.testing import Behaviour, Fault, Lie, Trait

BEGUN = datetime(2024, 3, 1, 12, tzinfo=UTC)
CLIENT, SECRET, MERCHANT = "a-client", "a-secret", "SANDBXMERCHNT"
WEBHOOKS = {"new": "4JH86294D6297924G", "old": "1AB23456CD789012E"}
METHODS = {
    Behaviour.APPROVED: "wallet_ok",
    Behaviour.SOFT: "card_declined",
    Behaviour.HARD: "card_hard_declined",
    Behaviour.STOLEN: "card_stolen",
    Behaviour.EXPIRED: "card_expired",
    Behaviour.DECLINES_ONCE: "card_declines_once",
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
API = "^/v[123]/(?!oauth2|notifications/certs)"  # an access token is fetched before a request
TRANSMISSION = "b2b1c2f0-1111-11f0-8000-000000000001"
CAPTURE_ID = "3C679366HH908993F"
CAPTURE: dict[str, Any] = {
    "id": CAPTURE_ID,
    "status": "COMPLETED",
    "amount": {"currency_code": "EUR", "value": "49.00"},
    "custom_id": "tw-1",
    "invoice_id": "in_1",
}
LIES: Mapping[Lie, dict[str, Any]] = {
    Lie.OTHER_AMOUNT: {"amount": {"currency_code": "EUR", "value": "49.01"}},
    Lie.AMOUNT_NO_NUMBER: {"amount": {"currency_code": "EUR", "value": 49}},
    Lie.OTHER_CURRENCY: {"amount": {"currency_code": "USD", "value": "49.00"}},
    Lie.OTHER_REFERENCE: {"custom_id": "tw-2"},
    Lie.NO_ID: {"id": None},
    Lie.UNKNOWN_STATUS: {"status": "MOONLIT"},
}
POISON: tuple[dict[str, Any], ...] = (
    {"resource": 7},
    {"resource": {}},
    {"create_time": "yesterday"},
    {"resource": CAPTURE | {"id": "\0"}},
    {"resource": CAPTURE | {"status": "PENDING"}},
    {"resource": CAPTURE | {"amount": None}},
)


class PayPalStage:
    lacks: Mapping[Behaviour | Lie | Trait, str] = {
        Behaviour.NEEDS_CUSTOMER: "PayPal refuses such a charge, and waits for nobody",
        Lie.CONTRADICTION: "PayPal answers a declined capture with 201, too",
        Trait.BATCHES: "PayPal sends one event at a time",
        Trait.SETUP_CANCELS: "PayPal takes no setup token back: it ends by itself",
        Trait.KNOWS_REVOKED: "PayPal knows no token that was deleted",
        Trait.TOLD_DECLINES: "a charge that was refused at once is no capture, and told by nobody",
    }
    amount = Money(4900, "EUR")
    inexact = Money(1050, "HUF")
    odd_exponent = (Money(105_000, "HUF"), 1050)
    created_status = 201
    signers = tuple(WEBHOOKS)
    signed_time_s = (4 * 86_400, 300)
    unknown_charge_id = "0PG12345AB678901C"
    unknown_dispute_id = "PP-D-1"
    unknown_setup_id = "0ST12345AB678901C"
    unknown_method = StoredMethod("0000000000", "nobody12", "wallet")

    def __init__(self, url: str, admin: httpx.AsyncClient, received: list[WebhookRequest]) -> None:
        self._url = url
        self.admin = admin
        self._received = received
        self._signer = make_signer()
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
        return StoredMethod(method["customer"], method["token"], "wallet")

    async def break_line(self, fault: Fault) -> None:
        await self._order_fault(kind=FAULTS[fault])

    async def too_many_requests(self, wait_s: int) -> None:
        body = json.dumps({"name": "RATE_LIMIT_REACHED", "message": "Too many requests."})
        await self.answer_next(429, body, {"Retry-After": str(wait_s)})

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
        told = {**CAPTURE, **LIES[lie]}
        order = {
            "id": "5O190127TN364715T",
            "status": "COMPLETED",
            "purchase_units": [{"reference_id": "default", "payments": {"captures": [told]}}],
        }
        if about == "refund":
            (charge,) = (await self._state())["charges"]
            up = f"{self._url}/v2/payments/captures/{charge['id']}"
            told |= {"links": [{"href": up, "rel": "up", "method": "GET"}]}
            told["custom_id"] = {"tw-1": "tw-r1"}.get(told["custom_id"], told["custom_id"])
        await self.answer_next(201, json.dumps(order if about == "charge" else told), act=True)

    async def taken(self, reference: str) -> int:
        taken = ("charge", "charge_failure")
        return sum(
            int(line["amount"])
            for line in (await self._state())["transactions"]
            if line["reference"] == reference and line["type"] in taken
        )

    async def charge_requests(self) -> int:
        log = (await self.admin.get("/_sandbox/requests")).json()
        return sum((one["method"], one["path"]) == ("POST", "/v2/checkout/orders") for one in log)

    async def foreign_charge(self) -> str:
        method = await self.method(Behaviour.APPROVED)
        granted = await self.admin.post(
            "/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=(CLIENT, SECRET)
        )
        body = {
            "intent": "CAPTURE",
            "purchase_units": [{"amount": {"currency_code": "EUR", "value": "7.77"}}],
            "payment_source": {"paypal": {"vault_id": method.token}},
        }
        headers = {
            "Authorization": f"Bearer {granted.json()['access_token']}",
            "PayPal-Request-Id": "till-2-0001",
            "Prefer": "return=representation",
        }
        made = await self.admin.post("/v2/checkout/orders", json=body, headers=headers)
        (unit,) = made.raise_for_status().json()["purchase_units"]
        return str(unit["payments"]["captures"][0]["id"])

    async def finish_setup(self, session_id: str) -> None:
        await self.ask(f"setup_sessions/{session_id}/complete", method="wallet_ok")

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
        await self.ask("account", may_store=False)

    async def webhooks(self) -> Sequence[WebhookRequest]:
        await self.ask("tick")
        return list(self._received)

    async def stop_webhooks(self) -> None:
        await self.ask("faults", kind="webhook_drop", times=1_000_000)

    def sign(self, body: bytes, at: datetime, signer: str) -> WebhookRequest:
        """A stranger has a key of his own, and points to PayPal's certificate."""
        ours = self._signer
        if signer not in WEBHOOKS:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            ours = Signer(key, ours.certificate_id, ours.chain_pem, ours.root_pem)
        time = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        webhook_id = WEBHOOKS.get(signer, WEBHOOKS["new"])
        signature = ours.sign(TRANSMISSION, time, webhook_id, body)
        headers = {
            "paypal-auth-algo": "SHA256withRSA",
            "paypal-cert-url": f"{self._url}/v1/notifications/certs/{ours.certificate_id}",
            "paypal-transmission-id": TRANSMISSION,
            "paypal-transmission-time": time,
            "paypal-transmission-sig": signature,
        }
        return WebhookRequest(headers, body, at)

    def unreadable_events(self, event: bytes) -> Sequence[bytes]:
        told = json.loads(event)
        return [json.dumps(told | poison).encode() for poison in POISON]

    async def balance(self) -> int:
        return int((await self._state())["balances"].get("EUR", 0))

    async def fees(self) -> int:
        lines = (await self._state())["transactions"]
        return -sum(int(line["amount"]) for line in lines if line["type"] == "fee")

    def with_wrong_credentials(self) -> Processor:
        return self._open(self._url, secret="wrong")

    def unreachable(self) -> Processor:
        return self._open("http://127.0.0.1:9")  # the discard port: nobody listens

    async def ask(self, path: str, **order: Any) -> Any:
        answer = await self.admin.post(f"/_sandbox/{path}", json=order)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def _order_fault(self, **fault: Any) -> None:
        await self.ask("faults", match={"path_regex": API}, **fault)

    async def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = (await self.admin.get("/_sandbox/state")).json()
        return state

    def _open(self, url: str, secret: str = SECRET, timeout_s: float = 28) -> PayPalProcessor:
        account = Account(MERCHANT, CLIENT, secret, tuple(WEBHOOKS.values()))
        trust = Trust((self._url,), (COMMON_NAME,), self._signer.root_pem)
        return PayPalProcessor(
            url, account, trust, client=self.admin, timeout_s=timeout_s, clock=None
        )


@contextlib.asynccontextmanager
async def paypal_stage() -> AsyncIterator[PayPalStage]:
    received: list[WebhookRequest] = []
    async with running(_door(received)) as door_url:
        settings = PayPalSandboxSettings(
            api_key=SECRET,
            client_id=CLIENT,
            account_id=MERCHANT,
            webhook_url=f"{door_url}/webhooks/paypal",
            webhook_secret=WEBHOOKS["new"],
            most_per_page=2,
            slow_answer_s=1.5,
            webhook_retries_s=(0.05,),
        )
        app = create_app(ManualClock(BEGUN), settings)
        async with running(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as admin:
            yield PayPalStage(url, admin, received)


def _door(received: list[WebhookRequest]) -> FastAPI:
    """Stands where Twintill's webhook door would: keeps what comes, as it comes."""
    door = FastAPI()

    @door.post("/webhooks/paypal")
    async def receive(request: Request) -> None:
        # The clock in our hand may have been moved while it was on its way.
        at = datetime.fromisoformat(request.headers["paypal-transmission-time"])
        received.append(WebhookRequest(dict(request.headers), await request.body(), at))

    return door
