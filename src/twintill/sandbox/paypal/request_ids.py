"""PayPal-Request-Id: within its window a repeated request answers the latest state of its first.

A request that was refused did nothing and frees its id. The same id with another body is refused;
PayPal documents that for the vault and for v1 payments, and says nothing of it for orders, where a
stand-in had better be strict. Two at the same time: the second is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from twintill.sandbox.paypal.refusal import Issue, PayPalRefusal, invalid, unprocessable
from twintill.sandbox.processor.face import Call, Reply

HEADER = "paypal-request-id"
MAX_LENGTH = 108


class Area(StrEnum):
    """Each keeps its ids for itself, and for as long as it says."""

    ORDERS = "orders"
    VAULT = "vault"
    PAYMENTS = "payments"


@dataclass(frozen=True, slots=True)
class _Use:
    fingerprint: str
    until: datetime
    again: Callable[[Call], Reply]


class RequestIds:
    def __init__(self) -> None:
        self._uses: dict[tuple[Area, str], _Use] = {}

    def forget(self) -> None:
        self._uses.clear()

    def act_once(
        self,
        area: Area,
        call: Call,
        until: datetime,
        now: datetime,
        act: Callable[[], Callable[[Call], Reply]],
    ) -> Reply:
        """`act` does it, and answers what tells its state, then and to a later call."""
        request_id = request_id_of(call)
        if request_id is None:
            return act()(call)
        asked = f"{call.method} {call.path}\n".encode() + call.body
        fingerprint = hashlib.sha256(asked).hexdigest()
        use = self._uses.get((area, request_id))
        if use is not None and now < use.until:
            return _replay(use, fingerprint, area, call)
        again = act()
        self._uses[(area, request_id)] = _Use(fingerprint, until, again)
        return again(call)


def request_id_of(call: Call) -> str | None:
    request_id = call.headers.get(HEADER)
    if request_id is not None and not 0 < len(request_id) <= MAX_LENGTH:
        text = f"The value of a field is either too short or too long (1 to {MAX_LENGTH})."
        raise invalid("INVALID_STRING_LENGTH", "PayPal-Request-Id", text, request_id)
    return request_id


def require_request_id(call: Call) -> str:
    request_id = request_id_of(call)
    if request_id is None:
        text = "A PayPal-Request-Id is required if you are trying to process payment for an Order."
        raise invalid("PAYPAL_REQUEST_ID_REQUIRED", "PayPal-Request-Id", text)
    return request_id


def in_progress() -> PayPalRefusal:
    text = "A previous request on this resource is currently in progress."
    return PayPalRefusal("RESOURCE_CONFLICT", Issue("PREVIOUS_REQUEST_IN_PROGRESS", text))


def window(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=seconds)


def _replay(use: _Use, fingerprint: str, area: Area, call: Call) -> Reply:
    if use.fingerprint != fingerprint:
        if area is Area.VAULT:
            text = "The PayPal-Request-ID has already been used for another request."
            raise unprocessable("PAYPAL_REQUEST_ID_PREVIOUSLY_USED", text)
        text = "The value of PayPal-Request-Id header has already been used."
        raise unprocessable("DUPLICATE_REQUEST_ID", text)
    reply = use.again(call)
    status = reply.status if area is Area.PAYMENTS else 200
    return Reply(status, reply.body, reply.headers, replayed=True)
