"""The simulated processors: the real adapter on top, the sandbox's book of charges below, and a
network with weather between them. Three kinds, since they differ in what an in-doubt charge needs.

exact    finds a charge by our reference at once; a key answers what it answered first
lagging  shows a charge to the look-up minutes later; a key keeps approvals only
blind    cannot look up by reference at all; a key keeps approvals only
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx

from tests.simulation.faults import NEVER_ARRIVES, Answer, Hit, Network
from tests.simulation.houses import SECRET
from tests.simulation.loop import must_be_alive
from twintill.domain.outcomes import ChargeOutcome
from twintill.processors import Capabilities, LookUpBy, PreparedCharge, PreparedRefund
from twintill.processors.sandbox import SandboxProcessor
from twintill.processors.sandbox.webhooks import SIGNATURE_HEADER
from twintill.sandbox.processor import (
    ProcessorSandboxSettings,
    agenda,
    charging,
    giving_back,
    setups,
)
from twintill.sandbox.processor.objects import Charge, Event, Method
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.requests import page_of
from twintill.sandbox.processor.world import World as Book
from twintill.stripe_billing import signature

ALIVE = ("pending", "requires_action", "succeeded")
_STANDS_STILL_S = (61.0, 90.0, 400.0)  # longer than a lease


@dataclass(frozen=True)
class Kind:
    name: str
    window_s: int
    exact: bool
    look_up: LookUpBy
    lag_s: int
    own: Capabilities | None = None  # of a real processor's adapter
    approves_late: bool = True  # a decline may become an approval
    tells_of_refunds_by_hand: bool = True
    shows_declines: bool = True  # to a look-up: else one whose answer was lost never was
    shows_provisional: bool = True  # else what may still fail looks like any other money
    signs_the_time: bool = True  # else a webhook that comes again long after is believed

    def capabilities(self) -> Capabilities:
        return self.own or replace(
            SandboxProcessor.capabilities,
            key_window_s=self.window_s,
            replays_first_answer=self.exact,
            look_up=self.look_up,
            look_up_lag_s=self.lag_s,
            finds_refunds=self.look_up is LookUpBy.REFERENCE,
        )


EXACT = Kind("exact", 24 * 3600, exact=True, look_up=LookUpBy.REFERENCE, lag_s=0)
LAGGING = Kind("lagging", 6 * 3600, exact=False, look_up=LookUpBy.REFERENCE, lag_s=300)
BLIND = Kind("blind", 24 * 3600, exact=False, look_up=LookUpBy.NONE, lag_s=0)
KINDS = (EXACT, LAGGING, BLIND)


@dataclass
class Bank(httpx.AsyncBaseTransport):
    """The processor itself: what arrives here is done, under its own rules."""

    kind: Kind
    network: Network
    may_charge: Callable[[dict[str, Any], float, "Bank"], None]  # the rules that a charge breaks
    may_give_back: Callable[["Bank", Charge, dict[str, Any], float], None]
    may_drop: Callable[["Bank", Method], None]
    seed: int
    emit: Callable[[str, str], None]
    keys: dict[str, tuple[float, int, Any]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)  # declines that became approvals
    unanswered: list[float] = field(default_factory=list)  # when a request was not answered well
    on_its_way: Counter[str] = field(default_factory=Counter)  # charges, by invoice
    _told: int = 0

    def __post_init__(self) -> None:
        self.book = self.open_book()

    def open_book(self) -> Book:
        return Book(ProcessorSandboxSettings(api_key="sandbox_key_1", seed=self.seed))

    def invoice_of(self, request: httpx.Request, body: bytes) -> str | None:
        """Of a request that charges."""
        if request.method == "POST" and request.url.path == "/v1/charges":
            return str(json.loads(body)["metadata"]["invoice"])
        return None

    def named(self, request: httpx.Request) -> str:
        return f"{self.kind.name} {request.method} {request.url.path}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        what = self.named(request)
        invoice_id = self.invoice_of(request, body) or ""

        def chosen(hit: Hit) -> None:
            self.on_its_way[invoice_id] += hit not in NEVER_ARRIVES

        def arrive(sent_s: float) -> tuple[int, Any]:
            self.on_its_way[invoice_id] -= 1
            status, answer = self.serve(request, body, sent_s)
            shown = answer.get("status", "") if isinstance(answer, dict) else ""
            self.network.trace.say("processor", f"{what} -> {status} {shown}".rstrip())
            return status, answer

        share = self.network.weather.processor_faults
        try:
            answer = await self.network.carry(what, share, arrive, chosen=chosen)
        except BaseException:
            self.unanswered.append(asyncio.get_running_loop().time())
            raise
        if answer.hit is not Hit.NONE:
            self.unanswered.append(asyncio.get_running_loop().time())
        return _as_http(request, answer)

    def method(self, magic: str) -> Method:
        chosen = self.magic_of(magic)
        return setups.create_method(self.book, self.book.new_id("pcus"), chosen, self.now())

    def magic_of(self, magic: str) -> str:
        return magic

    def revoke(self, token: str) -> None:
        if self.book.methods[token].status == "active":
            setups.revoke_method(self.book, token, by="customer", now=self.now())
            self.tell()

    def withdraw(self, token: str, status: str) -> None:
        """By its bank: expired or blocked; "active" takes that back."""
        if self.book.methods[token].status != "revoked":
            setups.withdraw_method(self.book, token, status, self.now())
            self.tell()

    def approve_late(self, charge: Charge) -> None:
        self.late.add(charge.id)
        charging.approve_late(self.book, charge.id, self.now())
        self.tell()

    def give_back(
        self, charge_id: str, minor: int, reference: str | None, *, silently: bool = False
    ) -> Any:
        """Raises Refusal: never more than is left of the charge."""
        now = self.now()
        self.tell()
        refund = giving_back.refund_charge(self.book, charge_id, minor, reference, now)
        if silently:
            self._told = len(self.book.events)
        self.tell()
        return refund.to_json()

    def dispute(self, step: Callable[[Book, datetime], Any], *, silently: bool) -> Any:
        """One step of a dispute, which its webhook may not tell of. Raises Refusal."""
        self.tell()
        done = step(self.book, self.now())
        if silently:
            self._told = len(self.book.events)
        self.tell()
        return done

    def resolve_action(self, charge: Charge, *, approved: bool) -> None:
        charging.resolve_action(self.book, charge.id, self.now(), approved=approved)
        self.tell()

    def catch_up(self) -> None:
        agenda.catch_up(self.book, self.now())
        self.tell()

    def has_plans(self) -> bool:
        """Beside its payouts, which wait for a balance as long as it takes."""
        return any(planned.step != "pay_out" for planned in self.book._agenda)

    def tell(self) -> None:
        """Everything new goes out by webhook."""
        for event in self.book.events[self._told :]:
            self.emit(self.kind.name, self.body_of(event))
        self._told = len(self.book.events)

    def body_of(self, event: Event) -> str:
        return json.dumps({"events": [event.to_json()]})

    def sign(self, body: bytes, secret: str, now: datetime) -> dict[str, str]:
        return {SIGNATURE_HEADER: signature.sign(body, secret, now)}

    def now(self) -> datetime:
        return datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)

    def serve(self, request: httpx.Request, body: bytes, sent_s: float) -> tuple[int, Any]:
        self.catch_up()
        path = request.url.path
        try:
            if request.method == "POST" and path == "/v1/charges":
                key = request.headers["idempotency-key"]
                return self._charge(key, json.loads(body), sent_s)
            if path == "/v1/charges":
                return 200, self._find(parse_qs(request.url.query.decode())["reference"][0])
            if path.endswith("/cancel") and path.startswith("/v1/charges/"):
                charge = charging.cancel_charge(self.book, path.split("/")[3], self.now())
                return 200, charge.to_json()
            if path.startswith("/v1/methods/") and request.method == "GET":
                return 200, self.book.method(path.rsplit("/", 1)[1]).to_json()
            if path.startswith("/v1/methods/"):
                method = self.book.methods[path.rsplit("/", 1)[1]]
                if method.status != "revoked":  # else nothing is dropped any more
                    self.may_drop(self, method)
                setups.revoke_method(self.book, path.rsplit("/", 1)[1], "merchant", self.now())
                return 204, {}
            if path.endswith("/refunds") and request.method == "POST":
                key = request.headers["idempotency-key"]
                return self._give_back(path.split("/")[3], key, json.loads(body), sent_s)
            if path in _LISTS:
                return 200, _LISTS[path](self, parse_qs(request.url.query.decode()))
            if path.startswith("/v1/disputes/"):
                return 200, self.book.dispute(path.rsplit("/", 1)[1]).to_json()
            return 200, self.book.charge(path.rsplit("/", 1)[1]).to_json()
        except Refusal as refusal:
            return refusal.status, refusal.to_json()
        finally:
            self.tell()

    def _list_disputes(self, query: dict[str, list[str]]) -> dict[str, Any]:
        since = datetime.fromisoformat(query["opened_since"][0])
        rows = [d for d in self.book.disputes.values() if d.created >= since]
        return page_of(rows, query.get("after", [None])[0], int(query["limit"][0]))

    def _list_events(self, query: dict[str, list[str]]) -> Any:
        since = datetime.fromisoformat(query["created_since"][0])
        rows = [event for event in self.book.events if event.created >= since]
        return page_of(rows, query.get("after", [None])[0], int(query["limit"][0]))

    def _list_movements(self, query: dict[str, list[str]]) -> Any:
        since = datetime.fromisoformat(query["created_from"][0])
        rows = [movement for movement in self.book.book if movement.created >= since]
        return page_of(rows, query.get("after", [None])[0], int(query["limit"][0]))

    def _charge(self, key: str, order: dict[str, Any], sent_s: float) -> tuple[int, Any]:
        now_s = asyncio.get_running_loop().time()
        known = self.keys.get(key)
        if known is not None and now_s - known[0] < self.kind.window_s:
            return known[1], known[2]
        self.may_charge(order, sent_s, self)
        if self.kind is not EXACT:
            # Unlike the sandbox, these two do not refuse a reference that is in use.
            former = self.book.by_reference.pop(order["reference"], [])
        charge = charging.create_charge(
            self.book, charging.Order(**order), "http://processor", self.now()
        )
        if self.kind is not EXACT:
            self.book.by_reference[charge.reference] = [*former, charge]
        status = 402 if charge.status == "declined" else 201
        if self.kind.exact or status == 201:
            self.keys[key] = (now_s, status, charge.to_json())
        return status, charge.to_json()

    def _give_back(
        self, charge_id: str, key: str, order: dict[str, Any], sent_s: float
    ) -> tuple[int, Any]:
        now_s = asyncio.get_running_loop().time()
        known = self.keys.get(key)
        if known is not None and now_s - known[0] < self.kind.window_s:
            return known[1], known[2]
        self.may_give_back(self, self.book.charge(charge_id), order, sent_s)
        try:
            status, answer = 201, self.give_back(charge_id, order["amount"], order["reference"])
        except Refusal as refusal:
            status, answer = refusal.status, refusal.to_json()
        if self.kind.exact or status == 201:
            self.keys[key] = (now_s, status, answer)
        return status, answer

    def _list_refunds(self, query: dict[str, list[str]]) -> Any:
        """Of one charge, or all since a time."""
        shown_until = self.now() - timedelta(seconds=self.kind.lag_s)
        charge_id, since = query.get("charge", [None])[0], query.get("created_since", [None])[0]
        found = [
            refund
            for refund in self.book.refunds.values()
            if charge_id in (None, refund.charge)
            and refund.created <= shown_until
            and (since is None or refund.created >= datetime.fromisoformat(since))
        ]
        return page_of(found, query.get("after", [None])[0], int(query["limit"][0]))

    def _find(self, reference: str) -> Any:
        shown_until = self.now() - timedelta(seconds=self.kind.lag_s)
        found = [
            charge.to_json()
            for charge in self.book.by_reference.get(reference, ())
            if charge.created <= shown_until
        ]
        return {"object": "list", "data": found, "has_more": False}


_LISTS: Mapping[str, Callable[[Bank, dict[str, list[str]]], Any]] = {
    "/v1/refunds": Bank._list_refunds,
    "/v1/disputes": Bank._list_disputes,
    "/v1/events": Bank._list_events,
    "/v1/transactions": Bank._list_movements,
}


class StandsStill:
    """Before a real adapter: a process that may stand still with an answer in its hand."""

    bank: Bank

    async def charge(self, prepared: PreparedCharge) -> ChargeOutcome:
        return await self._perhaps_stand_still(await super().charge(prepared))  # type: ignore[misc]

    async def refund(self, prepared: PreparedRefund) -> ChargeOutcome:
        return await self._perhaps_stand_still(await super().refund(prepared))  # type: ignore[misc]

    async def _perhaps_stand_still(self, outcome: ChargeOutcome) -> ChargeOutcome:
        network = self.bank.network
        if network.stormy(network.weather.stalls):
            network.trace.say("network", f"a process stands still with {type(outcome).__name__}")
            network.disturbed.append(asyncio.get_running_loop().time())
            await asyncio.sleep(network.rng.choice(_STANDS_STILL_S))
        must_be_alive()
        return outcome


class SimProcessor(StandsStill, SandboxProcessor):
    def __init__(self, bank: Bank) -> None:
        client = httpx.AsyncClient(transport=bank, trust_env=False)
        super().__init__("http://processor", "k", (SECRET,), f"acct_{bank.kind.name}", client)
        self.name = bank.kind.name
        self.capabilities = bank.kind.capabilities()
        self.bank = bank


def _as_http(request: httpx.Request, answer: Answer[tuple[int, Any]]) -> httpx.Response:
    match answer.hit:
        case Hit.REFUSED:
            raise httpx.ConnectError("refused", request=request)
        case Hit.RESET:
            raise httpx.ReadError("reset", request=request)
        case Hit.ERROR_BEFORE | Hit.ERROR_AFTER:
            return httpx.Response(500, json={})
        case Hit.THROTTLED:
            return httpx.Response(429, headers={"retry-after": "20"})
        case Hit.FORBIDDEN:
            return httpx.Response(401, json={})
        case Hit.GARBLED:
            return httpx.Response(201, content=b"<html>welcome</html>")
    assert answer.value is not None
    status, body = answer.value
    if isinstance(body, bytes):
        return httpx.Response(status, content=body)
    return httpx.Response(status, json=body) if status != 204 else httpx.Response(204)
