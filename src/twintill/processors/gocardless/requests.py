"""The bytes that GoCardless is sent: equal requests are equal bytes. Pure.

Our reference stands in the metadata, where it comes back in look-ups and events; beside it the
amount, which GoCardless's events do not name. The field `reference` is what the bank statement
shows, with other rules in each scheme: left to GoCardless. `psu_interaction_type` is left out: it
is for open banking consents (variable recurring payments), and we ask for mandates of debit
schemes alone. `retry_if_possible` is false: retrying is our dunning's, and a second one that
GoCardless made by itself would not be ours.
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
from twintill.processors.gocardless.currencies import MAX_AMOUNT, SCHEMES, to_gocardless, written

MAX_DESCRIPTION = 100
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,35}\Z")


def prepare(request: ChargeRequest, idempotency_key: str) -> PreparedCharge | NotSent:
    """The body of a payment, or why there can be none."""
    amount = _amount(request.amount)
    if isinstance(amount, NotSent):
        return amount
    if not _REFERENCE.match(request.reference):
        return _misfit("a reference has 1 to 35 letters, digits, dots, dashes or underscores")
    fields: dict[str, Any] = {
        "amount": amount,
        "currency": request.amount.currency,
        "description": request.description[:MAX_DESCRIPTION],
        "metadata": {
            "reference": request.reference,
            "amount": written(amount, request.amount.currency),
            "invoice": request.invoice_id,
        },
        "retry_if_possible": False,
        "links": {"mandate": request.method.token},
    }
    if request.not_before is not None:
        fields["charge_date"] = request.not_before.date().isoformat()
    return PreparedCharge(request.reference, idempotency_key, _encode({"payments": fields}))


def prepare_refund(request: RefundRequest, idempotency_key: str) -> PreparedRefund | NotSent:
    """The body of a refund, or why there can be none.

    GoCardless refuses one whose `total_amount_confirmation` is not what it has given back of the
    payment together with this: so two that do not know of each other cannot both be made.
    """
    amount = _amount(request.amount)
    if isinstance(amount, NotSent):
        return amount
    fields = {
        "amount": amount,
        "total_amount_confirmation": request.given_back_minor + amount,
        "metadata": {
            "reference": request.reference,
            "amount": written(amount, request.amount.currency),
            "payment": request.processor_payment_id,
        },
        "links": {"payment": request.processor_payment_id},
    }
    body = _encode({"refunds": fields})
    return PreparedRefund(request.reference, idempotency_key, request.processor_payment_id, body)


def billing_request(request: SetupRequest, creditor_id: str) -> bytes:
    """A mandate without a payment. Raises KeyError for a currency that it does not take."""
    mandate = {
        "currency": request.currency,
        "scheme": SCHEMES[request.currency],
        "description": request.description[:MAX_DESCRIPTION],
        "metadata": {"customer": request.customer_reference},
    }
    fields = {
        "mandate_request": mandate,
        "metadata": {"customer": request.customer_reference},
        "links": {"creditor": creditor_id},
    }
    return _encode({"billing_requests": fields})


def billing_request_flow(request: SetupRequest, billing_request_id: str) -> bytes:
    """The customer's page; fulfilled by itself, also when the browser never comes back to us."""
    fields = {
        "redirect_uri": request.return_url,
        "exit_uri": request.cancel_url,
        "auto_fulfil": True,
        "lock_currency": True,
        "links": {"billing_request": billing_request_id},
    }
    return _encode({"billing_request_flows": fields})


def _amount(money: Money) -> int | NotSent:
    try:
        amount = to_gocardless(money)
    except KeyError:
        offered = ", ".join(sorted(SCHEMES))
        return _misfit(f"GoCardless collects no {money.currency}: only {offered}")
    except ValueError as error:
        return NotSent(NotSentReason.INEXACT, str(error))
    if not 0 < amount <= MAX_AMOUNT:
        return _misfit(f"{money} is not an amount that can be charged")
    return amount


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _misfit(detail: str) -> NotSent:
    return NotSent(NotSentReason.CONFIG, detail)
