"""PayPal before the engine: its words, its letters, and its API as one pure function."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from twintill.sandbox.paypal import notifications, words
from twintill.sandbox.paypal.access import Access
from twintill.sandbox.paypal.certificates import make_signer
from twintill.sandbox.paypal.methods import METHODS
from twintill.sandbox.paypal.refusal import Issue, PayPalRefusal, unprocessable
from twintill.sandbox.paypal.request_ids import HEADER
from twintill.sandbox.paypal.routes import ORDERS, ROUTES, Asked, State
from twintill.sandbox.paypal.settings import PayPalSandboxSettings
from twintill.sandbox.processor.deliveries import Endpoint, Letter
from twintill.sandbox.processor.face import Call, Charging, Reply
from twintill.sandbox.processor.magic import Magic
from twintill.sandbox.processor.objects import Event, Json, SetupSession
from twintill.sandbox.processor.refusals import Refusal
from twintill.sandbox.processor.world import World


class PayPalFace:
    name = "Sandbox PayPal"
    exponents: Mapping[str, int] = words.EXPONENTS
    methods: Mapping[str, Magic] = METHODS
    unique_references = False  # custom_id may repeat; invoice_id may not
    asks_customers = False
    most_events = 1

    def __init__(self, settings: PayPalSandboxSettings) -> None:
        self.state = State(settings, Access(settings), make_signer())
        self.is_reached = False  # by a caller of the API, under this address
        self.base_url = (settings.public_url or "http://127.0.0.1").rstrip("/")
        self.busy = self.state.busy

    @property
    def root_pem(self) -> bytes:
        """The authority that this stand-in's webhook certificate comes from."""
        return self.state.signer.root_pem

    def forget(self) -> None:
        self.state.forget()

    def new_id(self, prefix: str, chance: random.Random) -> str:
        return words.new_id(prefix, chance)

    def tell(
        self, world: World, event_type: str, its_object: Json, now: datetime
    ) -> Sequence[tuple[str, Json]]:
        return notifications.tell(world, event_type, its_object, self.base_url, now)

    def way_back(self, session: SetupSession) -> Mapping[str, str]:
        return {"approval_token_id": session.id, "approval_session_id": session.id}

    def write(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str, now: datetime
    ) -> Letter:
        (event,) = batch
        return notifications.write(
            self.state.signer, event, delivery_id, endpoint.secret, self.base_url, now
        )

    def charging(self, call: Call) -> Charging | None:
        key = call.headers.get(HEADER)
        if (call.method, call.path) != ("POST", ORDERS) or not key:
            return None
        try:
            return Charging(str(json.loads(call.body)["payment_source"]["paypal"]["vault_id"]), key)
        except (ValueError, KeyError, TypeError):
            return None

    def out_of_order(self) -> Reply:
        return PayPalRefusal("INTERNAL_SERVER_ERROR").to_reply("0000000000000")

    def serve(self, world: World, call: Call, now: datetime) -> Reply:
        """Answers as api-m.paypal.com would at this moment."""
        debug_id = world.new_id("dbg")
        try:
            reply = self._answer(Asked(self.state, world, call, now))
        except PayPalRefusal as refusal:
            reply = refusal.to_reply(debug_id)
        except Refusal as refusal:  # the engine's: nothing that PayPal has a word for
            reply = unprocessable(refusal.code.upper(), str(refusal)).to_reply(debug_id)
        headers = {**reply.headers, "Paypal-Debug-Id": debug_id}
        return Reply(reply.status, reply.body, headers, reply.replayed)

    def _answer(self, asked: Asked) -> Reply:
        call = asked.call
        if call.path == "/v1/oauth2/token" and call.method == "POST":
            return self.state.access.grant(call, asked.world.new_id("access"))
        if call.path.startswith("/v1/notifications/certs/"):
            return self._certificate(call)
        refusal = self.state.access.refusal(call)
        if isinstance(refusal, Reply):
            return refusal
        if refusal is not None:
            raise refusal
        for method, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, call.path.rstrip("/"))
            if match is not None and method == call.method:
                its_id = match.groupdict().get("id", "")
                return answer(replace(asked, its_id=its_id))
        text = "The specified resource does not exist."
        raise PayPalRefusal("RESOURCE_NOT_FOUND", Issue("INVALID_RESOURCE_ID", text))

    def _certificate(self, call: Call) -> Reply:
        if call.path.rpartition("/")[2] != self.state.signer.certificate_id:
            raise PayPalRefusal("RESOURCE_NOT_FOUND")
        return Reply(200, self.state.signer.chain_pem, {"content-type": "application/x-pem-file"})
