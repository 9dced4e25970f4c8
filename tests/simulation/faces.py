"""Real processors in a world: the real adapter on top, and below it the stand-in that speaks their
API over the same engine, with their own windows, lags, signatures and webhooks.

paypal      finds a charge hours later, keeps a key for six hours, takes no invoice's second payment
gocardless  tells days later what became of a charge; a key that was used names what it made
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import httpx

from tests.simulation.faults import Weather
from tests.simulation.houses import SECRET
from tests.simulation.loop import SimLoop
from tests.simulation.processor import EXACT, KINDS, Bank, Kind, SimProcessor, StandsStill
from twintill.processors import LookUpBy, Processor
from twintill.processors.gocardless import GoCardless
from twintill.processors.paypal import Account, PayPalProcessor, Trust, access, certificates
from twintill.sandbox.gocardless.face import SIGNATURE_HEADER, sign
from twintill.sandbox.gocardless.face import GoCardless as GoCardlessFace
from twintill.sandbox.gocardless.settings import gocardless_settings
from twintill.sandbox.paypal import PayPalSandboxSettings
from twintill.sandbox.paypal.certificates import COMMON_NAME
from twintill.sandbox.paypal.face import PayPalFace
from twintill.sandbox.processor.deliveries import Endpoint
from twintill.sandbox.processor.face import Call, Face, Reply
from twintill.sandbox.processor.objects import Charge, Event, Refund
from twintill.sandbox.processor.world import World as Book

ADDRESS = "http://processor"
_KEY = "sandbox_key_1"
_ORDERS, _PAYMENTS = "/v2/checkout/orders", "/payments"
_DROPS = re.compile(r"/v3/vault/payment-tokens/([^/]+)|/mandates/([^/]+)/actions/cancel")
_CERTIFICATE = "/v1/notifications/certs/"

PAYPAL = Kind(
    "paypal",
    window_s=PayPalProcessor.capabilities.key_window_s,
    exact=False,
    look_up=LookUpBy.REFERENCE,
    lag_s=PayPalProcessor.capabilities.look_up_lag_s,
    own=PayPalProcessor.capabilities,
    approves_late=False,
    shows_declines=False,  # a refused order is nowhere in its reports
    shows_provisional=False,  # an eCheck is COMPLETED, and may be REVERSED days later
)
GOCARDLESS = Kind(
    "gocardless",
    window_s=GoCardless.capabilities.key_window_s,
    exact=False,
    look_up=LookUpBy.REFERENCE,
    lag_s=GoCardless.capabilities.look_up_lag_s,
    own=GoCardless.capabilities,
    approves_late=False,
    tells_of_refunds_by_hand=False,  # they carry nothing of ours: the list tells
    signs_the_time=False,
)
# The exact one beside a real one, so that methods can be switched between two.
WORLDS = {
    "sandbox": KINDS,
    "paypal": (PAYPAL, EXACT),
    "gocardless": (GOCARDLESS, EXACT),
}


def weather(drawn: Weather, processor: str) -> Weather:
    """Without what this processor does not have: a chargeback at GoCardless is of all of it."""
    if processor == "gocardless":
        return replace(drawn, partial=0.0, disputes=0.0)
    return drawn if processor == "sandbox" else replace(drawn, partial=0.0)


@contextmanager
def on_the_worlds_clock(loop: SimLoop) -> Iterator[None]:
    """What adapters measure on the machine's clock; it decides nothing about money."""
    modules = vars(access), vars(certificates)
    for module in modules:
        module["time"] = SimpleNamespace(monotonic=loop.time)
    try:
        yield
    finally:
        for module in modules:
            module["time"] = time


