"""POST /v2/checkout/orders with a stored wallet: the order and its capture in one call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from twintill.sandbox.paypal.captures import capture_json, is_capture, refund_json, updated
from twintill.sandbox.paypal.refusal import (
    Issue,
    PayPalRefusal,
    invalid,
    missing,
    not_found,
    unprocessable,
)
from twintill.sandbox.paypal.words import at, money, read_money
from twintill.sandbox.processor import charging
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Charge, Json
from twintill.sandbox.processor.world import World

UNIT = "/purchase_units/@reference_id=='default'"
_LENGTHS = {"custom_id": 127, "invoice_id": 127, "description": 127, "soft_descriptor": 22}
_DECLINES = {
    "insufficient_funds": (
        "INSTRUMENT_DECLINED",
        "The instrument was declined by the processor or bank, or can't be used for this payment.",
    ),
    "invalid_account": ("PAYER_CANNOT_PAY", "Payer cannot pay for this transaction."),
    "expired_card": ("CARD_EXPIRED", "The card is expired."),
    "action_needed": (
        "PAYER_ACTION_REQUIRED",
        "Transaction cannot complete successfully, instruct the buyer to return to PayPal.",
    ),
    "unknown_token": ("TOKEN_ID_NOT_FOUND", "Specified token id not found."),
    "agreement_revoked": ("TOKEN_ID_NOT_FOUND", "Specified token id not found."),
}
_REFUSED = ("TRANSACTION_REFUSED", "The request was refused.")
_PAYER = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_STANDS = ("pending", "succeeded", "failed")  # a capture that was DECLINED does not count


@dataclass(slots=True)
class Index:
    """Where a charge is found."""

    by_order: dict[str, str] = field(default_factory=dict)
    by_invoice: dict[str, list[str]] = field(default_factory=dict)

    def clear(self) -> None:
        self.by_order.clear()
        self.by_invoice.clear()


def create_order(world: World, index: Index, body: Json, call: Call, now: datetime) -> Charge:
    """The charge whose capture the order holds. Raises PayPalRefusal for a decline, too."""
    unit = _unit(body)
    token = _token(body)
    minor, currency = read_money(unit.get("amount"), f"{UNIT}/amount")
    _check_invoice_id(world, index, unit.get("invoice_id"))
    method = world.methods.get(token)
    details = {
        "order_id": world.new_id("ord"),
        **{name: unit[name] for name in _LENGTHS if unit.get(name)},
        "reference_id": unit.get("reference_id", "default"),
    }
    order = charging.Order(
        reference=str(unit.get("custom_id", "")),
        amount=minor,
        currency=currency,
        token=token,
        customer=method.customer if method else "",
        description=str(unit.get("description", "")),
        metadata={},
        details=details,
    )
    charge = charging.create_charge(world, order, call.base_url, now)
    # A refused one is found, too, in case that it is approved after all.
    index.by_order[details["order_id"]] = charge.id
    index.by_invoice.setdefault(str(unit.get("invoice_id")), []).append(charge.id)
    if not is_capture(charge):
        raise _decline(charge, call)
    return charge


def find_order(world: World, index: Index, order_id: str) -> Charge:
    charge = world.charges.get(index.by_order.get(order_id, ""))
    if charge is None or not is_capture(charge):
        raise not_found("order_id")
    return charge


def order_json(world: World, charge: Charge, base_url: str, merchant: str) -> Json:
    details = charge.details
    refunds = [
        refund_json(world, one, base_url)
        for one in world.refunds.values()
        if one.charge == charge.id
    ]
    payments: Json = {"captures": [capture_json(charge, base_url)]}
    if refunds:
        payments["refunds"] = refunds
    wallet = wallet_json(world, charge.token)
    unit: Json = {
        "reference_id": details["reference_id"],
        "amount": money(charge.amount, charge.currency),
        "payee": {"email_address": "merchant@example.com", "merchant_id": merchant},
        **{name: details[name] for name in _LENGTHS if name in details},
        "payments": payments,
    }
    return {
        "id": details["order_id"],
        "intent": "CAPTURE",
        "status": "COMPLETED",
        "payment_source": {"paypal": wallet},
        "purchase_units": [unit],
        "payer": {name: wallet[name] for name in ("name", "email_address", "address")}
        | {"payer_id": wallet["account_id"]},
        "create_time": at(charge.created),
        "update_time": at(updated(charge)),
        "links": _links(base_url, details["order_id"]),
    }


def minimal_json(charge: Charge, base_url: str) -> Json:
    """What is answered without `Prefer: return=representation`."""
    order_id = charge.details["order_id"]
    return {"id": order_id, "status": "COMPLETED", "links": _links(base_url, order_id)}


def wallet_json(world: World, token: str) -> Json:
    method = world.methods[token]
    return {
        "email_address": method.magic.display.get("email", "buyer@example.com"),
        "account_id": payer_id(method.customer),
        "account_status": "VERIFIED",
        "name": {"given_name": "Sandbox", "surname": "Buyer"},
        "address": {"country_code": "DE"},
    }


def payer_id(customer: str) -> str:
    """Thirteen characters, for ever the same for a customer."""
    number = int.from_bytes(hashlib.sha256(customer.encode()).digest()[:9])
    return "".join(_PAYER[number >> (5 * place) & 31] for place in range(13))


def _unit(body: Json) -> Json:
    intent, units = body.get("intent"), body.get("purchase_units")
    if intent is None:
        raise missing("/intent")
    if intent != "CAPTURE":
        text = "The value of a field is invalid, or this stand-in does not play it."
        raise invalid("INVALID_PARAMETER_VALUE", "/intent", text, intent)
    if not units or not isinstance(units, list) or not isinstance(units[0], dict):
        raise missing("/purchase_units")
    if len(units) > 1:
        text = "Merchant initiated payments only support a single purchase unit."
        raise unprocessable("MERCHANT_INITIATED_WITH_MULTIPLE_PURCHASE_UNITS", text)
    unit: Json = units[0]
    for name, longest in _LENGTHS.items():
        value = unit.get(name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= longest):
            text = "The value of a field is either too short or too long."
            raise invalid("INVALID_STRING_LENGTH", f"{UNIT}/{name}", text, value)
    return unit


def _token(body: Json) -> str:
    source = body.get("payment_source")
    wallet = source.get("paypal") if isinstance(source, dict) else None
    token = wallet.get("vault_id") if isinstance(wallet, dict) else None
    if not isinstance(token, str) or not token:
        text = "This stand-in only charges stored wallets."
        raise invalid("NOT_SUPPORTED", "/payment_source/paypal/vault_id", text)
    return token


def _check_invoice_id(world: World, index: Index, invoice_id: str | None) -> None:
    if invoice_id is None:
        return
    for former in index.by_invoice.get(invoice_id, ()):
        if world.charge(former).status in _STANDS:
            text = (
                "Duplicate Invoice ID detected. To avoid a potential duplicate transaction your "
                "account setting requires that Invoice Id be unique for each transaction."
            )
            raise unprocessable("DUPLICATE_INVOICE_ID", text, f"{UNIT}/invoice_id")


def _decline(charge: Charge, call: Call) -> PayPalRefusal:
    if charge.decline is None:
        raise ValueError(f"{charge.id} was refused, and does not say why")
    code, text = _DECLINES.get(charge.decline.code, _REFUSED)
    links: list[Json] = []
    if code == "PAYER_ACTION_REQUIRED":
        href = f"{call.base_url}/checkoutnow?token={charge.details['order_id']}"
        links = [{"href": href, "rel": "payer-action", "method": "GET"}]
    return PayPalRefusal("UNPROCESSABLE_ENTITY", Issue(code, text), links=links)


def _links(base_url: str, order_id: str) -> list[Json]:
    href = f"{base_url}/v2/checkout/orders/{order_id}"
    return [{"href": href, "rel": "self", "method": "GET"}]
