"""The strings behind the stand-in, as the cases of the contract pull them."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx
from acme_pay.adapter import AcmePay

from acme_pay_tests.stand_in import API_KEY, SECRETS, StandIn
from twintill.domain.money_back import DisputeStage
from twintill.money import Money
from twintill.processors import Processor, StoredMethod, WebhookRequest
from twintill.sandbox.serve import running
from twintill.testing import Behaviour, Fault, Lie, Trait

AT_ONCE = "Acme Pay says at once what became of a charge"
FAULTS = {
    Fault.CUT_BEFORE: "reset_before",
    Fault.CUT_AFTER: "reset_after",
    Fault.SILENT_BEFORE: "timeout_before",
    Fault.SILENT_AFTER: "timeout_after",
}
CHARGE = {"id": "ch_0", "reference": "tw-1", "amount": 4900, "currency": "EUR", "code": "never"}
LIES: Mapping[Lie, dict[str, Any]] = {
    Lie.OTHER_AMOUNT: {"amount": 4901},
    Lie.AMOUNT_NO_NUMBER: {"amount": "4900"},
    Lie.OTHER_CURRENCY: {"currency": "USD"},
    Lie.OTHER_REFERENCE: {"reference": "tw-2"},
    Lie.NO_ID: {"id": None},
    Lie.UNKNOWN_STATUS: {"status": "moonlit"},
}


class AcmeStage:
    lacks: Mapping[Behaviour | Lie | Trait, str] = {
        Behaviour.NEEDS_CUSTOMER: AT_ONCE,
        Behaviour.PENDS: AT_ONCE,
        Behaviour.PENDS_THEN_FAILS: AT_ONCE,
        Behaviour.FAILS_LATE: AT_ONCE,
        Behaviour.REFUND_FAILS: "Acme Pay gives nothing back",
        Lie.CONTRADICTION: "Acme Pay answers 201 to a decline, too",
        Trait.IN_FLIGHT: "Acme Pay makes the second request of a key wait for the first",
        Trait.BATCHES: "Acme Pay sends one event at a time",
        Trait.SIGNED_TIME: "Acme Pay signs no time",
        Trait.INEXACT: "Acme Pay counts its currencies as Stripe does",
        Trait.ODD_EXPONENT: "Acme Pay counts its currencies as Stripe does",
        Trait.NOT_ENABLED: "every account of Acme Pay may charge stored methods",
        Trait.SETUP_CANCELS: "nobody takes a session of Acme Pay back",
        Trait.SETUP_EXPIRES: "a session of Acme Pay stays open",
    }
    amount = Money(4900, "EUR")
    inexact = Money(1, "EUR")
    odd_exponent = (Money(1, "EUR"), 1)
    created_status = 201
    signers = tuple(SECRETS)
    signed_time_s = (0, 0)
    unknown_charge_id = "ch_none"
    unknown_dispute_id = "none"
    unknown_setup_id = "ses_none"
    unknown_method = StoredMethod("customer", "tok_none", "card")

    def __init__(self, acme: StandIn, url: str, client: httpx.AsyncClient) -> None:
        self._acme, self._url, self._client = acme, url, client
        self.processor: Processor = self._open()
        self.impatient: Processor = self._open(timeout_s=0.3)

    async def clear(self) -> None:
        self._acme.forget()

    async def now(self) -> datetime:
        return self._acme.now

    async def pass_days(self, days: float) -> None:
        self._acme.now += timedelta(days=days)

    async def method(self, behaviour: Behaviour) -> StoredMethod:
        return StoredMethod("customer", self._acme.add_method(behaviour.value), "card")

    async def break_line(self, fault: Fault) -> None:
        self._acme.faults.add({"kind": FAULTS[fault]})

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
        answer = {"code": status, "body": body, "headers": dict(headers or {}), "act": act}
        self._acme.faults.add({"kind": "status", **answer})

    async def lie_next(self, lie: Lie, about: Literal["charge", "refund"] = "charge") -> None:
        told = {**CHARGE, "status": "approved", **LIES[lie]}
        await self.answer_next(201, json.dumps(told), act=True)

    async def taken(self, reference: str) -> int:
        return sum(
            int(charge["amount"])
            for charge in self._acme.charges.values()
            if (charge["reference"], charge["status"]) == (reference, "approved")
        )

    async def charge_requests(self) -> int:
        return self._acme.charge_requests

    async def foreign_charge(self) -> str:
        token = self._acme.add_method("approved")
        order = {"reference": "shop-7", "amount": 777, "currency": "EUR", "token": token}
        return str(self._acme.charge(order)["id"])

    async def finish_setup(self, session_id: str) -> None:
        token = self._acme.add_method("approved")
        method = {"token": token, "last4": "4242"}
        self._acme.sessions[session_id] |= {"status": "complete", "method": method}

    async def revoke_as_customer(self, method: StoredMethod) -> None:
        self._acme.revoke(method.token)

    async def act_as_customer(self, processor_payment_id: str, *, approve: bool) -> None:
        raise AssertionError(AT_ONCE)

    async def dispute(self, processor_payment_id: str, *, taken: bool) -> str:
        raise AssertionError("Acme Pay is asked about no dispute")

    async def end_dispute(self, dispute_id: str, end: DisputeStage) -> None:
        raise AssertionError("Acme Pay is asked about no dispute")

    async def disable_account(self) -> None:
        raise AssertionError(self.lacks[Trait.NOT_ENABLED])

    async def webhooks(self) -> Sequence[WebhookRequest]:
        return list(self._acme.sent)

    async def stop_webhooks(self) -> None:
        self._acme.silent = True

    def sign(self, body: bytes, at: datetime, signer: str) -> WebhookRequest:
        return self._acme.sign(body, at, SECRETS.get(signer, "of somebody else"))

    def unreadable_events(self, event: bytes) -> Sequence[bytes]:
        told = json.loads(event)
        wrong: Sequence[Mapping[str, Any]] = ({"charge": 7}, {"charge": {}}, {"id": "\0"})
        return [json.dumps({**told, **one}).encode() for one in wrong]

    async def balance(self) -> int:
        return 0

    async def fees(self) -> int:
        return 0

    def with_wrong_credentials(self) -> Processor:
        return self._open(api_key="wrong")

    def unreachable(self) -> Processor:
        return self._open("http://127.0.0.1:9")  # the discard port: nobody listens

    def _open(
        self, url: str | None = None, api_key: str = API_KEY, timeout_s: float = 30
    ) -> AcmePay:
        secrets = tuple(SECRETS.values())
        return AcmePay(url or self._url, api_key, "shop-1", secrets, self._client, timeout_s)


@contextlib.asynccontextmanager
async def acme_stage() -> AsyncIterator[AcmeStage]:
    acme = StandIn()
    async with running(acme) as url, httpx.AsyncClient(trust_env=False) as client:
        yield AcmeStage(acme, url, client)
