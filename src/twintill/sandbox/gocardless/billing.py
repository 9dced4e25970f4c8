"""Billing requests and their flows: how a mandate comes about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twintill.sandbox.gocardless import shapes
from twintill.sandbox.gocardless.account import BillingRequest, Customer, Flow
from twintill.sandbox.gocardless.asked import Asked
from twintill.sandbox.gocardless.fields import Fields
from twintill.sandbox.gocardless.listing import Row
from twintill.sandbox.gocardless.mistakes import link_not_there, not_there, wrong_state
from twintill.sandbox.gocardless.words import SCHEMES
from twintill.sandbox.processor import setups

Json = dict[str, Any]
_FILTERS = frozenset(("status", "customer"))


def create(asked: Asked) -> tuple[int, Json]:
    """For a mandate alone: payment requests are no part of this stand-in."""
    asked.require_direct_debit()
    asked.refuse_used_key("billing_requests")
    fields = asked.body("billing_requests")
    if "mandate_request" not in fields.values:
        raise fields.wrong("mandate_request", "can't be blank")
    wanted = fields.inner("mandate_request")
    currency = _currency(asked, wanted)
    metadata = fields.metadata()
    wanted.metadata()
    wanted.text("description")
    customer = _customer(asked, fields)
    request = _remember(asked, customer, currency, wanted, metadata)
    asked.records.remember("billing_requests", asked.key, request.id, asked.now)
    asked.world.emit("billing_request.created", {"id": request.id}, asked.now)
    return 201, _shown(asked, request)


def get(asked: Asked, request_id: str) -> tuple[int, Json]:
    return 200, _shown(asked, _request(asked, request_id))


def list_all(asked: Asked) -> tuple[int, Json]:
    rows = [_row(asked, request) for request in asked.records.billing_requests.values()]
    return 200, asked.page("billing_requests", rows, _FILTERS)


def cancel(asked: Asked, request_id: str) -> tuple[int, Json]:
    """[assumed] What is fulfilled or cancelled already is refused as other resources are."""
    request = _request(asked, request_id)
    asked.action().metadata()
    if request.is_cancelled or request.is_fulfilled:
        raise wrong_state("cancellation_failed", "Billing request cannot be cancelled")
    request.is_cancelled = True
    asked.world.session(request.id).status = "canceled"
    asked.world.emit("billing_request.cancelled", {"id": request.id}, asked.now)
    return 200, _shown(asked, request)


def fulfil(asked: Asked, request_id: str) -> tuple[int, Json]:
    request = _request(asked, request_id)
    asked.action().metadata()
    if request.mandate is None or request.is_fulfilled or request.is_cancelled:
        raise wrong_state(
            "billing_request_not_ready_to_fulfil", "Billing request is not ready to be fulfilled"
        )
    request.is_fulfilled = True
    asked.records.mandates[request.mandate].is_shown = True
    method = asked.world.methods[request.mandate]
    asked.world.emit("method.created", method.to_json(), asked.now)
    asked.world.emit("billing_request.fulfilled", {"id": request.id}, asked.now)
    return 200, _shown(asked, request)


def create_flow(asked: Asked) -> tuple[int, Json]:
    """A new one each time: an idempotency key is not honoured here."""
    fields = asked.body("billing_request_flows")
    request = asked.records.billing_requests.get(fields.inner("links").required("billing_request"))
    if request is None:
        raise link_not_there("Billing request")
    if shapes.billing_request_status(request) != "pending":
        raise wrong_state("billing_request_not_pending", "The billing request is not pending")
    _check_flow(fields)
    request.flow = _open_flow(asked, request, fields)
    asked.world.emit("billing_request.flow_created", {"id": request.id}, asked.now)
    return 201, {"billing_request_flows": shapes.flow(request.flow, request)}


def _shown(asked: Asked, request: BillingRequest) -> Json:
    return {"billing_requests": shapes.billing_request(asked.records, request)}


def _row(asked: Asked, request: BillingRequest) -> Row:
    return Row(
        request.id,
        request.created,
        lambda: shapes.billing_request(asked.records, request),
        {
            "status": shapes.billing_request_status(request),
            "customer": request.customer,
        },
    )


def _request(asked: Asked, request_id: str) -> BillingRequest:
    request = asked.records.billing_requests.get(request_id)
    if request is None:
        raise not_there("Billing request")
    return request


def _currency(asked: Asked, wanted: Fields) -> str:
    scheme, currency = wanted.text("scheme"), wanted.text("currency")
    if scheme is not None and scheme not in SCHEMES.values():
        raise wanted.wrong("scheme", "is not a supported scheme")
    by_scheme = next((one for one, its in SCHEMES.items() if its == scheme), None)
    currency = currency or by_scheme
    if currency is None:
        raise wanted.wrong("currency", "can't be blank")
    if currency not in SCHEMES or currency not in asked.switches.currencies:
        raise wanted.wrong("currency", "is not supported by your account")
    if by_scheme not in (None, currency):
        raise wanted.wrong("scheme", "does not support this currency")
    return currency


def _customer(asked: Asked, fields: Fields) -> Customer:
    """A request without a customer gets one at once, who has no name yet."""
    links = fields.inner("links")
    if links.text("creditor") not in (None, shapes.CREDITOR):
        raise link_not_there("Creditor")
    wanted = links.text("customer")
    world, customers = asked.world, asked.records.customers
    if wanted is not None:
        if wanted not in customers:
            raise link_not_there("Customer")
        return customers[wanted]
    customer = Customer(world.new_id("pcus"), asked.now, world.new_id("detail"))
    customers[customer.id] = customer
    return customer


def _remember(
    asked: Asked, customer: Customer, currency: str, wanted: Fields, metadata: Json
) -> BillingRequest:
    world = asked.world
    world.customers[customer.id] = customer.id  # the engine calls them as we do
    order = setups.SetupOrder(
        customer_reference=customer.id,
        return_url="",
        cancel_url="",
        currency=currency,
        description=wanted.text("description") or "",
    )
    session = setups.start_setup(world, order, asked.call.base_url, asked.now)
    session.status = "expired"  # nobody can finish it before it has a flow
    request = BillingRequest(
        id=session.id,
        created=asked.now,
        currency=currency,
        customer=customer.id,
        mandate_request_id=world.new_id("mandate_request"),
        mandate_request=wanted.values,
        metadata=metadata,
    )
    asked.records.billing_requests[request.id] = request
    return request


def _check_flow(fields: Fields) -> None:
    fields.url("redirect_uri")
    fields.url("exit_uri")
    fields.flag("auto_fulfil", default=True)
    person = fields.inner("prefilled_customer")
    for name in ("given_name", "family_name", "company_name", "email"):
        person.text(name)


def _open_flow(asked: Asked, request: BillingRequest, fields: Fields) -> Flow:
    world = asked.world
    session = world.session(request.id)
    session.status = "open"
    session.expires_at = asked.now + timedelta(seconds=world.settings.setup_ttl_s)
    session.return_url = fields.url("redirect_uri") or session.url
    session.cancel_url = fields.url("exit_uri") or session.url
    world.appoint(session.expires_at, "expire_setup", session.id)
    customer = asked.records.customers[request.customer]
    customer.fields.update(fields.inner("prefilled_customer").values)
    flow_id = world.new_id("flow")
    url = f"{session.url}?id={flow_id}"
    return Flow(flow_id, asked.now, session.expires_at, url, dict(fields.values))
