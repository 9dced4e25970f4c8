"""Each request of PayPal's API, answered from the engine's world."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from twintill.sandbox.paypal import (
    captures,
    disputes,
    notifications,
    orders,
    refunds,
    reporting,
    vault,
)
from twintill.sandbox.paypal.access import Access
from twintill.sandbox.paypal.certificates import Signer
from twintill.sandbox.paypal.refusal import invalid, missing, unprocessable
from twintill.sandbox.paypal.request_ids import (
    Area,
    RequestIds,
    in_progress,
    request_id_of,
    require_request_id,
)
from twintill.sandbox.paypal.settings import PayPalSandboxSettings
from twintill.sandbox.processor import setups
from twintill.sandbox.processor.face import Call, Reply
from twintill.sandbox.processor.objects import Json
from twintill.sandbox.processor.world import World

ORDERS = "/v2/checkout/orders"


@dataclass(slots=True)
class State:
    """What PayPal remembers beside the engine's world."""

    settings: PayPalSandboxSettings
    access: Access
    signer: Signer
    ids: RequestIds = field(default_factory=RequestIds)
    index: orders.Index = field(default_factory=orders.Index)
    busy: set[str] = field(default_factory=set)  # request ids that are being worked on
    exchanged: dict[str, str] = field(default_factory=dict)  # setup token -> payment token
    may_store: bool = True  # whether this account may store payment methods

    def forget(self) -> None:
        """All but the access tokens: whoever has one goes on with it."""
        self.may_store = True
        self.ids.forget()
        self.index.clear()
        self.busy.clear()
        self.exchanged.clear()


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, and the world that it meets."""

    state: State
    world: World
    call: Call
    now: datetime
    its_id: str = ""


def _start_setup(asked: Asked) -> Reply:
    require_request_id(asked.call)
    _must_store(asked.state)

    def act() -> Callable[[Call], Reply]:
        session = vault.start(asked.world, _body(asked.call), asked.call, asked.now)
        return lambda call: Reply(201, vault.setup_json(session, call.base_url))

    return _once(Area.VAULT, asked, act)


def _get_setup(asked: Asked) -> Reply:
    session = vault.find_setup(asked.world, asked.its_id)
    return Reply(200, vault.setup_json(session, asked.call.base_url))


def _create_token(asked: Asked) -> Reply:
    require_request_id(asked.call)
    _must_store(asked.state)

    def act() -> Callable[[Call], Reply]:
        method = vault.exchange(asked.world, _body(asked.call), asked.state.exchanged)
        shown = vault.token_json(method, asked.call.base_url)
        asked.world.emit("token.created", shown, asked.now)
        return lambda _: Reply(201, shown)

    return _once(Area.VAULT, asked, act)


def _get_token(asked: Asked) -> Reply:
    method = vault.find_token(asked.world, asked.its_id, _hidden(asked))
    return Reply(200, vault.token_json(method, asked.call.base_url))


def _list_tokens(asked: Asked) -> Reply:
    customer = asked.call.params().get("customer_id")
    if not customer:
        raise missing("customer_id")
    hidden = _hidden(asked)
    methods = [
        one
        for one in asked.world.methods.values()
        if one.customer == customer and one.status != "revoked" and one.token not in hidden
    ]
    return Reply(200, vault.tokens_json(methods, customer, asked.call.base_url))


def _delete_token(asked: Asked) -> Reply:
    vault.find_token(asked.world, asked.its_id, _hidden(asked))
    setups.revoke_method(asked.world, asked.its_id, by="merchant", now=asked.now)
    return Reply(204)


def _hidden(asked: Asked) -> set[str]:
    """Approved by their buyer, and not made a payment token yet."""
    approved = {one.method.token for one in asked.world.sessions.values() if one.method is not None}
    return approved - set(asked.state.exchanged.values())


def _must_store(state: State) -> None:
    if not state.may_store:
        text = (
            "The API caller or the merchant on whose behalf the API call is initiated "
            "is not allowed to vault the given source."
        )
        raise unprocessable("NOT_ENABLED_TO_VAULT_PAYMENT_SOURCE", text)


def _create_order(asked: Asked) -> Reply:
    body = _body(asked.call)
    if body.get("payment_source") is not None:
        require_request_id(asked.call)
    _must_store(asked.state)

    def act() -> Callable[[Call], Reply]:
        charge = orders.create_order(asked.world, asked.state.index, body, asked.call, asked.now)
        return lambda call: Reply(201, _shown_order(replace(asked, call=call), charge.id))

    return _once(Area.ORDERS, asked, act)


def _shown_order(asked: Asked, charge_id: str) -> Json:
    charge, base_url = asked.world.charge(charge_id), asked.call.base_url
    if not _wants_all(asked.call):
        return orders.minimal_json(charge, base_url)
    return orders.order_json(asked.world, charge, base_url, asked.state.settings.account_id)


def _get_order(asked: Asked) -> Reply:
    charge = orders.find_order(asked.world, asked.state.index, asked.its_id)
    merchant = asked.state.settings.account_id
    return Reply(200, orders.order_json(asked.world, charge, asked.call.base_url, merchant))


def _get_capture(asked: Asked) -> Reply:
    charge = refunds.find_capture(asked.world, asked.its_id)
    return Reply(200, captures.capture_json(charge, asked.call.base_url))


def _refund(asked: Asked) -> Reply:
    def act() -> Callable[[Call], Reply]:
        body = _body(asked.call) if asked.call.body else {}
        limit = asked.state.settings.refund_limit_days
        refund = refunds.refund_capture(asked.world, asked.its_id, body, limit, asked.now)
        return lambda call: Reply(201, _shown_refund(replace(asked, call=call), refund.id))

    return _once(Area.PAYMENTS, asked, act)


def _shown_refund(asked: Asked, refund_id: str) -> Json:
    shown = captures.refund_json(asked.world, asked.world.refund(refund_id), asked.call.base_url)
    if _wants_all(asked.call):
        return shown
    return {name: shown[name] for name in ("id", "status", "links")}


def _get_refund(asked: Asked) -> Reply:
    refund = refunds.find_refund(asked.world, asked.its_id)
    return Reply(200, captures.refund_json(asked.world, refund, asked.call.base_url))


def _list_disputes(asked: Asked) -> Reply:
    return Reply(200, disputes.list_disputes(asked.world, asked.call, asked.now))


def _get_dispute(asked: Asked) -> Reply:
    dispute = disputes.find_dispute(asked.world, asked.its_id)
    return Reply(200, disputes.dispute_json(asked.world, dispute, asked.call.base_url))


def _search(asked: Asked) -> Reply:
    lag = timedelta(seconds=asked.state.settings.reporting_lag_s)
    return Reply(200, reporting.search(asked.world, asked.call, lag, asked.now))


def _list_events(asked: Asked) -> Reply:
    return Reply(200, notifications.list_events(asked.world, asked.call, asked.now))


def _get_event(asked: Asked) -> Reply:
    event = notifications.find_event(asked.world, asked.its_id)
    return Reply(200, notifications.event_json(event, asked.call.base_url))


def _resend_event(asked: Asked) -> Reply:
    event = notifications.find_event(asked.world, asked.its_id)
    asked.world.again.append(event)
    return Reply(202, notifications.event_json(event, asked.call.base_url))


def _verify(asked: Asked) -> Reply:
    _body(asked.call)
    return Reply(200, notifications.verify(asked.state.signer, asked.call))


def _once(area: Area, asked: Asked, act: Callable[[], Callable[[Call], Reply]]) -> Reply:
    if request_id_of(asked.call) in asked.state.busy:
        raise in_progress()
    seconds = {
        Area.ORDERS: asked.state.settings.order_window_s,
        Area.VAULT: asked.state.settings.vault_window_s,
        Area.PAYMENTS: asked.state.settings.payment_window_s,
    }[area]
    until = asked.now + timedelta(seconds=seconds)
    return asked.state.ids.act_once(area, asked.call, until, asked.now, act)


def _body(call: Call) -> Json:
    try:
        body = json.loads(call.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        text = "The request JSON is not well formed."
        raise invalid("MALFORMED_REQUEST_JSON", "/", text)
    return body


def _wants_all(call: Call) -> bool:
    return "return=representation" in call.headers.get("prefer", "")


ROUTES: Sequence[tuple[str, str, Callable[[Asked], Reply]]] = (
    ("POST", "/v3/vault/setup-tokens", _start_setup),
    ("GET", "/v3/vault/setup-tokens/(?P<id>[^/]+)", _get_setup),
    ("POST", "/v3/vault/payment-tokens", _create_token),
    ("GET", "/v3/vault/payment-tokens", _list_tokens),
    ("GET", "/v3/vault/payment-tokens/(?P<id>[^/]+)", _get_token),
    ("DELETE", "/v3/vault/payment-tokens/(?P<id>[^/]+)", _delete_token),
    ("POST", ORDERS, _create_order),
    ("GET", f"{ORDERS}/(?P<id>[^/]+)", _get_order),
    ("GET", "/v2/payments/captures/(?P<id>[^/]+)", _get_capture),
    ("POST", "/v2/payments/captures/(?P<id>[^/]+)/refund", _refund),
    ("GET", "/v2/payments/refunds/(?P<id>[^/]+)", _get_refund),
    ("GET", "/v1/customer/disputes", _list_disputes),
    ("GET", "/v1/customer/disputes/(?P<id>[^/]+)", _get_dispute),
    ("GET", "/v1/reporting/transactions", _search),
    ("GET", "/v1/notifications/webhooks-events", _list_events),
    ("GET", "/v1/notifications/webhooks-events/(?P<id>[^/]+)", _get_event),
    ("POST", "/v1/notifications/webhooks-events/(?P<id>[^/]+)/resend", _resend_event),
    ("POST", "/v1/notifications/verify-webhook-signature", _verify),
)