@dataclass
class FaceBank(Bank):
    """What arrives is answered by a face; the world's rules see each charge and refund it makes."""

    def open_book(self) -> Book:
        if self.kind is PAYPAL:
            settings = PayPalSandboxSettings(api_key=_KEY, seed=self.seed, public_url=ADDRESS)
            self.face: Face = PayPalFace(settings)
            return Book(settings, self.face)
        self.face = GoCardlessFace()
        return Book(gocardless_settings(_KEY, seed=self.seed), self.face)

    def invoice_of(self, request: httpx.Request, body: bytes) -> str | None:
        if request.method != "POST":
            return None
        if request.url.path == _ORDERS:
            return str(json.loads(body)["purchase_units"][0]["invoice_id"])
        if request.url.path == _PAYMENTS:
            return str(json.loads(body)["payments"]["metadata"]["invoice"])
        return None

    def magic_of(self, magic: str) -> str:
        known = magic in self.book.dialect.methods
        return magic if known else {"card_needs_customer": "card_declined"}.get(magic, "card_ok")

    def body_of(self, event: Event) -> str:
        letter = self.face.write(self._endpoint("none"), [event], "none", self.now())
        return letter.body.decode()

    def sign(self, body: bytes, secret: str, now: datetime) -> dict[str, str]:
        if isinstance(self.face, GoCardlessFace):
            return {SIGNATURE_HEADER.lower(): sign(secret, body)}
        assert isinstance(self.face, PayPalFace)
        signer = self.face.state.signer
        sent = hashlib.sha256(body).hexdigest()[:36]
        at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "paypal-transmission-id": sent,
            "paypal-transmission-time": at,
            "paypal-transmission-sig": signer.sign(sent, at, secret, body),
            "paypal-cert-url": f"{ADDRESS}{_CERTIFICATE}{signer.certificate_id}",
            "paypal-auth-algo": "SHA256withRSA",
        }

    def named(self, request: httpx.Request) -> str:
        """The certificate's name is drawn anew in every process."""
        if request.url.path.startswith(_CERTIFICATE):
            return f"{self.kind.name} {request.method} {_CERTIFICATE}"
        return super().named(request)

    def serve(self, request: httpx.Request, body: bytes, sent_s: float) -> tuple[int, Any]:
        self.catch_up()
        self._before_a_method_is_dropped(request)
        charges, refunds = set(self.book.charges), set(self.book.refunds)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            request.method, request.url.path, request.url.query.decode(), headers, body, ADDRESS
        )
        reply: Reply = self.face.serve(self.book, call, self.now())
        for its_id in [one for one in self.book.charges if one not in charges]:
            self._judge_charge(its_id, sent_s)
        for its_id in [one for one in self.book.refunds if one not in refunds]:
            self._judge_refund(its_id, sent_s)
        self.tell()
        return reply.status, reply.body

    def _before_a_method_is_dropped(self, request: httpx.Request) -> None:
        dropped = _DROPS.fullmatch(request.url.path)
        if dropped is None or request.method == "GET":
            return
        method = self.book.methods.get(dropped[1] or dropped[2])
        if method is not None and method.status == "active":
            self.may_drop(self, method)

    def _judge_charge(self, its_id: str, sent_s: float) -> None:
        """As if it were not made yet."""
        charge: Charge = self.book.charges.pop(its_id)
        if "invoice_id" in charge.details:
            charge.metadata = {"invoice": charge.details["invoice_id"]}
        charge.reference = charge.metadata.get("reference", charge.reference)
        order = {
            "reference": charge.reference,
            "amount": charge.amount,
            "token": charge.token,
            "metadata": charge.metadata,
        }
        self.may_charge(order, sent_s, self)
        self.book.charges[its_id] = charge

    def _judge_refund(self, its_id: str, sent_s: float) -> None:
        refund: Refund = self.book.refunds.pop(its_id)
        metadata = refund.details.get("metadata", {})
        refund.reference = metadata.get("reference", refund.reference)
        charge = self.book.charges[refund.charge]
        order = {"reference": refund.reference, "amount": refund.amount}
        charge.refunded -= refund.amount
        self.may_give_back(self, charge, order, sent_s)
        charge.refunded += refund.amount
        self.book.refunds[its_id] = refund

    def _endpoint(self, secret: str) -> Endpoint:
        return Endpoint("endpoint", ADDRESS, secret)


class SimPayPal(StandsStill, PayPalProcessor):
    def __init__(self, bank: FaceBank, secret: str) -> None:
        assert isinstance(bank.face, PayPalFace)
        self.bank = bank
        super().__init__(
            ADDRESS,
            Account("acct_paypal", "sandbox_client", _KEY, (secret,)),
            Trust((ADDRESS,), (COMMON_NAME,), bank.face.root_pem),
            client=httpx.AsyncClient(transport=bank, trust_env=False),
            clock=None,
        )


class SimGoCardless(StandsStill, GoCardless):
    def __init__(self, bank: FaceBank, secret: str) -> None:
        self.bank = bank
        client = httpx.AsyncClient(transport=bank, trust_env=False)
        super().__init__(_KEY, (secret,), "acct_gocardless", ADDRESS, client)


def bank_of(kind: Kind, *args: Any) -> Bank:
    return FaceBank(kind, *args) if kind.own else Bank(kind, *args)


def adapter_of(bank: Bank) -> Processor:
    if not isinstance(bank, FaceBank):
        return SimProcessor(bank)
    return SimPayPal(bank, SECRET) if bank.kind is PAYPAL else SimGoCardless(bank, SECRET)
