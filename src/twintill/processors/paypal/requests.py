"""The bytes that PayPal is sent: equal requests are equal bytes. Pure.

Sources: the Orders v2, Payments v2 and Payment Method Tokens v3 references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.money import Money
from twintill.processors import (
    ChargeRequest,
    PreparedCharge,
    PreparedRefund,
    RefundRequest,
    SetupRequest,
)
from twintill.processors.paypal.currencies import EXPONENTS, to_value

MAX_REQUEST_ID = 108
MAX_DESCRIPTION = 127
_MAX_SETUP_DESCRIPTION = 128
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,35}\Z")
_INVOICE = re.compile(r"[A-Za-z0-9._-]{1,127}\Z")
_CUSTOMER = re.compile(r"[0-9a-zA-Z_.^*$@#-]{1,64}\Z")
_NOT_IN_A_DESCRIPTION = re.compile(r"""[^a-zA-Z0-9_'\-., :;!?"]""")
# How the wallet is used, told when it is stored and with every charge: a subscription, in advance.
_PATTERN = "SUBSCRIPTION_PREPAID"


def prepare(request: ChargeRequest, idempotency_key: str) -> PreparedCharge | NotSent:
    """The order that charges a stored wallet in one call, or why there can be none.

    `invoice_id` is the same in every attempt of one invoice: PayPal refuses a second payment for
    it. `custom_id` is ours alone for this attempt; webhooks and reports show it.
    """
    amount = _amount(request.amount)
    if isinstance(amount, NotSent):
        return amount
    if not _REFERENCE.match(request.reference):
        return _misfit("a reference has 1 to 35 letters, digits, dots, dashes or underscores")
    if not _INVOICE.match(request.invoice_id):
        return _misfit("an invoice id has 1 to 127 letters, digits, dots, dashes or underscores")
    if not 0 < len(idempotency_key) <= MAX_REQUEST_ID:
        return _misfit(f"PayPal takes request ids of at most {MAX_REQUEST_ID} characters")
    unit = {
        "amount": amount,
        "custom_id": request.reference,
        "invoice_id": request.invoice_id,
    }
    description = request.description[:MAX_DESCRIPTION]
    if description:
        unit["description"] = description
    credential = {
        "payment_initiator": "MERCHANT",
        "usage": "SUBSEQUENT",
        "usage_pattern": _PATTERN,
    }
    fields = {
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {
            "paypal": {"vault_id": request.method.token, "stored_credential": credential}
        },
    }
    return PreparedCharge(request.reference, idempotency_key, encode(fields))


def prepare_refund(request: RefundRequest, idempotency_key: str) -> PreparedRefund | NotSent:
    """The body of a refund, or why there can be none.

    Our reference is its invoice id, too: PayPal refuses a second refund under the same one.
    """
    amount = _amount(request.amount)
    if isinstance(amount, NotSent):
        return amount
    if not _REFERENCE.match(request.reference):
        return _misfit("a reference has 1 to 35 letters, digits, dots, dashes or underscores")
    fields = {"amount": amount, "custom_id": request.reference, "invoice_id": request.reference}
    return PreparedRefund(
        request.reference, idempotency_key, request.processor_payment_id, encode(fields)
    )


def setup_body(request: SetupRequest) -> bytes:
    """A setup token for a wallet: nothing is bought, the customer agrees to later charges."""
    wallet: dict[str, Any] = {
        "usage_type": "MERCHANT",
        "usage_pattern": _PATTERN,
        # Two of our customers may pay with one wallet: each has a token of its own to revoke.
        "permit_multiple_payment_tokens": True,
        "experience_context": {
            "return_url": request.return_url,
            "cancel_url": request.cancel_url,
            "shipping_preference": "NO_SHIPPING",
        },
    }
    description = _NOT_IN_A_DESCRIPTION.sub(" ", request.description)[:_MAX_SETUP_DESCRIPTION]
    if description.strip():
        wallet["description"] = description
    fields: dict[str, Any] = {"payment_source": {"paypal": wallet}}
    if _CUSTOMER.match(request.customer_reference):
        fields["customer"] = {"merchant_customer_id": request.customer_reference}
    return encode(fields)


def token_body(setup_token: str) -> bytes:
    """Makes a payment token of a setup token that was approved."""
    return encode({"payment_source": {"token": {"id": setup_token, "type": "SETUP_TOKEN"}}})


def encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _amount(amount: Money) -> dict[str, str] | NotSent:
    if amount.currency not in EXPONENTS:
        return _misfit(f"PayPal does not take {amount.currency}: bill in another currency")
    if amount.minor <= 0:
        return _misfit(f"{amount} is not an amount that can be moved")
    try:
        return {"currency_code": amount.currency, "value": to_value(amount)}
    except ValueError as error:
        return NotSent(NotSentReason.INEXACT, str(error))


def _misfit(detail: str) -> NotSent:
    return NotSent(NotSentReason.CONFIG, detail)
