"""The vault: setup tokens that a buyer approves, and the payment tokens made of them."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import urlsplit

from twintill.sandbox.paypal.orders import payer_id
from twintill.sandbox.paypal.refusal import invalid, missing, not_found, unprocessable
from twintill.sandbox.processor import setups
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Json, Method, SetupSession
from twintill.sandbox.processor.world import World

_PATTERNS = (
    "IMMEDIATE",
    "DEFERRED",
    "RECURRING_PREPAID",
    "RECURRING_POSTPAID",
    "THRESHOLD_PREPAID",
    "THRESHOLD_POSTPAID",
    "SUBSCRIPTION_PREPAID",
    "SUBSCRIPTION_POSTPAID",
    "UNSCHEDULED_PREPAID",
    "UNSCHEDULED_POSTPAID",
    "INSTALLMENT_PREPAID",
    "INSTALLMENT_POSTPAID",
)
_DESCRIPTION = r"""[a-zA-Z0-9_'\-., :;!?"]*"""
_PAYPAL = "/payment_source/paypal"


def start(world: World, body: Json, call: Call, now: datetime) -> SetupSession:
    wallet = _wallet(body)
    context = wallet.get("experience_context")
    if not isinstance(context, dict):
        raise missing(f"{_PAYPAL}/experience_context")
    for name in ("return_url", "cancel_url"):
        if not context.get(name):
            raise missing(f"{_PAYPAL}/experience_context/{name}")
        if urlsplit(str(context[name])).scheme not in ("https", "http"):
            text = "The value of a field does not conform to the expected format."
            field = f"{_PAYPAL}/experience_context/{name}"
            raise invalid("INVALID_PARAMETER_SYNTAX", field, text, context[name])
    order = setups.SetupOrder(
        customer_reference=_customer(body, world),
        return_url=str(context["return_url"]),
        cancel_url=str(context["cancel_url"]),
        currency="USD",  # a wallet is not stored for a currency
        description=str(wallet.get("description", "")),
    )
    session = setups.start_setup(world, order, call.base_url, now)
    given = _customer_object(body).get("id")
    if given:
        session.customer = str(given)
    kept = ("description", "usage_pattern", "usage_type", "customer_type")
    session.details = {name: wallet[name] for name in kept if name in wallet}
    merchant_id = _customer_object(body).get("merchant_customer_id")
    if merchant_id:
        session.details["merchant_customer_id"] = merchant_id
    return session


def find_setup(world: World, token: str) -> SetupSession:
    """An expired setup token is no longer there."""
    session = world.sessions.get(token)
    if session is None or session.status == "expired":
        raise not_found("id")
    return session


def setup_json(session: SetupSession, base_url: str) -> Json:
    here = f"{base_url}/v3/vault/setup-tokens/{session.id}"
    links: list[Json] = [{"href": here, "rel": "self", "method": "GET"}]
    approved = session.method is not None
    if approved:
        confirm = f"{base_url}/v3/vault/payment-tokens"
        links.append({"href": confirm, "rel": "confirm", "method": "POST"})
    else:
        links.append({"href": session.url, "rel": "approve", "method": "GET"})
    wallet = {name: session.details[name] for name in _SHOWN if name in session.details}
    if session.method is not None:
        wallet |= _account(session.method)
    return {
        "id": session.id,
        "customer": _shown_customer(session.customer, session.details),
        "status": "APPROVED" if approved else "PAYER_ACTION_REQUIRED",
        "payment_source": {"paypal": wallet},
        "links": links,
    }


def exchange(world: World, body: Json, exchanged: dict[str, str]) -> Method:
    """A setup token that was approved becomes a payment token, once."""
    source = body.get("payment_source")
    token = source.get("token") if isinstance(source, dict) else None
    if not isinstance(token, dict) or not token.get("id"):
        raise missing("/payment_source/token/id")
    if token.get("type") != "SETUP_TOKEN":
        text = "The value of a field is invalid."
        raise invalid("INVALID_PARAMETER_VALUE", "/payment_source/token/type", text)
    session = find_setup(world, str(token["id"]))
    if session.method is None:
        text = (
            "Please make sure setup up token is approved. Please complete the approval flow "
            f"at {session.url}."
        )
        raise unprocessable("PAYER_ACTION_REQUIRED", text)
    if session.id in exchanged:
        text = "The setup token has been used previously to generate a payment token."
        raise unprocessable("SETUP_TOKEN_ALREADY_TOKENIZED", text)
    exchanged[session.id] = session.method.token
    return session.method


def find_token(world: World, token: str, hidden: set[str]) -> Method:
    """`hidden`: approved by the buyer, and not made a payment token yet."""
    method = world.methods.get(token)
    if method is None or method.status == "revoked" or token in hidden:
        raise not_found("id")
    return method


def token_json(method: Method, base_url: str) -> Json:
    here = f"{base_url}/v3/vault/payment-tokens/{method.token}"
    wallet = {"permit_multiple_payment_tokens": False, "usage_type": "MERCHANT"}
    return {
        "id": method.token,
        "customer": {"id": method.customer},
        "payment_source": {"paypal": wallet | _account(method)},
        "links": [
            {"href": here, "rel": "self", "method": "GET"},
            {"href": here, "rel": "delete", "method": "DELETE"},
        ],
    }


def tokens_json(methods: list[Method], customer: str, base_url: str) -> Json:
    here = f"{base_url}/v3/vault/payment-tokens?customer_id={customer}"
    return {
        "customer": {"id": customer},
        "payment_tokens": [token_json(method, base_url) for method in methods],
        "links": [{"href": here, "rel": "self", "method": "GET"}],
    }


_SHOWN = ("description", "usage_pattern", "usage_type", "customer_type")


def _wallet(body: Json) -> Json:
    source = body.get("payment_source")
    if not isinstance(source, dict) or not source:
        raise missing("/payment_source")
    wallet = source.get("paypal")
    if not isinstance(wallet, dict):
        text = "This stand-in only stores PayPal wallets."
        raise invalid("NOT_SUPPORTED", "/payment_source", text)
    if wallet.get("usage_type") is None:
        raise missing(f"{_PAYPAL}/usage_type")
    if wallet["usage_type"] not in ("MERCHANT", "PLATFORM"):
        text = "The value of a field is invalid."
        raise invalid("INVALID_PARAMETER_VALUE", f"{_PAYPAL}/usage_type", text)
    if wallet.get("usage_pattern") not in (None, *_PATTERNS):
        text = "The value of a field is invalid."
        raise invalid("INVALID_PARAMETER_VALUE", f"{_PAYPAL}/usage_pattern", text)
    _check_text(wallet.get("description"), f"{_PAYPAL}/description", _DESCRIPTION, 128)
    return wallet


def _check_text(value: object, field: str, pattern: str, longest: int) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        text = "The value of a field is either too short or too long."
        raise invalid("INVALID_STRING_LENGTH", field, text, value)
    if re.fullmatch(pattern, value) is None:
        text = "The value of a field does not conform to the expected format."
        raise invalid("INVALID_PARAMETER_SYNTAX", field, text, value)


def _customer_object(body: Json) -> Json:
    customer = body.get("customer") or {}
    if not isinstance(customer, dict):
        text = "The value of a field does not conform to the expected format."
        raise invalid("INVALID_PARAMETER_SYNTAX", "/customer", text)
    _check_text(customer.get("id"), "/customer/id", r"[0-9a-zA-Z_-]+", 22)
    merchant_id = customer.get("merchant_customer_id")
    _check_text(merchant_id, "/customer/merchant_customer_id", r"[0-9a-zA-Z\-_.^*$@#]+", 64)
    return customer


def _customer(body: Json, world: World) -> str:
    customer = _customer_object(body)
    return str(customer.get("id") or customer.get("merchant_customer_id") or world.new_id("pcus"))


def _shown_customer(customer: str, details: Json) -> Json:
    shown: Json = {"id": customer}
    if details.get("merchant_customer_id"):
        shown["merchant_customer_id"] = details["merchant_customer_id"]
    return shown


def _account(method: Method) -> Json:
    return {
        "email_address": method.magic.display.get("email", "buyer@example.com"),
        "account_id": payer_id(method.customer),
        "name": {"given_name": "Sandbox", "surname": "Buyer"},
    }
