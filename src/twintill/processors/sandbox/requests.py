"""The bytes that the sandbox processor is sent: equal requests are equal bytes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from twintill.domain.outcomes import NotSent, NotSentReason
from twintill.processors import (
    ChargeRequest,
    PreparedCharge,
    PreparedRefund,
    RefundRequest,
    SetupRequest,
)
from twintill.processors.sandbox.currencies import MAX_AMOUNT, to_sandbox

MAX_DESCRIPTION = 255
_REFERENCE = re.compile(r"[A-Za-z0-9._-]{1,35}\Z")


def prepare(request: ChargeRequest, idempotency_key: str) -> PreparedCharge | NotSent:
    """The body of a charge, or why there can be none."""
    try:
        amount = to_sandbox(request.amount)
    except KeyError:
        return _misfit(f"{request.amount.currency} is not a currency of this processor")
    except ValueError as error:
        return NotSent(NotSentReason.INEXACT, str(error))
    if not 0 < amount <= MAX_AMOUNT:
        return _misfit(f"{request.amount} is not an amount that can be charged")
    if not _REFERENCE.match(request.reference):
        return _misfit("a reference has 1 to 35 letters, digits, dots, dashes or underscores")
    fields = {
        "reference": request.reference,
        "amount": amount,
        "currency": request.amount.currency,
        "token": request.method.token,
        "customer": request.method.processor_customer_id,
        "description": request.description[:MAX_DESCRIPTION],
        "metadata": dict(request.metadata),
    }
    return PreparedCharge(request.reference, idempotency_key, _encode(fields))


def prepare_refund(request: RefundRequest, idempotency_key: str) -> PreparedRefund | NotSent:
    """The body of a refund, or why there can be none."""
    try:
        amount = to_sandbox(request.amount)
    except KeyError:
        return _misfit(f"{request.amount.currency} is not a currency of this processor")
    except ValueError as error:
        return NotSent(NotSentReason.INEXACT, str(error))
    body = _encode({"amount": amount, "reference": request.reference})
    return PreparedRefund(request.reference, idempotency_key, request.processor_payment_id, body)


def setup_body(request: SetupRequest) -> bytes:
    fields = {
        "customer_reference": request.customer_reference,
        "return_url": request.return_url,
        "cancel_url": request.cancel_url,
        "currency": request.currency,
        "description": request.description[:MAX_DESCRIPTION],
    }
    return _encode(fields)


def _encode(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _misfit(detail: str) -> NotSent:
    return NotSent(NotSentReason.CONFIG, detail)
