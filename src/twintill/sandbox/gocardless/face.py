"""GoCardless's face: every path of its API that is spoken here, and its webhooks."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from twintill.sandbox.gocardless import (
    billing,
    mandates,
    payments,
    refunds,
    settled,
    simulators,
    telling,
    words,
)
from twintill.sandbox.gocardless.account import Customer, Mandate, Records, Switches
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.mistakes import Mistake, not_there, out_of_order, wrong_usage
from twintill.sandbox.processor.deliveries import Endpoint, Letter
from twintill.sandbox.processor.face import Call, Charging, Reply
from twintill.sandbox.processor.magic import Magic
from twintill.sandbox.processor.objects import Event, SetupSession
from twintill.sandbox.processor.world import World

Json = dict[str, Any]
Handler = Callable[..., tuple[int, Json]]
VERSION = "2015-07-06"
SIGNATURE_HEADER = "Webhook-Signature"
MOST_REQUESTS = 1000
_ID = "([A-Za-z0-9_-]+)"
_ROUTES: Sequence[tuple[str, str, Handler]] = (
    ("POST", "/billing_requests", billing.create),
    ("GET", "/billing_requests", billing.list_all),
    ("GET", f"/billing_requests/{_ID}", billing.get),
    ("POST", f"/billing_requests/{_ID}/actions/cancel", billing.cancel),
    ("POST", f"/billing_requests/{_ID}/actions/fulfil", billing.fulfil),
    ("POST", "/billing_request_flows", billing.create_flow),
    ("GET", "/mandates", mandates.list_all),
    ("GET", f"/mandates/{_ID}", mandates.get),
    ("POST", f"/mandates/{_ID}/actions/cancel", mandates.cancel),
    ("GET", "/customers", mandates.list_customers),
    ("GET", f"/customers/{_ID}", mandates.get_customer),
    ("GET", f"/customer_bank_accounts/{_ID}", mandates.get_bank_account),
    ("GET", "/creditors", mandates.list_creditors),
    ("POST", "/payments", payments.create),
    ("GET", "/payments", payments.list_all),
    ("GET", f"/payments/{_ID}", payments.get),
    ("POST", f"/payments/{_ID}/actions/cancel", payments.cancel),
    ("POST", f"/payments/{_ID}/actions/retry", payments.retry),
    ("POST", "/refunds", refunds.create),
    ("GET", "/refunds", refunds.list_all),
    ("GET", f"/refunds/{_ID}", refunds.get),
    ("GET", "/events", settled.list_events),
    ("GET", f"/events/{_ID}", settled.get_event),
    ("GET", "/payouts", settled.list_payouts),
    ("GET", f"/payouts/{_ID}", settled.get_payout),
    ("GET", "/payout_items", settled.list_payout_items),
    ("POST", f"/scenario_simulators/{_ID}/actions/run", simulators.run),
)
_COMPILED = [(method, re.compile(path), handler) for method, path, handler in _ROUTES]


def sign(secret: str, body: bytes) -> str:
    """The header's value: hex HMAC-SHA256 over the raw body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class GoCardless:
    """Implements `twintill.sandbox.processor.face.Face`."""

    name = "Stand-in GoCardless"
    exponents: Mapping[str, int] = dict.fromkeys(words.SCHEMES, 2)
    methods: Mapping[str, Magic] = words.CHOICES
    unique_references = False
    asks_customers = False
    most_events = 250

    def __init__(self) -> None:
        self.switches = Switches()
        self.records = Records()
        self.busy: set[str] = set()
        self._requests = random.Random(0)

    def forget(self) -> None:
        self.switches = Switches()
        self.records = Records()

    def new_id(self, prefix: str, chance: random.Random) -> str:
        return words.new_id(prefix, chance)

    def way_back(self, _: SetupSession) -> Mapping[str, str]:
        """[assumed] The redirect_uri is called as it was given."""
        return {}

    def serve(self, world: World, call: Call, now: datetime) -> Reply:
        asked = Asked(world, self.records, self.switches, call, now)
        headers = self._count(now)
        try:
            if call.path == "/_sandbox/account":
                return Reply(200, self._turn(call.body))
            self._admit(asked)
            status, body = _route(asked)
        except Mistake as mistake:
            body = mistake.to_json(words.request_id(self._requests))
            replayed = mistake.code == 409
            return Reply(mistake.code, body, {**headers, **mistake.headers}, replayed)
        return Reply(status, body, headers)

    def charging(self, call: Call) -> Charging | None:
        if (call.method, call.path) != ("POST", "/payments"):
            return None
        try:
            token = json.loads(call.body)["payments"]["links"]["mandate"]
        except (ValueError, KeyError, TypeError):
            return None
        return Charging(str(token), call.headers.get("idempotency-key", ""))

    def out_of_order(self) -> Reply:
        return Reply(500, out_of_order().to_json(words.request_id(self._requests)))

    def tell(
        self, world: World, event_type: str, its: Json, _now: datetime
    ) -> Sequence[tuple[str, Json]]:
        told: list[telling.Told] = []
        for word, what in self._in_our_words(world, event_type, its):
            told += telling.tell(world, self.records, word, what)
        return [(one.type, one.content()) for one in told]

    def write(
        self, endpoint: Endpoint, batch: Sequence[Event], delivery_id: str, now: datetime
    ) -> Letter:
        envelope = {
            "events": [settled.event_json(event) for event in batch],
            "meta": {"webhook_id": delivery_id},
        }
        body = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "gocardless-webhook-service/1.2",
            SIGNATURE_HEADER: sign(endpoint.secret, body),
        }
        return Letter(body, headers)

    def _admit(self, asked: Asked) -> None:
        """In this order: whose token, which version, how often."""
        headers = asked.call.headers
        expected = f"Bearer {asked.world.settings.api_key}"
        given = headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise wrong_usage(401, "access_token_not_found", "Access token not found")
        if self.switches.token_is_revoked:
            raise wrong_usage(401, "access_token_not_active", "The access token has been disabled")
        version = headers.get("gocardless-version")
        if version is None:
            raise wrong_usage(400, "missing_version_header", "Missing GoCardless-Version header")
        if version != VERSION:
            raise wrong_usage(400, "version_not_found", "Version not found")
        most = self.switches.requests_a_minute
        if most is not None and self.records.requests > most:
            raise wrong_usage(429, "rate_limit_exceeded", "Rate limit exceeded")

    def _count(self, now: datetime) -> dict[str, str]:
        """What time it is here, and how many requests are left in this minute: as headers."""
        records, minute = self.records, now.replace(second=0, microsecond=0)
        if records.minute != minute:
            records.minute, records.requests = minute, 0
        records.requests += 1
        most = self.switches.requests_a_minute or MOST_REQUESTS
        return {
            "Date": format_datetime(now, usegmt=True),
            "RateLimit-Limit": str(most),
            "RateLimit-Remaining": str(max(0, most - records.requests)),
            "RateLimit-Reset": format_datetime(minute + timedelta(minutes=1), usegmt=True),
        }

    def _turn(self, body: bytes) -> Json:
        """Behind the stage: what the merchant's account may do, e.g. {"token_is_revoked": true}."""
        wishes = json.loads(body or b"{}")
        if "currencies" in wishes:
            wishes["currencies"] = frozenset(wishes["currencies"])
        self.switches = dataclasses.replace(self.switches, **wishes)
        return {**dataclasses.asdict(self.switches), "currencies": sorted(self.switches.currencies)}

    def _in_our_words(self, world: World, event_type: str, its: Json) -> list[tuple[str, Json]]:
        if event_type == "method.created":
            self._admit_mandate(world, its)
        elif event_type == "method.revoked":
            self.records.mandates[its["token"]].ended_by = its["revoked_by"]
        elif event_type == "setup_session.complete":
            request = self.records.billing_requests[its["id"]]
            done = ["payer_details_confirmed", *(["fulfilled"] if request.is_fulfilled else [])]
            return [(f"billing_request.{word}", its) for word in done]
        return [(event_type, its)]

    def _admit_mandate(self, world: World, its: Json) -> None:
        """A set-up was finished, or a method made behind the stage: it has a mandate."""
        records, method = self.records, world.methods[its["token"]]
        if method.token in records.mandates:
            return
        if method.customer not in records.customers:
            customer = Customer(method.customer, method.created, world.new_id("detail"))
            records.customers[customer.id] = customer
        request = records.open_request_of(method.customer)
        mandate = Mandate(
            id=method.token,
            created=method.created,
            customer=method.customer,
            bank_account=world.new_id("account"),
            reference=world.new_id("")[-7:],
            currency=None if request is None else request.currency,
        )
        records.mandates[mandate.id] = mandate
        records.by_bank_account[mandate.bank_account] = mandate.id
        if request is not None:
            request.mandate = mandate.id
            mandate.metadata = request.mandate_request.get("metadata") or {}
            mandate.is_shown = request.flow is None or request.flow.auto_fulfil
            request.is_fulfilled = mandate.is_shown
            named = words.NAMES.get(records.customers[method.customer].given_name)
            method.magic = method.magic if named is None else words.CHOICES[named]


def _route(asked: Asked) -> tuple[int, Json]:
    path_is_known = False
    for method, pattern, handler in _COMPILED:
        match = pattern.fullmatch(asked.call.path)
        if match is None:
            continue
        if method == asked.call.method:
            return handler(asked, *match.groups())
        path_is_known = True
    if path_is_known:
        raise wrong_usage(405, "method_not_allowed", "Method not allowed")
    raise not_there(f"{asked.call.method} {asked.call.path}")
